"""The typed face of the Rust engine: the one door between Python and `engine/`.

Everything here is private to Sennit, except what `sennit.web` re-exports: `Headers` (as
`sennit.web.http_headers.Headers`), `Answer` (as `sennit.web.server.Answer`) and the methods of `Request` that
its subclasses in `sennit.web.http` and `sennit.web.server` inherit. Those keep Twisted's names; the rest is
PEP 8.
"""

import asyncio
import contextvars
import os
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Self, TypeVar, TypeVarTuple, final, overload

from typing_extensions import disjoint_base

__all__ = [
    "ASGIApplication",
    "AccessLog",
    "Answer",
    "Channel",
    "Connection",
    "Encoder",
    "Engine",
    "EventLoopBase",
    "FileAnswer",
    "FileBody",
    "FileCache",
    "Forward",
    "Handle",
    "Headers",
    "Metrics",
    "ReadyHandles",
    "Request",
    "ScheduledHandles",
    "Service",
    "TimerHandle",
    "Upstream",
    "WSGIGateway",
    "adapt_coroutines",
    "cgi_variables",
    "gather_memory",
    "http_date",
    "is_token",
    "negotiate_coding",
    "reason_phrase",
    "split_path",
]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
_Text = str | bytes
_Address = tuple[str, int] | tuple[str, int, int, int] | str | bytes | None

def cgi_variables(request: Request) -> dict[str, str]:
    """What a request says in the terms of CGI (RFC 3875 section 4.1), and `wsgi.url_scheme`: bytes as str, by
    ISO-8859-1. What is not there is empty, but headers are left out.
    """

def http_date(seconds: float | None = None) -> bytes:
    """The 29 bytes of an HTTP date (RFC 9110 section 5.6.7) for `seconds` since the epoch, default now."""

def reason_phrase(code: int) -> bytes:
    """The registered reason phrase of a status code, empty if there is none."""

def adapt_coroutines(
    adapter: Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, Any] | Generator[Any, Any, Any]] | None,
) -> None:
    """Have each handler's coroutine passed through `adapter`, in this process, before a Task runs it; None
    ends that. For programs whose coroutines await what asyncio knows nothing of.
    """

def gather_memory() -> int:
    """Move what lies densely in this process's memory into huge pages; returns how many bytes are there now.
    Memory that is shared with other processes, as after a fork, stays shared. Gives 0 where the kernel can't
    (Linux can from 6.1 on), or where its administrator wants no huge pages.

    Other threads go on meanwhile.
    """

def is_token(value: bytes) -> bool:
    """Whether `value` is a token (RFC 9110 section 5.6.2)."""

def negotiate_coding(values: Sequence[bytes], offered: Sequence[str]) -> str | None:
    """Which of `offered` codings, the favourite first, a client wants whose Accept-Encoding has `values` (RFC
    9110 section 12.5.3); None for none.
    """

def split_path(path: bytes) -> list[bytes]:
    """The segments after the first slash, each percent-decoded after the splitting."""

@disjoint_base
class Headers:
    """Header fields in order of first setting; see `sennit.web.http_headers`."""

    def __new__(cls, rawHeaders: Mapping[Any, Sequence[_Text]] | None = None) -> Self: ...
    def setRawHeaders(self, name: _Text, values: Sequence[_Text]) -> None: ...
    def addRawHeader(self, name: _Text, value: _Text) -> None: ...
    @overload
    def getRawHeaders(self, name: str, default: None = None) -> list[str] | None: ...
    @overload
    def getRawHeaders(self, name: bytes, default: None = None) -> list[bytes] | None: ...
    @overload
    def getRawHeaders(self, name: str, default: _T) -> list[str] | _T: ...
    @overload
    def getRawHeaders(self, name: bytes, default: _T) -> list[bytes] | _T: ...
    def getAllRawHeaders(self) -> Iterator[tuple[bytes, list[bytes]]]: ...
    def hasHeader(self, name: _Text) -> bool: ...
    def removeHeader(self, name: _Text) -> None: ...
    def copy(self) -> Headers: ...
    def as_dict(self) -> dict[bytes, list[bytes]]:
        """Names, in the form they are sent in, to values."""
    def __eq__(self, other: object, /) -> bool: ...
    def __copy__(self) -> Headers: ...

@final
class Service:
    """What the engine must know of one site: its limits, its request class, its root.

    `site` gives `resource`, which is read at every request unless `set_root` has told it; when
    `custom_traversal` is true, its `getResourceFor(request)` is called instead. `stock` holds the plain
    functions `Resource.getChildWithDefault`, `Resource.getChild` and `Resource.render`, and what that
    `getChild` gives: where a resource has just these, the engine does their work itself.
    `request_factory` is a `Request` subclass or any callable `(channel, queued)` that returns one.
    `custom_process` says that its `process` is not the stock one and must be called.
    """

    def __new__(
        cls,
        site: object,
        request_factory: Callable[..., Request],
        stock: tuple[object, object, object, object],
        *,
        custom_process: bool = False,
        custom_traversal: bool = False,
    ) -> Self: ...
    def configure(self, name: str, value: float | None) -> None:
        """Set the limit `name` (the attribute's name on `Site`, e.g. `maxBody`); KeyError for an unknown
        one.
        """
    def set_encoders(self, encoders: tuple[object, ...] | None) -> None:
        """Factories of the engine's encoders, for responses whose resource says nothing about that; each has
        `coding`, `compressLevel`, `minimumSize` and `contentTypes`, read for each response.
        """
    def set_trust(self, peers: Sequence[str], headers: Sequence[str], proxy_protocol: bool) -> None:
        """Say which peers are proxies of the site's own (networks, or "unix"; none at all switches it off),
        which headers they set (lower case), and whether their connections begin with a header of the PROXY
        protocol. ValueError for what is none of these.
        """
    def set_root(self, root: object | None) -> None:
        """The resource at the root from now on; the site says so again whenever that changes. None:
        `resource` is read at every request.
        """
    def set_access_log(self, log: AccessLog | None) -> None: ...
    def set_metrics(self, metrics: Metrics | None) -> None: ...
    def set_log_hook(self, hook: Callable[[Request], object] | None) -> None:
        """Call `hook(request)` as each request finishes: for log formatters written in Python."""
    def start_draining(self) -> None:
        """From now on each response closes its connection, and idle connections are closed."""
    @property
    def draining(self) -> bool:
        """Whether `start_draining` was called."""
    @property
    def connections(self) -> int: ...
    @property
    def active_requests(self) -> int: ...
    @property
    def requests(self) -> int:
        """How many requests have been dealt with."""
    def request_of(self, coroutine: object) -> Request | None:
        """The request that the coroutine of a Task is at work for; None if that is not one of this site's."""

@final
class AccessLog:
    """Formats access lines and writes them to a file descriptor from a thread of its own."""

    def __new__(cls, fd: int, format: str) -> Self:
        """`format` is "combined" or "json". The descriptor is duplicated."""
    def flush(self) -> None:
        """Wait until all lines so far are written."""
    def close(self) -> None: ...

@final
class Metrics:
    """Counts finished requests in memory that is given, which other processes may read.

    `cells` is a writable buffer of CELLS native integers of 64 bits (format "Q"). Place 0 is the sum of
    durations in microseconds, 1 the bytes of bodies sent; from 2 on are the numbers of requests that took up
    to 1, 2.5, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10 s, and longer. From 32 on are 8 rows of 1000
    places for the status codes: of GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH and other methods. The places
    from 20 to 31 are not used. ValueError for another buffer."""

    CELLS: int

    def __new__(cls, cells: Any) -> Self: ...

@final
class Answer:
    """A whole response, made once and given many times: a render method may return one.

    `code` is the status (200 to 999), `fields` are (name, value) pairs, a name may come more than once;
    `body` is bytes. They count as if the program had set them, in place of a code and of fields of these
    names that it has set before. ValueError for another code, for a field that frames the message
    (Content-Length, Transfer-Encoding, Connection, Keep-Alive) and for a name that isn't a token.
    """

    def __new__(cls, code: int, fields: Iterable[tuple[_Text, _Text]], body: bytes) -> Self: ...
    @property
    def code(self) -> int: ...
    @property
    def fields(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def body(self) -> bytes: ...

@final
class Encoder:
    """Codes one body, of unknown length: `coding` is gzip, br or zstd. ValueError for another one, for a
    level it doesn't have, and after `finish`.
    """

    def __new__(cls, coding: str, level: int) -> Self: ...
    def encode(self, data: _Text | bytearray | memoryview) -> bytes:
        """Take a piece; returns what is complete by now."""
    def flush(self) -> bytes:
        """All that was taken so far comes out."""
    def finish(self) -> bytes:
        """The rest, and the end."""

@final
class FileBody:
    """Ranges of an open file, each after some bytes, as the rest of a response: a render method may return
    one.

    The descriptor `fd` is taken over, and closed when the last of it has been sent or the client has left.
    `parts` are (bytes, start, length). Their lengths are what the response announces: a file that grows is
    sent as far as was said, one that becomes shorter ends the connection. On a plain socket the kernel sends
    the file by itself. It is an iterator, too, of the bytes in pieces, for whoever wants to see them; what
    has been taken so is not sent. ValueError for a descriptor that can't be one, or a range beyond what files
    can have.
    """

    def __new__(cls, fd: int, parts: Sequence[tuple[bytes, int, int]]) -> Self: ...
    @property
    def length(self) -> int:
        """Bytes that are left."""
    def again(self, parts: Sequence[tuple[bytes, int, int]]) -> FileBody:
        """Other ranges of the same file, with the same descriptor; ValueError unless this is one range with
        nothing before it, all there.
        """
    def close(self) -> None:
        """Let the file go; again does nothing."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...

@final
class FileAnswer:
    """A whole file as the answer to a plain GET, to be given again: a render method may return one.

    `path` is where the file is, and `seen` what `os.lstat` found there. As long as it finds the same (device,
    inode, size, times of change), and `trust` has not run out, the engine gives the answer again by itself
    where a `FileCache` has it; and a 304 with the same fields, but those about the content, to a client whose
    If-None-Match has just the `ETag` among them. `fields` are those of `Answer`; `body` is bytes, or one
    range of the open file, which then stays open. ValueError as `Answer`, or for a path with a NUL.
    """

    def __new__(
        cls,
        path: str | bytes | os.PathLike[str],
        seen: os.stat_result,
        fields: Iterable[tuple[_Text, _Text]],
        body: bytes | FileBody,
    ) -> Self: ...
    def trust(self, seconds: float | None) -> None:
        """How long from now on it may be given without asking Python; None, as at first: for good."""
    def forget(self) -> None:
        """Let go of content and descriptor; it is not given any more."""

@final
class FileCache:
    """Answers of the files below one directory, by the rest of the path that was asked for.

    The engine finds it as `_ready` among an instance's own attributes. It uses it for plain GETs, where the
    instance's class has a dict `_kept` of its own (functions by name, all of which are still those of the
    class), and the instance's own `processors` are an empty dict. It fills it by itself: with a `FileAnswer`
    that was returned for a path of the same name as the file's, below the instance's `path`. Another state of
    the class empties it.
    """

    def __new__(cls) -> Self: ...
    def clear(self) -> None: ...
    def __len__(self) -> int: ...

@final
class ASGIApplication:
    """Calls an ASGI 3 application: makes the scope, and does what `receive` and `send` are to do.

    `resource` is asked for `cancelOnDisconnect` when a client leaves. `state` is copied for each request.
    `root_path` is put before the path that was asked for, and `raw_root_path`, the same percent-encoded,
    before the raw one.
    """

    def __new__(
        cls,
        app: Callable[..., object],
        resource: object,
        state: dict[str, Any],
        root_path: str,
        raw_root_path: bytes,
    ) -> Self: ...
    def __call__(self, request: Request) -> int:
        """Call the application for a request; returns NOT_DONE_YET. Raises `sennit.web.error.Error` (501) for
        a WebSocket.
        """

@final
class Connection:
    """One client connection, as a request's `channel` and `connection`."""

    def get_peer(self) -> _Address: ...
    def get_host(self) -> _Address: ...
    def is_secure(self) -> bool: ...
    def lose_connection(self) -> None:
        """Close when what is buffered has been sent."""
    def abort_connection(self) -> None:
        """Close at once, with a reset."""
    @property
    def disconnected(self) -> bool: ...

@disjoint_base
class Request:
    """The native part of a request and of the response that it also is.

    Subclasses add the rest of Twisted's interface in Python, and these hooks, which the engine calls:
    `_failed(exception, resource)` for whatever traversal or rendering raised; `_render_other(resource,
    result)` for a render result that is not bytes, str, an Answer, a FileBody, NOT_DONE_YET, a coroutine or
    an iterator; `_traverse_async(awaitable)`, an async method, for a child that must be awaited: returns the
    resource finally found; `_fire_finished()` once finished and `_connection_lost(reason)` when the client
    left ("done" or "lost"), both only while `_watched` is true. While `_gated` is true,
    `_gated_result(resource, result)` is called instead of sending a whole response or beginning a stream, and
    `_gated_write(data)`, `_gated_finish()` and `_gated_producer(producer, streaming)` for what is called in
    order to begin or to end it: they may do first what has to be done first. In `_context`, if there is one,
    iterators and producers of the response are asked for more.
    """

    method: bytes
    uri: bytes
    path: bytes
    clientproto: bytes
    prepath: list[bytes]
    postpath: list[bytes]
    sitepath: list[bytes]
    site: Any
    code: int
    code_message: bytes
    etag: bytes | None
    lastModified: int | None
    cookies: list[bytes]
    content: BinaryIO | None
    channel: Connection | Any | None
    _watched: bool
    _gated: bool
    _context: contextvars.Context | None
    requestHeaders: Headers
    responseHeaders: Headers

    def __new__(
        cls, channel: object = None, queued: object = None, *args: object, **kwargs: object
    ) -> Self: ...

    # what came in
    def _origin(self) -> tuple[tuple[str, int] | None, bool | None, bytes | None, int | None] | None:
        """What trusted proxies say of where the request came from: the client's address and port, whether
        over TLS, the host and the port that were asked for; None for what they don't say, and for all if the
        request has not come by a trusted proxy.
        """
    @property
    def connection(self) -> Connection | None:
        """The connection it came by, which `channel` is only until the response has ended; None for a
        request that was made by hand.
        """
    def getHeader(self, key: _Text) -> Any:
        """The last value of a request header in the type of `key`, None if absent."""
    def header_values(self, name: bytes) -> list[bytes]:
        """All values of a request header, whose name is in lower case, in their order."""
    @property
    def body_length(self) -> int | None:
        """Bytes of the body received so far."""
    @property
    def body_complete(self) -> bool: ...
    @property
    def duration(self) -> float | None:
        """Seconds since the request began; None where its site keeps no log of requests, and no time."""
    @property
    def disconnected_early(self) -> bool:
        """Whether the client left before the response was finished."""
    def read_body(self) -> bytes | None:
        """The next piece of a streamed body, b"" at its end, None if none is here yet.

        Sends `100 Continue` if the client waits for it. Raises `sennit.web.error.Error` (413, 408, 400) if
        the body was refused and ConnectionError if the client left.
        """
    def on_body(self, callback: Callable[[], object] | None) -> None:
        """Call `callback` once, as soon as `read_body` has something new to say, or at once."""

    # what goes out
    startedWriting: bool
    finished: bool
    sentLength: int
    chunked: bool
    def setResponseCode(self, code: int, message: _Text | None = None) -> None: ...
    def setHeader(self, name: _Text, value: _Text) -> None: ...
    def write(self, data: _Text) -> None: ...
    def finish(self) -> None: ...
    def writeInterim(
        self, code: int, headers: Headers | Mapping[Any, Any] | Iterable[tuple[_Text, _Text]] | None = None
    ) -> None: ...
    def setTrailer(self, name: _Text, value: _Text) -> None: ...
    def registerProducer(self, producer: Any, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def set_encoder(self, encoder: object) -> None:
        """Send the body through the program's own `encoder`: `encode(data)` and `finish()` return bytes."""
    def offer_codings(self, factories: tuple[object, ...]) -> None:
        """As `Service.set_encoders`, for this response."""
    @property
    def write_blocked(self) -> bool:
        """Whether more is buffered than the high-water mark."""
    def on_drain(self, callback: Callable[[], object] | None) -> None:
        """Call `callback` once, when the buffer has fallen below the low-water mark or the client has
        left.
        """
    def lose_connection(self) -> None: ...
    def abort_connection(self) -> None: ...
    def respond(self, result: object, resource: object = None) -> None:
        """Do with `result` what is done with the result of a render method."""
    def traverse(self, resource: object) -> Any:
        """Walk `postpath` from `resource`; returns the resource found (or an awaitable of it)."""
    def process_stock(self) -> None:
        """Traverse from the site's root and render: what `server.Request.process` does."""
    def render_stock(self, resource: object) -> None:
        """Render `resource` and do with the result what is to be done."""
    @property
    def unwalked_path(self) -> bytes:
        """The part of the path, quoted and with its first slash, that was left to a resource that passes it
        on to another server; b"" if none was.
        """
    def forward(self, forward: Forward) -> bool:
        """Pass the request on and the answer back; the body is read as it comes if nothing has collected it.
        An upstream's fault is answered by `_failed` with a 502 or 504. Returns whether that is done: not if
        the response is gated, has an encoder, or the class a `write` or `finish` of its own. Raises
        `sennit.web.error.Error` for a CONNECT (501). The engine does this without calling it, unless there
        is a `_context`.
        """
    def start_task(
        self, coroutine: object, resource: object = None, cancel_on_disconnect: bool = True
    ) -> None:
        """Run a coroutine for this request, eagerly where Python can; its result goes to `respond`, its
        exception to `_failed`; it is cancelled when the client leaves.
        """

@final
class Upstream:
    """A server that requests are passed on to, and the connections to it that are kept for the next request.

    `label` is its name in the log. `address` is where it is, as the socket module has it (a path for a UNIX
    socket); without one, `resolve(upstream)` is called when it must be found out, and calls `set_addresses`
    or `not_found` sooner or later. `max_idle` connections are kept at rest, each for `idle_timeout` seconds;
    there are at most `max_connections` at a time, and further requests wait for one. `connect_timeout` and
    `read_timeout` (seconds without a byte, either way) end in a 504. None: no limit.
    """

    def __new__(
        cls,
        label: str,
        address: _Address = None,
        resolve: Callable[[Upstream], object] | None = None,
        *,
        max_idle: int = 64,
        max_connections: int | None = None,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        idle_timeout: float | None = None,
    ) -> Self: ...
    @property
    def label(self) -> str: ...
    def set_addresses(self, addresses: Iterable[_Address], time_to_live: float | None = None) -> None:
        """Say where it is, in the order they are to be tried, for so many seconds."""
    def not_found(self, reason: str) -> None:
        """Say that its name has no address."""
    @property
    def connections(self) -> int:
        """Connections that are open or being opened."""
    @property
    def idle(self) -> int:
        """Those of them that no request uses."""
    def close_idle(self) -> None: ...

@final
class Forward:
    """How requests are passed on: to `upstream`, with targets that begin with `path` (str or bytes, quoted).

    `host` is the value of Host, None for the client's own. `forwarding` says what the upstream is told of the
    client: "replace" (ours in place of the client's X-Forwarded fields and Forwarded), "append" (ours behind
    those) or "off".
    """

    def __new__(cls, upstream: Upstream, path: _Text, host: _Text | None, forwarding: str) -> Self: ...

@final
class Channel:
    """A connection without a socket: bytes are given to it and taken from it (tests, fuzzers, foreign
    transports).
    """

    def __new__(
        cls, service: Service, peer: _Address = None, host: _Address = None, secure: bool = False
    ) -> Self: ...
    def receive(self, data: bytes) -> None: ...
    def receive_eof(self) -> None: ...
    def disconnect(self) -> None:
        """The peer is gone, both ways."""
    def data_to_send(self) -> bytes: ...
    def tick(self, seconds: float) -> None:
        """Let `seconds` pass for this connection's time-outs."""
    @property
    def closed(self) -> bool: ...

@final
class Engine:
    """Listening sockets, connections and their timers, served inside the calling thread."""

    def __new__(cls) -> Self: ...
    def fileno(self) -> int: ...
    def add_listener(self, fd: int, service: Service, accepts_per_turn: int = 64) -> int:
        """Serve what is accepted from a bound and listening socket; takes the descriptor over, returns an
        id.

        `accepts_per_turn` is how many connections are accepted in a row: few, where other processes accept
        from the same socket, so that none takes them all.
        """
    def remove_listener(self, listener: int) -> None:
        """Stop accepting and close the listening socket; connections go on."""
    def add_connection(self, fd: int, service: Service) -> None:
        """Serve a connected socket; takes the descriptor over."""
    def watch(self, fd: int, mask: int) -> None:
        """Wait for a foreign descriptor too (1 read, 2 write: selectors.EVENT_*); again to change the
        mask.
        """
    def unwatch(self, fd: int) -> None: ...
    def wait(self, timeout: float | None, ready: object, scheduled: object) -> list[tuple[int, int]]:
        """Serve until a foreign descriptor is ready, `timeout` seconds have passed, or a handler has given
        work: `ready` is no longer empty, or `scheduled` has another length; returns (fd, mask) pairs.
        """
    def poll(self) -> None:
        """Serve one batch without waiting: what a foreign loop calls when `fileno` is readable."""
    def set_flush_hook(self, hook: Callable[[Callable[[], None]], object] | None) -> None:
        """`hook(flush)` is called once when output was made outside of `poll` (a foreign loop gives its
        call_soon).
        """
    def tick(self) -> float | None:
        """Run time-outs that are due; returns seconds until it should be called again, None if there is
        nothing to time.
        """
    def close_idle(self, service: Service | None = None, seconds: float = 0.0) -> None:
        """Close connections that have waited for a request for at least `seconds`."""
    def abort_connections(self, service: Service | None = None) -> None: ...
    @property
    def connections(self) -> int: ...
    def close(self) -> None: ...

@disjoint_base
class EventLoopBase:
    """The native part of `sennit.internet._engine_loop.EngineLoop`: asyncio's methods that queue calls, and
    its `_run_once`.

    What a callback raises goes to the subclass's `_reportFailure(handle, callback, arguments, exception)`,
    descriptors that are ready to `_serveDescriptors([(fd, mask), ...])`.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    def _setUp(self, engine: Engine) -> tuple[ReadyHandles, ScheduledHandles]:
        """Called once: wait in `engine`. Gives what is to be the loop's `_ready` and `_scheduled`."""
    def _end(self) -> None:
        """The loop is closed: refuse new calls."""
    def time(self) -> float:
        """Seconds of `time.monotonic`."""
    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: contextvars.Context | None = None
    ) -> Handle: ...
    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> TimerHandle: ...
    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> TimerHandle:
        """Timers of the same time are called in the order in which they were made."""
    def create_future(self) -> asyncio.Future[Any]: ...
    def _call_soon(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> Handle: ...
    def _waitForWork(self) -> None:
        """Serve in the engine until there is something to call, and put timers that are due among the ready
        handles.
        """
    def _run_once(self) -> None:
        """One turn: `_waitForWork`, and the calls that are ready then."""

@disjoint_base
class Handle(asyncio.Handle):
    """What `EventLoopBase.call_soon` returns; `isinstance` takes it for an `asyncio.Handle`."""

    # asyncio's own has it from Python 3.12 on.
    def get_context(self) -> contextvars.Context: ...

@final
class TimerHandle(asyncio.TimerHandle):
    """What `EventLoopBase.call_later` returns; `isinstance` takes it for an `asyncio.TimerHandle`.

    Timers are in the order of their times, and each is equal to itself alone.
    """

    def __lt__(self, other: asyncio.TimerHandle, /) -> bool: ...
    def __le__(self, other: asyncio.TimerHandle, /) -> bool: ...
    def __gt__(self, other: asyncio.TimerHandle, /) -> bool: ...
    def __ge__(self, other: asyncio.TimerHandle, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ReadyHandles:
    """What is to be called in a loop's next turn, with as much of a deque as asyncio itself uses."""

    def append(self, handle: asyncio.Handle) -> None: ...
    def popleft(self) -> asyncio.Handle: ...
    def clear(self) -> None: ...
    def __len__(self) -> int: ...

@final
class ScheduledHandles:
    """A loop's timers."""

    def append(self, handle: asyncio.TimerHandle) -> None: ...
    def clear(self) -> None: ...
    def __len__(self) -> int: ...

@disjoint_base
class WSGIGateway:
    """The native part of `sennit.web.wsgi.WSGIResource`: calls an application and sends what it gives.

    In threads, the engine calls these methods of the subclass: `_lendThread(session)` to have a pool call
    `session`; `_wayBack()` for what calls functions in the loop (see `sennit.web._wsgiinput.WayBack`);
    `_inputOf(request, way)` for the file object of a body that is large or still coming; and, in the loop,
    `_failInLoop(request, exception)` for what the application has raised.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    def set_up(
        self,
        application: Callable[..., Iterable[bytes]],
        constant: dict[str, Any],
        log: Callable[[str], object],
        *,
        in_threads: bool,
        host: Any = None,
    ) -> None:
        """Called once. `constant` goes into each environ, `log` is called with each line that the application
        writes to `wsgi.errors`; `host` is a pool of ours, which can ask for its threads back.
        """
    def render(self, request: Any) -> Any:
        """Start the application; the rest is `NOT_DONE_YET`, or an iterator of pieces."""
