"""Test clients: requests to a site in this process, through the real engine, without sockets.

    client = TestClient(Site(root))
    response = client.get("/buy")
    assert response.code == 402

`TestClient` is for plain tests and has an event loop of its own; `AsyncTestClient` is for tests that run in
one. `DummyRequest` is a request for tests of single resources, without a site.
"""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar, Unpack

from sennit.web._dummyrequest import DummyRequest
from sennit.web._factory import HTTPFactory
from sennit.web._requestbodies import Body, RequestContent, encodeBody
from sennit.web._responses import BrokenResponse, Head, ResponseReader
from sennit.web._testconnection import Connection, CookieJar, redirection, requestHead, toFields
from sennit.web._testoptions import BodyOptions, ClientOptions, End, File, HeaderInput, RequestOptions
from sennit.web.http_headers import Headers

__all__ = ["AsyncTestClient", "BrokenResponse", "DummyRequest", "Response", "StreamedResponse", "TestClient"]

_T = TypeVar("_T")

_REDIRECTS = 10


class Response:
    """A whole response: `code` (int), `reason` and `body` (bytes), `headers` and `trailers` (`Headers`),
    `interim` (the 1xx responses before it, each with `code`, `reason` and `headers`), `version` (bytes),
    `target` (what was asked for) and `history` (the redirects that were followed)."""

    def __init__(self, target: str, reader: ResponseReader, head: Head, body: bytes) -> None:
        self.target = target
        self.version = head.version
        self.code = head.code
        self.reason = head.reason
        self.headers = head.headers
        self.trailers = reader.trailers
        self.interim = reader.interim
        self.body = body
        self.history: list[Response] = []

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by commas; None without one."""
        values = self.headers.getRawHeaders(name)
        return None if values is None else ", ".join(values)

    @property
    def text(self) -> str:
        """The body as text, in the charset of its Content-Type, else UTF-8."""
        _, _, charset = (self.header("Content-Type") or "").lower().partition("charset=")
        return self.body.decode(charset.partition(";")[0].strip('" ') or "utf-8", "replace")

    def json(self) -> Any:
        """The value that the body has as JSON."""
        import json

        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<Response {self.code} to {self.target!r}, {len(self.body)} bytes>"


class StreamedResponse:
    """A response whose head is here, and whose body comes as it is asked for. Attributes as of `Response`."""

    def __init__(self, target: str, connection: Connection, reader: ResponseReader, head: Head) -> None:
        self.target = target
        self.version = head.version
        self.code = head.code
        self.reason = head.reason
        self.headers = head.headers
        self.interim = reader.interim
        self._connection = connection
        self._reader = reader

    @property
    def trailers(self) -> Headers:
        """The trailers, complete once the body is."""
        return self._reader.trailers

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body in pieces, as the server sends it."""
        while piece := await self._connection.nextPiece(self._reader):
            yield piece

    async def read(self) -> bytes:
        """The rest of the body."""
        return b"".join([piece async for piece in self.pieces()])

    def disconnect(self) -> None:
        """Go away now, without waiting for the rest."""
        self._connection.disconnect()


class AsyncTestClient:
    """Sends requests to a site, in the running event loop. Cookies are kept from one request to the next.

    `headers` are sent with every request; `peer` and `host` are the two ends of the connection, (ip, port) or
    the path of a UNIX socket; `secure` makes it look like TLS; `version` is "1.1" or "1.0"; `timeout` is how
    many seconds to wait for the server's next bytes before TimeoutError; `maxRedirects` is how many are
    followed, if they are, before BrokenResponse. `cookies` are those to be sent, a dict of names to values
    that also knows, of the ones that came with responses, where they are to be sent to.
    """

    __test__ = False

    def __init__(
        self,
        site: HTTPFactory,
        *,
        headers: HeaderInput = (),
        peer: End = ("127.0.0.1", 50000),
        host: End = ("127.0.0.1", 80),
        secure: bool = False,
        version: str = "1.1",
        timeout: float = 10.0,
        maxRedirects: int = _REDIRECTS,
    ) -> None:
        self.site = site
        self.headers = toFields(headers)
        self.cookies = CookieJar()
        self.timeout = timeout
        self.maxRedirects = maxRedirects
        self._ends = (peer, host, secure)
        self._version = version
        self._idle: list[Connection] = []

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: HeaderInput = (),
        body: Body = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        files: Mapping[str, File | Sequence[File]] | None = None,
        followRedirects: bool = False,
    ) -> Response:
        """Send a request and wait for the whole response.

        `body` is bytes, str, or a (sync or async) iterable of them, which is sent chunked, piece by piece.
        `json` is sent as JSON; `form` as an urlencoded form, or with `files` as a multipart one. `files` maps
        names of fields to files: bytes, open binary files, or (file name, one of these) with the media type
        as a third, if there is one; or a list of several of these. Raises BrokenResponse for what is no
        response.
        """
        content = encodeBody(body, json, form, files)
        response = await self._exchange(method, target, toFields(headers), content)
        history: list[Response] = []
        while followRedirects and (step := redirection(response, method)) is not None:
            if len(history) >= self.maxRedirects:
                raise BrokenResponse(f"more than {self.maxRedirects} redirects: {response.target}")
            history.append(response)
            method, target, keepsBody = step
            content = content if keepsBody else RequestContent()
            response = await self._exchange(method, target, toFields(headers), content)
        response.history = history
        return response

    async def get(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a GET request; options as of `request`."""
        return await self.request("GET", target, **options)

    async def head(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a HEAD request."""
        return await self.request("HEAD", target, **options)

    async def post(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a POST request."""
        return await self.request("POST", target, **options)

    async def put(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PUT request."""
        return await self.request("PUT", target, **options)

    async def patch(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PATCH request."""
        return await self.request("PATCH", target, **options)

    async def delete(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a DELETE request."""
        return await self.request("DELETE", target, **options)

    async def options(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send an OPTIONS request."""
        return await self.request("OPTIONS", target, **options)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        target: str,
        *,
        headers: HeaderInput = (),
        body: Body = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        files: Mapping[str, File | Sequence[File]] | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        """Send a request and wait for the head of the response; what of the body is not read by the end of
        the `async with` block is given up by going away. Options as of `request`."""
        connection = self._connect()
        try:
            content = encodeBody(body, json, form, files)
            reader = await self._send(connection, method, target, toFields(headers), content)
            head = await connection.waitForHead(reader)
            self.cookies.learn(head.headers, target)
            yield StreamedResponse(target, connection, reader, head)
        finally:
            connection.disconnect()

    async def close(self) -> None:
        """Close the connections that were kept."""
        for connection in self._idle:
            connection.disconnect()
        self._idle.clear()

    async def __aenter__(self) -> "AsyncTestClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def _connect(self) -> Connection:
        return Connection(self.site.engineService(), *self._ends, timeout=self.timeout)

    async def _exchange(
        self, method: str, target: str, headers: list[tuple[bytes, bytes]], content: RequestContent
    ) -> Response:
        connection = self._idle.pop() if self._idle else self._connect()
        if connection.closed:
            connection = self._connect()
        try:
            reader = await self._send(connection, method, target, headers, content)
            head = await connection.waitForHead(reader)
            pieces: list[bytes] = []
            while piece := await connection.nextPiece(reader):
                pieces.append(piece)
        except BaseException:
            connection.disconnect()
            raise
        if reader.reusable and not connection.closed:
            self._idle.append(connection)
        else:
            connection.disconnect()
        self.cookies.learn(head.headers, target)
        return Response(target, reader, head, b"".join(pieces))

    async def _send(
        self,
        connection: Connection,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        content: RequestContent,
    ) -> ResponseReader:
        cookies = self.cookies.fields(target, secure=bool(self._ends[2]))
        fields = [*cookies, *content.fields, *self.headers, *headers]
        reader = ResponseReader(method.encode("ascii"))
        await connection.send(requestHead(method, target, self._version, fields), content, reader)
        return reader


class SyncStreamedResponse:
    """A `StreamedResponse` for plain code: `pieces` is an ordinary iterator. Other attributes as there."""

    def __init__(self, response: StreamedResponse, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.target = response.target
        self.version = response.version
        self.code = response.code
        self.reason = response.reason
        self.headers = response.headers
        self.interim = response.interim
        self._response = response
        self._run = run

    @property
    def trailers(self) -> Headers:
        """The trailers, complete once the body is."""
        return self._response.trailers

    def pieces(self) -> Iterator[bytes]:
        """The body in pieces, as the server sends it."""
        response = self._response
        while piece := self._run(response._connection.nextPiece(response._reader)):
            yield piece

    def read(self) -> bytes:
        """The rest of the body."""
        return b"".join(self.pieces())

    def disconnect(self) -> None:
        """Go away now, without waiting for the rest, and let the server notice."""
        # In the loop, as a server's connections end.
        self._run(_disconnect(self._response))


class TestClient:
    """Sends requests to a site, from plain code, in an event loop of its own. Arguments as of
    `AsyncTestClient`.

    What the site does in the background goes on while a request runs, or during `wait`.
    """

    __test__ = False

    def __init__(self, site: HTTPFactory, **options: Unpack[ClientOptions]) -> None:
        self._client = AsyncTestClient(site, **options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closeLoop: Callable[[], object] | None = None

    @property
    def site(self) -> HTTPFactory:
        """The site that is asked."""
        return self._client.site

    @property
    def cookies(self) -> CookieJar:
        """Names to values of the cookies that are sent, a dict."""
        return self._client.cookies

    def request(self, method: str, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a request and wait for the whole response; see `AsyncTestClient.request`."""
        return self._run(self._client.request(method, target, **options))

    def get(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a GET request; options as of `request`."""
        return self.request("GET", target, **options)

    def head(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a HEAD request."""
        return self.request("HEAD", target, **options)

    def post(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a POST request."""
        return self.request("POST", target, **options)

    def put(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PUT request."""
        return self.request("PUT", target, **options)

    def patch(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PATCH request."""
        return self.request("PATCH", target, **options)

    def delete(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a DELETE request."""
        return self.request("DELETE", target, **options)

    def options(self, target: str, **options: Unpack[RequestOptions]) -> Response:
        """Send an OPTIONS request."""
        return self.request("OPTIONS", target, **options)

    def stream(
        self, method: str, target: str, **options: Unpack[BodyOptions]
    ) -> AbstractContextManager[SyncStreamedResponse]:
        """Send a request and wait for the head of the response; see `AsyncTestClient.stream`."""
        return self._stream(method, target, options)

    @contextmanager
    def _stream(self, method: str, target: str, options: BodyOptions) -> Iterator[SyncStreamedResponse]:
        streaming = self._client.stream(method, target, **options)
        response = self._run(streaming.__aenter__())
        try:
            yield SyncStreamedResponse(response, self._run)
        finally:
            self._run(streaming.__aexit__(None, None, None))
            self._run(_settle())

    def wait(self, seconds: float = 0.0) -> None:
        """Let the site's background work go on for so long."""
        self._run(asyncio.sleep(seconds))
        self._run(_settle())

    def close(self) -> None:
        """Close connections and event loop; work that still waits in it is cancelled."""
        if self._closeLoop is not None:
            self._run(self._client.close())
            self._closeLoop()
            self._loop = self._closeLoop = None

    def __enter__(self) -> "TestClient":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        if asyncio._get_running_loop() is not None:
            work.close()
            raise RuntimeError(
                "TestClient can't be used in a running event loop: AsyncTestClient is for that"
            )
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._closeLoop = weakref.finalize(self, _closeLoop, self._loop)
        return self._loop.run_until_complete(work)


async def _disconnect(response: StreamedResponse) -> None:
    response.disconnect()
    await _settle()


async def _settle() -> None:
    """Let the loop run what is ready, and what becomes ready by that."""
    for _ in range(5):
        await asyncio.sleep(0)


def _closeLoop(loop: asyncio.AbstractEventLoop) -> None:
    if asyncio._get_running_loop() is not None:
        # A client that was forgotten and collected while another loop runs: its own can't run any more.
        loop.close()
        return
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
