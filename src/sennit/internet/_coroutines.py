"""Running coroutines and generators that wait for Deferreds, without a Task and without a turn of the loop.

The driver resumes its coroutine synchronously when a Deferred fires. It understands asyncio, too: a coroutine
may await asyncio's futures, tasks and `asyncio.sleep` (a loop must be running then). `asyncio.current_task()`
is not its own, so what needs that (`asyncio.timeout`) needs a real Task.
"""

import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar, overload

from sennit.internet._deferred import CancelledError, Deferred
from sennit.internet._waiting import DeferredWaiter
from sennit.python._later import asyncio, inspect
from sennit.python.failure import Failure

_T = TypeVar("_T")
_P = ParamSpec("_P")
_PENDING: Any = object()


class NotACoroutineError(TypeError):
    """`ensureDeferred` was given something that is no coroutine, generator or Deferred."""


class _Return(BaseException):
    """What `returnValue` raises; not an Exception, so that no `except Exception` in the generator stops
    it.
    """

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


def returnValue(val: object) -> NoReturn:
    """End an `inlineCallbacks` generator with a result, as old programs do; in new ones `return val` does
    it.
    """
    raise _Return(val)


class _CoroutineDeferred(Deferred[_T]):
    """A coroutine's result. Cancelling cancels what the coroutine waits for; it may go on and have a result
    all the same.
    """

    _driver: "_Driver | None" = None

    def cancel(self) -> None:
        if not self.called and self._driver is not None:
            self._driver.cancel()
        else:
            super().cancel()


class _Driver:
    """Runs one coroutine or generator to its end."""

    __slots__ = ("_body", "_context", "_deferred", "_isCoroutine", "_mustCancel", "_waitingFor")

    def __init__(self, body: Any, deferred: _CoroutineDeferred[Any]) -> None:
        self._body = body
        self._deferred = deferred
        self._isCoroutine = inspect.isawaitable(body)
        self._context = contextvars.copy_context()
        self._mustCancel = False
        self._waitingFor: Any = None
        deferred._driver = self

    def cancel(self) -> None:
        """Cancel what the body waits for, or else the next thing it waits for."""
        if self._waitingFor is not None:
            self._waitingFor.cancel()
        else:
            self._mustCancel = True

    def advance(self, outcome: Any = None) -> None:
        """Send a result into the body, or throw a Failure; go on until it waits or ends."""
        while outcome is not _PENDING:
            self._waitingFor = None
            if self._mustCancel:
                self._mustCancel = False
                outcome = Failure(asyncio.CancelledError())
            try:
                if isinstance(outcome, Failure):
                    error = outcome.value.with_traceback(outcome.tb)
                    yielded = self._context.run(self._body.throw, error)
                else:
                    yielded = self._context.run(self._body.send, outcome)
            except (StopIteration, _Return) as end:
                self._finish().callback(end.value)
                return
            except asyncio.CancelledError as cancelled:
                self._finish().errback(CancelledError().with_traceback(cancelled.__traceback__))
                return
            except BaseException as exception:
                self._finish().errback(Failure._caught(exception))
                return
            outcome = self._resultOf(yielded)
        if self._mustCancel and self._waitingFor is not None:
            self._mustCancel = False
            self._waitingFor.cancel()

    def _finish(self) -> _CoroutineDeferred[Any]:
        self._deferred._driver = None
        return self._deferred

    def _resultOf(self, yielded: Any) -> Any:
        """What to resume the body with at once, or _PENDING if it will be resumed later."""
        if type(yielded) is DeferredWaiter:
            self._waitingFor = yielded.deferred
            yielded.resumeDirectly(self.advance)
            return _PENDING
        if isinstance(yielded, Deferred):
            if yielded._settled() and not yielded.callbacks:
                yielded._markHandled()
                return yielded.result
            self._waitingFor = yielded
            yielded._observe(self.advance)
            return _PENDING
        if getattr(yielded, "_asyncio_future_blocking", None):
            # The protocol by which asyncio's own Task waits for a future that a coroutine awaits.
            yielded._asyncio_future_blocking = False
            self._waitingFor = yielded
            yielded.add_done_callback(self._advanceAfter)
            return _PENDING
        if self._isCoroutine:
            return self._resultOfForeign(yielded)
        deferred = toDeferred(yielded)
        return yielded if deferred is None else self._resultOf(deferred)

    def _resultOfForeign(self, yielded: Any) -> Any:
        if yielded is None:  # what asyncio.sleep(0) yields: one turn of the loop
            asyncio.get_running_loop().call_soon(self.advance)
            return _PENDING
        return Failure(
            RuntimeError(f"awaited something that belongs neither to a Deferred nor to asyncio: {yielded!r}")
        )

    def _advanceAfter(self, future: object) -> None:
        self.advance()


def startCoroutine(body: Coroutine[Any, Any, _T] | Generator[Any, Any, _T]) -> Deferred[_T]:
    """Run a coroutine or generator until it waits; a Deferred of its result. NotACoroutineError for
    others.
    """
    if not isinstance(body, Coroutine | Generator):
        raise NotACoroutineError(f"{body!r} is no coroutine")
    deferred: _CoroutineDeferred[_T] = _CoroutineDeferred()
    _Driver(body, deferred).advance()
    return deferred


async def _awaiting(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


def toDeferred(value: Any) -> Deferred[Any] | None:
    """The Deferred of a Deferred, coroutine, asyncio future or other awaitable; None if `value` is none of
    these.
    """
    if isinstance(value, Deferred):
        return value
    if isinstance(value, Coroutine):
        return startCoroutine(value)
    if asyncio.isfuture(value):
        return Deferred.fromFuture(value)
    if inspect.isawaitable(value):
        return startCoroutine(_awaiting(value))
    return None


@overload
def ensureDeferred(coro: Deferred[_T]) -> Deferred[_T]: ...
@overload
def ensureDeferred(coro: Coroutine[Any, Any, _T]) -> Deferred[_T]: ...
@overload
def ensureDeferred(coro: Generator[Any, Any, _T]) -> Deferred[_T]: ...
def ensureDeferred(coro: Any) -> Deferred[Any]:
    """Start a coroutine, or a generator that yields Deferreds; a Deferred of its result.

    A Deferred is returned as it is. Raises NotACoroutineError (a TypeError) for anything else.
    """
    return coro if isinstance(coro, Deferred) else startCoroutine(coro)


def inlineCallbacks(f: Callable[_P, Generator[Any, Any, _T]]) -> Callable[_P, Deferred[_T]]:
    """Make a generator function return a Deferred of what it returns.

    Each Deferred (or coroutine, or asyncio future) it yields comes back as its result, or is raised as its
    exception; any other value comes back as it is. Cancelling the Deferred cancels the one that is waited
    for.
    """

    @wraps(f)
    def start(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        body = f(*args, **kwargs)
        if not isinstance(body, Generator):
            raise TypeError(f"inlineCallbacks needs a generator function, and {f!r} has returned {body!r}")
        return startCoroutine(body)

    return start
