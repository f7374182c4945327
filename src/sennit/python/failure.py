"""`Failure`: an exception with its traceback, as a value that can be handed on."""

import builtins
import sys
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, NoReturn, TextIO, TypeVar

from sennit.python._later import traceback
from sennit.python._tracebacks import copyInert, makeInertEntry

_Y = TypeVar("_Y")

# (function name, file name, line, local variables, global variables); the last two are always empty.
_Frame = tuple[str, str, int, tuple[()], tuple[()]]


class NoCurrentExceptionError(Exception):
    """`Failure()` was called without an exception while none was being handled."""


def _qualifiedName(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _isFramework(filename: str) -> bool:
    return "/sennit/internet/" in filename or "/sennit/python/" in filename


class Failure(BaseException):
    """An exception and where it was raised.

    `type`, `value` and `tb` are the exception's class, the exception and its traceback (None if it was never
    raised). It derives from BaseException so that a program may `raise` it; whoever catches it wraps the
    original.
    """

    type: builtins.type[BaseException]
    value: BaseException
    tb: TracebackType | None

    def __init__(
        self,
        exc_value: BaseException | None = None,
        exc_type: builtins.type[BaseException] | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        """Wrap `exc_value`, or the exception being handled now if it is None.

        Raises NoCurrentExceptionError if there is none, TypeError if `exc_value` is no exception.
        """
        if exc_value is None:
            exc_value = sys.exception()
            if exc_value is None:
                raise NoCurrentExceptionError(
                    "Failure() needs an exception or must be called in an except clause"
                )
        if isinstance(exc_value, Failure):
            exc_tb = exc_tb or exc_value.tb
            exc_value = exc_value.value
        elif not isinstance(exc_value, BaseException):
            raise TypeError(f"a Failure wraps an exception, not {exc_value!r}")
        super().__init__(exc_value)
        self.value = exc_value
        self.type = exc_type or builtins.type(exc_value)
        self.tb = exc_tb or exc_value.__traceback__

    @classmethod
    def _caught(cls, exception: BaseException) -> "Failure":
        """The failure of an exception caught by our own code: the frame that caught it is left out."""
        if not isinstance(exception, Failure) and exception.__traceback__ is not None:
            exception.__traceback__ = exception.__traceback__.tb_next or exception.__traceback__
        return cls(exception)

    @property
    def frames(self) -> list[_Frame]:
        """The traceback, outermost first, as (function, file, line, (), ())."""
        return [
            (frame.f_code.co_name, frame.f_code.co_filename, line, (), ())
            for frame, line in traceback.walk_tb(self.tb)
        ]

    @property
    def parents(self) -> list[str]:
        """The qualified names of the exception's class and all its bases."""
        return [_qualifiedName(kind) for kind in self.type.__mro__]

    def check(self, *errorTypes: Any) -> Any:
        """The first of `errorTypes` (classes, or qualified names as str) that the exception is one of, else
        None.
        """
        for kind in errorTypes:
            if isinstance(kind, builtins.type):
                if issubclass(self.type, kind):
                    return kind
            elif kind in self.parents or (kind.startswith("exceptions.") and self._hasBuiltin(kind)):
                return kind
        return None

    def _hasBuiltin(self, name: str) -> bool:
        return "builtins." + name.removeprefix("exceptions.") in self.parents

    def trap(self, *errorTypes: Any) -> Any:
        """Like `check`, but raises the exception again if it is none of them."""
        found = self.check(*errorTypes)
        if found is None:
            self.raiseException()
        return found

    def raiseException(self) -> NoReturn:
        """Raise the exception with its original traceback."""
        raise self.value.with_traceback(self.tb)

    def throwExceptionIntoGenerator(self, generator: Generator[_Y, Any, Any] | Coroutine[_Y, Any, Any]) -> _Y:
        """Raise the exception inside `generator` with its original traceback; returns what is yielded
        next.
        """
        return generator.throw(self.value.with_traceback(self.tb))

    def cleanFailure(self) -> None:
        """Let go of all local variables the traceback keeps alive; its printed form stays the same."""
        shared = self.value.__traceback__ is self.tb
        self.tb = copyInert(self.tb)
        self.value.__traceback__ = self.tb if shared else copyInert(self.value.__traceback__)

    def getTracebackObject(self) -> TracebackType | None:
        """The traceback, None if the exception was never raised."""
        return self.tb

    def getErrorMessage(self) -> str:
        """The exception's text; a description of the trouble if making that text fails."""
        try:
            return str(self.value)
        except Exception as trouble:
            return f"<{_qualifiedName(self.type)} whose str() raised {builtins.type(trouble).__name__}>"

    def getTraceback(self, elideFrameworkCode: bool = False, detail: str = "default") -> str:
        """The traceback as text.

        `detail` is "default", "verbose" (with local variables where they are still there) or "brief" (one
        line per frame); `elideFrameworkCode` leaves out frames of Sennit's own event handling. Raises
        ValueError for another detail.
        """
        if detail not in ("default", "verbose", "brief"):
            raise ValueError(f"detail is 'default', 'verbose' or 'brief', not {detail!r}")
        summary = traceback.TracebackException(
            self.type, self.value, self.tb, capture_locals=detail == "verbose", compact=True
        )
        if elideFrameworkCode:
            kept = [entry for entry in summary.stack if not _isFramework(entry.filename)]
            summary.stack = traceback.StackSummary.from_list(kept)
        if detail == "brief":
            lines = [f"Traceback: {self.type}: {self.getErrorMessage()}"]
            lines += [f"{entry.filename}:{entry.lineno}:{entry.name}" for entry in summary.stack]
            return "\n".join(lines) + "\n"
        return "".join(summary.format())

    def getBriefTraceback(self) -> str:
        """The traceback with one line per frame."""
        return self.getTraceback(detail="brief")

    def printTraceback(
        self, file: TextIO | None = None, elideFrameworkCode: bool = False, detail: str = "default"
    ) -> None:
        """Write `getTraceback` to `file`, default standard error."""
        (file or sys.stderr).write(self.getTraceback(elideFrameworkCode, detail))

    def printBriefTraceback(self, file: TextIO | None = None, elideFrameworkCode: bool = False) -> None:
        """Write the traceback with one line per frame to `file`, default standard error."""
        self.printTraceback(file, elideFrameworkCode, "brief")

    def printDetailedTraceback(self, file: TextIO | None = None, elideFrameworkCode: bool = False) -> None:
        """Write the traceback with local variables to `file`, default standard error."""
        self.printTraceback(file, elideFrameworkCode, "verbose")

    def __str__(self) -> str:
        return f"[Failure instance: {self.getBriefTraceback()}]"

    def __repr__(self) -> str:
        return (
            f"<{_qualifiedName(builtins.type(self))} {_qualifiedName(self.type)}: {self.getErrorMessage()}>"
        )

    def __reduce__(self) -> tuple[Callable[..., "Failure"], tuple[Any, ...]]:
        return _restore, (self.value, self.frames)


def _restore(value: BaseException, frames: list[_Frame]) -> Failure:
    """What unpickling calls: tracebacks don't travel, so it is built again from its printed parts."""
    entry: TracebackType | None = None
    for name, filename, line, _, _ in reversed(frames):
        entry = makeInertEntry(filename, name, line, {}, entry)
    return Failure(value.with_traceback(entry))
