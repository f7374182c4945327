"""Tracebacks that keep nothing alive.

A frame of an ordinary traceback refers to its local variables and, through `f_back`, to those of all its
callers. A failure that is kept as the result of a Deferred would thereby nearly always be part of a reference
cycle with that Deferred, and the log entry about an unhandled failure would wait for the garbage collector.
The copies made here print the same and can be raised again, but their frames have neither locals nor callers.
"""

from collections.abc import Iterator
from types import CodeType, FunctionType, TracebackType
from typing import Any

# The names of a code object that never runs are free for a mark by which inert frames are recognized.
_MARK = ("inert traceback frame",)
_UNKNOWN_INSTRUCTION = -1


def _neverRun() -> Iterator[None]:
    yield


_TEMPLATE: CodeType = _neverRun.__code__


def makeInertEntry(
    filename: str,
    name: str,
    line: int,
    namespace: dict[str, Any],
    following: TracebackType | None,
) -> TracebackType:
    """One traceback entry from its printed parts; `namespace` is what module loaders look for source lines
    in.
    """
    code = _TEMPLATE.replace(co_filename=filename, co_name=name, co_qualname=name, co_names=_MARK)
    # The frame of a generator that has not been started is the one kind of frame without a caller.
    generator = FunctionType(code, namespace)()
    return TracebackType(following, generator.gi_frame, _UNKNOWN_INSTRUCTION, line)


def copyInert(traceback: TracebackType | None) -> TracebackType | None:
    """A copy of `traceback` whose frames hold no locals and no callers; inert tails are shared, not
    copied.
    """
    entries: list[TracebackType] = []
    rest = traceback
    while rest is not None and rest.tb_frame.f_code.co_names != _MARK:
        entries.append(rest)
        rest = rest.tb_next
    for entry in reversed(entries):
        frame = entry.tb_frame
        code = frame.f_code
        rest = makeInertEntry(code.co_filename, code.co_name, entry.tb_lineno, frame.f_globals, rest)
    return rest


def isInert(traceback: TracebackType | None) -> bool:
    """Whether `traceback` is empty or already begins with an inert frame."""
    return traceback is None or traceback.tb_frame.f_code.co_names == _MARK
