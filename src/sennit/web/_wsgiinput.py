"""The way from the thread of a WSGI application back to the loop, and the request's body the other way."""

import asyncio
import io
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sennit.internet._reactor_base import homeLoop
from sennit.internet._reactor_parts import ReactorThreads
from sennit.python import log
from sennit.web.error import Error

if TYPE_CHECKING:
    from sennit.web.server import Request

# Bytes on their way from one thread to the other before the faster one waits: what the engine buffers, too.
QUEUE_LIMIT = 64 << 10
# A thread that waits for the loop looks this often (seconds) whether there still is one.
LOOP_CHECK = 5.0


class WayBack:
    """Calls functions in the thread of one loop, from any, in the order of the calls.

    Waking the loop costs a system call: what comes before it has woken up goes with the same one.
    """

    def __init__(self, wake: Callable[..., object], loop: asyncio.AbstractEventLoop | None) -> None:
        self.loop = loop
        self._wake = wake
        self._lock = threading.Lock()
        self._calls: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        # Whether the loop is going to look at the calls.
        self._wakes = False

    @property
    def patience(self) -> float:
        """How many seconds to wait for the loop before asking whether it is alive."""
        return LOOP_CHECK

    def enter(self) -> None:
        """Called in another thread before an application is: for what that calls by
        `reactor.callFromThread`."""
        homeLoop.set(self.loop)

    def __call__(self, function: Callable[..., object], *args: object) -> bool:
        """Call soon; False if there is no loop any more."""
        with self._lock:
            self._calls.append((function, args))
            if self._wakes:
                return self.isAlive()
            self._wakes = True
        try:
            self._wake(self._runAll)
        except RuntimeError:
            if self.isAlive():
                raise
            return False
        return True

    def _runAll(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, []
            self._wakes = False
        for function, args in calls:
            try:
                function(*args)
            except Exception:
                log.err(None, "Unhandled error in a call for a WSGI application")

    def isAlive(self) -> bool:
        """False once the loop is closed."""
        return self.loop is None or not self.loop.is_closed()


def wayBackTo(reactor: Any, loop: asyncio.AbstractEventLoop | None) -> WayBack:
    """The way from other threads to the loop that runs in this one; a reactor that isn't ours knows its
    own."""
    if loop is not None and (reactor is None or isinstance(reactor, ReactorThreads)):
        return WayBack(loop.call_soon_threadsafe, loop)
    return WayBack(reactor.callFromThread, loop)


class BodyRefused(OSError):
    """The body turned out too large, too slow or malformed; `answer` is what that is answered with.

    An OSError, as applications expect it of a body that can't be read.
    """

    def __init__(self, answer: Error) -> None:
        super().__init__(f"the request's body was refused: {answer}")
        self.answer = answer


_clientHasLeft = partial(ConnectionAbortedError, "the client has left")
_serverHasStopped = partial(ConnectionAbortedError, "the server has stopped")


def inputOf(request: "Request", call: WayBack) -> io.BufferedReader:
    """What an application in another thread reads a body from that is large or not all here yet."""
    return io.BufferedReader(BodyReader(request, call), QUEUE_LIMIT)


class BodyReader(io.RawIOBase):
    """A body that is read in another thread while it comes in; buffered by `io.BufferedReader`."""

    def __init__(self, request: "Request", call: WayBack) -> None:
        super().__init__()
        # None once there is nothing more to be read: an application may keep its environ for long.
        self._request: Request | None = request
        self._call = call
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        # Whether the loop is going to look for more without being asked.
        self._watching = False
        self._isWhole = False
        # Makes what reading raises. Not an exception, whose traceback would refer to this object again.
        self._trouble: Callable[[], OSError] | None = None
        self._current = memoryview(b"")

    # In the loop's thread

    def _pull(self) -> None:
        """Take what has come, as long as there is room for it."""
        if self._request is None:
            return
        pieces: list[bytes] = []
        trouble: Callable[[], OSError] | None = None
        piece: bytes | None = None
        room = QUEUE_LIMIT - self._held
        try:
            while room > 0 and (piece := self._request.read_body()):
                pieces.append(piece)
                room -= len(piece)
        except Error as refusal:
            trouble = partial(BodyRefused, refusal.with_traceback(None))
        except OSError:
            trouble = _clientHasLeft
        hasRoom = room > 0 and trouble is None
        waits = hasRoom and piece is None
        with self._changed:
            self._pieces += pieces
            self._held += sum(map(len, pieces))
            self._trouble = trouble
            self._isWhole = hasRoom and not waits
            self._watching = waits
            self._changed.notify_all()
        if waits:
            self._request.on_body(self._pull)
        elif self._isWhole or trouble is not None:
            self._request = None

    # In the application's thread

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for something to be there, and take of it what fits; 0 at the end.

        Raises ConnectionError if the client has left, OSError for a body that is refused.
        """
        if not self._current:
            self._current = memoryview(self._next())
        size = min(len(buffer), len(self._current))
        buffer[:size] = self._current[:size]
        self._current = self._current[size:]
        return size

    def _next(self) -> bytes:
        with self._changed:
            while not self._pieces:
                if self._trouble is not None:
                    raise self._trouble()
                if self._isWhole:
                    return b""
                if not self._watching:
                    self._watching = True
                    if not self._call(self._pull):
                        self._trouble = _serverHasStopped
                        continue
                self._changed.wait(LOOP_CHECK)
                if not self._pieces and not self._call.isAlive():
                    self._trouble = _serverHasStopped
            piece = self._pieces.popleft()
            self._held -= len(piece)
            return piece
