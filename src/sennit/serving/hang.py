"""Noticing that an event loop stands still, and telling what it stands at."""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from sennit import _engine

# The stack of a deep recursion would fill the log.
_MOST_FRAMES = 40


class Watchdog:
    """A thread that calls `report(text)`, once, when one of those that have called `beat` hasn't done so for
    `timeout` seconds."""

    def __init__(self, timeout: float, report: Callable[[str], object]) -> None:
        self._timeout = timeout
        self._report = report
        self._ended = threading.Event()
        # When each thread has last given a sign.
        self._last: dict[int, float] = {}
        self._thread = threading.Thread(target=self._watch, name="sennit-watchdog", daemon=True)

    def start(self) -> None:
        """Watch the calling thread from now on."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; returns when the thread has ended."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def beat(self) -> None:
        """The calling thread is alive; it is watched from now on."""
        self._last[threading.get_ident()] = time.monotonic()

    def _watch(self) -> None:
        while not self._ended.wait(self._timeout / 8):
            now = time.monotonic()
            for watched, last in list(self._last.items()):
                if now - last > self._timeout:
                    self._report(describe(sys._current_frames().get(watched), now - last))
                    return


def describe(frame: FrameType | None, silent: float) -> str:
    """What a thread is at: the request, if it is at one, and the stack. `silent` is the time in seconds for
    which the loop hasn't run."""
    request = next(_requests(frame), "no request")
    frames = traceback.StackSummary.extract(
        ((each, each.f_lineno) for each in _frames(frame)), limit=_MOST_FRAMES, lookup_lines=True
    )
    frames.reverse()
    stack = "".join(frames.format()).rstrip()
    return (
        f"{request}, {silent:.1f} s without a turn of the event loop; it holds {rss() / 1e6:.0f} MB\n{stack}"
    )


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _requests(frame: FrameType | None) -> Iterator[str]:
    """The requests that are among the local variables, the innermost first."""
    for each in _frames(frame):
        for value in list(each.f_locals.values()):
            found = _request_in(value)
            if found is not None:
                yield found


def _request_in(value: Any) -> str | None:
    if isinstance(value, _engine.Request):
        age = value.duration
        line = f"{_text(value.method)} {_text(value.uri)}"
        return line if age is None else f"{line}, begun {age:.1f} s ago"
    if isinstance(value, dict):
        # What WSGI and ASGI have for a request.
        if "REQUEST_METHOD" in value and "PATH_INFO" in value:
            return f"{value['REQUEST_METHOD']} {value.get('SCRIPT_NAME', '')}{value['PATH_INFO']}"
        if value.get("type") == "http" and "method" in value and "path" in value:
            return f"{value['method']} {value['path']}"
    return None


def _text(part: bytes) -> str:
    return part.decode("ascii", "backslashreplace")


def rss() -> int:
    """Bytes of memory that this process holds."""
    try:
        with open("/proc/self/statm", "rb") as file:
            import resource

            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        import resource

        # The most that it ever was, which is all that this system tells: in bytes there, not KiB as on Linux.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
