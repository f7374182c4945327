"""WSGI applications (PEP 3333) as resources.

    pool = ThreadPool()
    pool.start()
    root = WSGIResource(reactor, pool, application)

The application runs in a thread of the pool and everything that concerns the request runs in the event
loop's: the two meet in `_InThread` and in `_wsgiinput`, and nowhere else. Bodies are streamed both ways; the
side that is faster waits for the other.
"""

import asyncio
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

from sennit.internet._reactor_base import homeLoop
from sennit.internet._reactor_parts import ReactorThreads
from sennit.python import log
from sennit.web._wsgienviron import Environ, ErrorLog, environOf
from sennit.web._wsgiinput import LOOP_CHECK, QUEUE_LIMIT, BodyRefused, WayBack, inputOf, wayBackTo
from sennit.web.error import Error
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from sennit.web.iweb import ResourceLike
    from sennit.web.server import Request

__all__ = ["WSGIResource"]

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
_Field: TypeAlias = tuple[bytes, bytes]

# A list of pieces up to this size is sent as one piece with its length; a larger one is not copied together.
_WHOLE_LIMIT = 1 << 20

_STATUS = re.compile(r"([2-9]\d\d)(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")
# RFC 9110 sections 5.1 and 5.5.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# Fields that an application can't set: Server and Date are the server's, the others concern the connection,
# which an application must leave alone (PEP 3333, "Other HTTP Features").
_NOT_THE_APPLICATIONS = frozenset(
    [b"server", b"date", b"keep-alive", b"te", b"trailers", b"transfer-encoding", b"upgrade"]
)


class WSGIResource(Resource):
    """Answers every request, there and below, with a WSGI application.

    It runs in a thread of `threadpool`, which the program starts and stops; `reactor` is how that thread
    reaches the loop. Without a pool (None) it runs in the loop's own thread: that is the quickest for an
    application that never waits, and holds up everything else for one that does.
    """

    isLeaf = True
    # In a thread, the application reads the body while it is still being sent.
    streamsBody = True

    def __init__(self, reactor: Any, threadpool: Any, application: "WSGIApplication") -> None:
        super().__init__()
        self._reactor = reactor
        self._threadpool = threadpool
        self._application: Callable[..., Iterable[bytes]] = application
        self._lastWayBack: WayBack | None = None
        if threadpool is None:
            self.streamsBody = False

    def getChildWithDefault(self, path: bytes, request: "Request") -> NoReturn:
        """The application answers for everything below itself: raises RuntimeError."""
        raise RuntimeError("a WSGIResource has no children: its application sees the rest of the path")

    def putChild(self, path: bytes | str, child: "ResourceLike") -> None:
        """There can't be children: raises RuntimeError."""
        raise RuntimeError("a WSGIResource can't have children: put them beside it")

    def render(self, request: "Request") -> Any:
        """Start the application."""
        environ = environOf(request, self._threadpool is not None)
        if self._threadpool is None:
            return self._renderHere(request, environ)
        self._wakePool()
        call = self._wayBack()
        body = inputOf(request, call)
        environ["wsgi.input"] = body if isinstance(body, io.BytesIO) else io.BufferedReader(body, QUEUE_LIMIT)
        exchange = _InThread(self._application, environ, request, self, call)
        self._threadpool.callInThread(exchange.run)
        return NOT_DONE_YET

    def _wayBack(self) -> WayBack:
        # Not get_running_loop: under a foreign reactor there may be none.
        loop = asyncio._get_running_loop()
        way = self._lastWayBack
        if way is None or way.loop is not loop:
            way = self._lastWayBack = wayBackTo(self._reactor, loop)
        return way

    def _wakePool(self) -> None:
        pool = self._threadpool
        if getattr(pool, "started", True) is False and isinstance(self._reactor, ReactorThreads):
            # The reactor starts its own pool when it is asked for it while a loop runs.
            self._reactor.getThreadPool()
        if getattr(pool, "joined", False):
            # It takes no more calls, and the client would wait for ever.
            raise Error(503)

    def _renderHere(self, request: "Request", environ: Environ) -> Any:
        # Without streamsBody the body is all there, as a file.
        environ["wsgi.input"] = request.content if request.content is not None else io.BytesIO()
        exchange = _InLoop(self._application, environ, request)
        try:
            result = exchange.call()
            whole = exchange.wholeOf(result)
            if whole is None:
                return _Pieces(exchange, result)
            exchange.sendWhole(whole)
        finally:
            exchange.errors.flush()
        return NOT_DONE_YET


class _Head(NamedTuple):
    """What start_response was given, checked and encoded."""

    code: int
    reason: bytes | None
    fields: list[_Field]


def _makeHead(status: Any, headers: Any) -> _Head:
    """Raises TypeError and ValueError for what can't be sent."""
    if not isinstance(status, str):
        raise TypeError(f"the status must be str, not {type(status).__name__}")
    code, reason = _makeStatus(status)
    if not isinstance(headers, list):
        if isinstance(headers, str | bytes) or not isinstance(headers, Sequence):
            raise TypeError(f"the headers must be a list of pairs, not {type(headers).__name__}")
        warnings.warn(
            f"the headers should be a list, not {type(headers).__name__}", RuntimeWarning, stacklevel=4
        )
    fields: list[_Field] = []
    for header in headers:
        field = _makeField(header)
        if field is not None:
            fields.append(field)
    return _Head(code, reason, fields)


@lru_cache(maxsize=256)
def _makeStatus(status: str) -> tuple[int, bytes | None]:
    found = _STATUS.fullmatch(status)
    if found is None:
        raise ValueError(f"the status must be a code from 200 on and a phrase, not {status!r}")
    return int(found[1]), None if found[2] is None else found[2].encode("latin-1")


def _makeField(header: Any) -> _Field | None:
    """One header, encoded; None for one that is not sent."""
    if not isinstance(header, tuple):
        if not isinstance(header, list):
            raise TypeError(f"a header must be a pair of str, not {header!r}")
        warnings.warn(f"a header should be a tuple, not a list: {header!r}", RuntimeWarning, stacklevel=5)
    if len(header) != 2 or not isinstance(header[0], str) or not isinstance(header[1], str):
        raise TypeError(f"a header must be a pair of str, not {header!r}")
    value: str = header[1]
    # Printable ASCII is the common case, and quickly told.
    if not (value.isascii() and value.isprintable()) and _VALUE.fullmatch(value) is None:
        raise ValueError(f"{value!r} can't be the value of a header (RFC 9110 section 5.5)")
    name = _makeName(header[0])
    if name is None:
        return None
    if name == b"Connection":
        # Closing is the one thing about the connection that an application may have a reason to wish for.
        return (name, b"close") if "close" in value.lower() else None
    return name, value.encode("latin-1")


@lru_cache(maxsize=1024)
def _makeName(name: str) -> bytes | None:
    """The name of a header, encoded; None if the application can't set that one."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} can't be the name of a header (RFC 9110 section 5.1)")
    encoded = name.encode("ascii")
    lower = encoded.lower()
    if lower in _NOT_THE_APPLICATIONS:
        return None
    return b"Connection" if lower == b"connection" else encoded


class _Exchange:
    """One call of the application: what is the same in a thread of the pool and in the loop's."""

    def __init__(
        self, application: Callable[..., Iterable[bytes]], environ: Environ, request: "Request"
    ) -> None:
        self._application = application
        self._environ = environ
        self.errors: ErrorLog = environ["wsgi.errors"]
        self._request = request
        self._head: _Head | None = None
        # Whether something has been handed over to be sent, so that the head can't be changed any more.
        self._begun = False

    def call(self) -> Iterable[bytes]:
        """Call the application."""
        return self._application(self._environ, self.startResponse)

    def startResponse(
        self, status: str, headers: Sequence[tuple[str, str]], exc_info: _ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """`start_response` of PEP 3333; returns the `write` callable.

        TypeError and ValueError for what can't be sent, RuntimeError for a second call without `exc_info`.
        Raises the exception of `exc_info` if part of the response is out already.
        """
        if exc_info:
            try:
                if self._begun:
                    error = exc_info[1] or RuntimeError("the response has begun: its head can't be changed")
                    raise error.with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._head is not None:
            raise RuntimeError("start_response was called before: a second call needs exc_info")
        self._head = _makeHead(status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body; ConnectionError if the client has left."""
        piece = self.check(data)
        if piece and not self.send(piece):
            raise ConnectionAbortedError("the client has left")

    def check(self, data: bytes) -> bytes:
        """The piece, if it is one and may be sent now; TypeError or RuntimeError otherwise."""
        if not isinstance(data, bytes):
            raise TypeError(f"a WSGI application gives bytes, not {type(data).__name__}")
        if data and self._head is None:
            raise RuntimeError("the application sends a body without having called start_response")
        return data

    def send(self, piece: bytes) -> bool:
        """Send a piece that isn't empty; False if there is nobody to send it to."""
        raise NotImplementedError

    def wholeOf(self, result: Iterable[bytes]) -> bytes | None:
        """The whole body, where it is all there: of a list or tuple that isn't large."""
        if self._begun or not (type(result) is list or type(result) is tuple):
            return None
        if len(result) == 1:
            return self.check(result[0])
        pieces = [self.check(piece) for piece in result]
        return b"".join(pieces) if sum(map(len, pieces)) <= _WHOLE_LIMIT else None

    def headToSend(self) -> _Head:
        """The head, from here on unchangeable; RuntimeError if there is none."""
        if self._head is None:
            raise RuntimeError("the application has ended without having called start_response")
        self._begun = True
        return self._head

    # In the loop's thread

    def putHead(self, head: _Head) -> None:
        """Give the request its head."""
        request = self._request
        request.setResponseCode(head.code, head.reason)
        # A response without a Content-Type gets none.
        request.defaultContentType = None
        headers = request.responseHeaders
        for name, value in head.fields:
            if name.lower() == b"set-cookie" and request.cookies:
                # These would replace the ones that are set as headers.
                request.cookies.append(value)
            else:
                headers.addRawHeader(name, value)

    def putWhole(self, head: _Head, body: bytes) -> None:
        """Answer with a whole response."""
        request = self._request
        self.putHead(head)
        if body or request.method != b"HEAD":
            request.respond(body)
            return
        # For HEAD an application may leave the body out: its length is not known then, rather than 0.
        request.write(b"")
        request.finish()


class _InLoop(_Exchange):
    """The application runs in the loop's own thread."""

    def send(self, piece: bytes) -> bool:
        self.begin()
        self._request.write(piece)
        return not self._request.disconnected_early

    def sendWhole(self, body: bytes) -> None:
        """Answer with a whole response."""
        self.putWhole(self.headToSend(), body)

    def begin(self) -> None:
        """Set the head, before the first piece."""
        if not self._begun:
            self.putHead(self.headToSend())

    def end(self) -> None:
        """What an iterable that has given nothing needs before the response is finished."""
        if not self._begun:
            self.begin()
            if self._request.method == b"HEAD":
                self._request.write(b"")


class _Pieces(Iterator[bytes]):
    """The pieces of an application's result, for the engine to take; closes the result at the end."""

    def __init__(self, exchange: _InLoop, result: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._result = result
        self._isClosed = False
        self._iterator: Iterator[bytes] | None = None

    def __next__(self) -> bytes:
        if self._isClosed:
            raise StopIteration
        try:
            if self._iterator is None:
                self._iterator = iter(self._result)
            for data in self._iterator:
                if piece := self._exchange.check(data):
                    self._exchange.begin()
                    return piece
            self._exchange.end()
        except BaseException:
            self.close()
            raise
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Close the result, once."""
        if not self._isClosed:
            self._isClosed = True
            _closeResult(self._result)
            self._exchange.errors.flush()


def _closeResult(result: Iterable[bytes]) -> None:
    """Call `close`, if there is one. Its mistakes are only logged: the response is over."""
    try:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    except Exception:
        log.err(None, "Unhandled error while closing a WSGI application's result", system="wsgi")


class _InThread(_Exchange):
    """The application runs in another thread than the loop's."""

    # Made when a response is sent in pieces; it guards the attributes below it.
    _changed: threading.Condition | None = None
    # Bytes that wait for the loop, or that it has taken and not yet written.
    _queued = 0
    # Whether the loop is going to look at the queue.
    _flushComing = False
    # Whether there is more in the engine's buffer than it should hold.
    _blocked = False
    _gone = False
    _ending = False

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        environ: Environ,
        request: "Request",
        resource: WSGIResource,
        callInLoop: WayBack,
    ) -> None:
        super().__init__(application, environ, request)
        self._resource = resource
        self._callInLoop = callInLoop
        self._queue: list[bytes] = []
        # Only for the loop's thread: whether the head has been given to the request.
        self._headIsPut = False

    # In the application's thread

    def run(self) -> None:
        """Call the application, and send what it gives."""
        # For what the application itself calls by reactor.callFromThread.
        homeLoop.set(self._callInLoop.loop)
        try:
            result = self.call()
        except BaseException as exception:
            self._fail(exception)
        else:
            try:
                self._transmit(result)
            except BaseException as exception:
                self._fail(exception)
            finally:
                _closeResult(result)
        self.errors.flush()

    def _transmit(self, result: Iterable[bytes]) -> None:
        whole = self.wholeOf(result)
        if whole is None:
            for data in result:
                piece = self.check(data)
                if self._gone or (piece and not self.send(piece)):
                    return
        if self._begun:
            self._end()
        else:
            self._callGuarded(self._putWholeInLoop, self.headToSend(), whole or b"")

    def _fail(self, exception: BaseException) -> None:
        self._callGuarded(self._failInLoop, exception)

    def send(self, piece: bytes) -> bool:
        changed = self._changed
        if changed is None:
            changed = self._changed = threading.Condition()
        self._begun = True
        with changed:
            while not self._gone and (self._blocked or self._queued >= QUEUE_LIMIT):
                changed.wait(LOOP_CHECK)
                if not self._callInLoop.isAlive():
                    self._gone = True
            if self._gone:
                return False
            self._queue.append(piece)
            self._queued += len(piece)
            self._wantFlush()
        return not self._gone

    def _end(self) -> None:
        assert self._changed is not None
        with self._changed:
            self._ending = True
            self._wantFlush()

    def _wantFlush(self) -> None:
        if not self._flushComing:
            self._flushComing = True
            self._callGuarded(self._flush)

    def _callGuarded(self, function: Callable[..., object], *args: object) -> None:
        if not self._callInLoop(self._guard, function, args):
            self._gone = True

    # In the loop's thread

    def _guard(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Call a function here; what it raises is answered, as what the application raises is."""
        try:
            function(*args)
        except Exception as exception:
            self._leave()
            self._request._failed(exception, self._resource)

    def _putWholeInLoop(self, head: _Head, body: bytes) -> None:
        if not self._isOver():
            self.putWhole(head, body)

    def _failInLoop(self, exception: BaseException) -> None:
        self._leave()
        answer = exception.answer if isinstance(exception, BodyRefused) else exception
        self._request._failed(answer, self._resource)

    def _isOver(self) -> bool:
        return self._request.disconnected_early or self._request.finished

    def _flush(self) -> None:
        assert self._changed is not None
        with self._changed:
            pieces, self._queue = self._queue, []
            self._flushComing = False
            ending = self._ending
        if self._isOver():
            self._leave()
            return
        request = self._request
        if not self._headIsPut:
            self._headIsPut = True
            self.putHead(self.headToSend())
            if not ending:
                request.notifyFinish().addErrback(self._leave)
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if body:
            request.write(body)
        if ending:
            request.finish()
        blocked = not ending and request.write_blocked
        with self._changed:
            self._queued -= len(body)
            self._blocked = blocked
            self._changed.notify_all()
        if blocked:
            request.on_drain(self._drained)

    def _drained(self) -> None:
        assert self._changed is not None
        with self._changed:
            self._blocked = False
            self._changed.notify_all()

    def _leave(self, reason: object = None) -> None:
        """Nothing more can be sent: wake the application's thread, to end there."""
        self._gone = True
        if self._changed is not None:
            with self._changed:
                self._queue.clear()
                self._changed.notify_all()
