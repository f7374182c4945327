"""A request without a connection, for unit tests of resources."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Iterable, Iterator, Sequence
from inspect import iscoroutine
from io import BytesIO
from typing import Any

from sennit._engine import Answer
from sennit.internet.address import IPv4Address
from sennit.internet.defer import Deferred, ensureDeferred, succeed
from sennit.internet.error import ConnectionDone
from sennit.internet.task import Clock
from sennit.python.failure import Failure
from sennit.web._parsing import quote
from sennit.web._testconnection import toFields
from sennit.web.http_headers import Headers
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Request, Site

_PIECE = 65536


def _bytes(text: bytes | str) -> bytes:
    return text.encode("utf-8") if isinstance(text, str) else text


class DummyRequest(Request):
    """A request that is made by hand, and remembers what a resource does with it.

    `postpath` are the segments (bytes or str) that are left to be walked; `session` is what `getSession`
    gives, `client` the address (an IAddress) that it comes from. `uri` is made of the segments unless it is
    given; its query gives the `args`, and so does a `body` that is a form. `headers` are the request's, in
    any form that `TestClient` takes.

    Afterwards `responseCode` is the code that was set, or None; `code` the one that would be sent;
    `responseHeaders` has the headers that were set, `written` the pieces (bytes) that were, and `finished`
    how often `finish` was called.
    """

    # All of these are the engine's otherwise, and tell of a connection.
    finished: int = 0  # type: ignore[assignment]
    startedWriting: bool = False
    disconnected_early: bool = False
    session: Any = None

    responseCode: int | None = None
    responseMessage: bytes | None = None

    def __init__(
        self,
        postpath: Sequence[bytes | str] = (),
        session: Any = None,
        client: Any = None,
        *,
        method: bytes | str = b"GET",
        uri: bytes | str | None = None,
        headers: Any = (),
        body: bytes | str = b"",
        site: Any = None,
        secure: bool = False,
    ) -> None:
        self.postpath = [_bytes(segment) for segment in postpath]
        self.prepath = []
        self.sitepath = []
        self.method = _bytes(method)
        self.uri = b"/" + b"/".join(map(quote, self.postpath)) if uri is None else _bytes(uri)
        self.path = self.uri.partition(b"?")[0]
        self.clientproto = b"HTTP/1.1"
        self.requestHeaders = Headers()
        for name, value in toFields(headers):
            self.requestHeaders.addRawHeader(name, value)
        self.responseHeaders = Headers()
        self.content = BytesIO(_bytes(body))
        # A clock that stands still, so that no timer of a session outlives the test.
        self.site = Site(Resource(), reactor=Clock()) if site is None else site
        self.client = IPv4Address("TCP", "127.0.0.1", 50000) if client is None else client
        self.host = IPv4Address("TCP", "127.0.0.1", 443 if secure else 80)
        self.written: list[bytes] = []
        self.producer: Any = None
        self._claimsSecurity = secure
        self._givenSession = session
        self._tasks: list[Deferred[Any]] = []

    # What came in

    def addArg(self, name: bytes | str, value: bytes | str) -> None:
        """Set an argument to one value."""
        self.args = {**self.args, _bytes(name): [_bytes(value)]}

    def getRequestHostname(self) -> bytes:
        """The host of the Host header, `dummy` if there is none."""
        return super().getRequestHostname() if self.requestHeaders.hasHeader(b"host") else b"dummy"

    def read_body(self) -> bytes:
        """The next piece of the body, for `stream`."""
        assert self.content is not None
        return self.content.read(_PIECE)

    def getSession(self, sessionInterface: Any = None, forceNotSecure: bool = False) -> Any:
        """The session that was given, else a new one, or its component for an interface."""
        if self.session is None:
            assert not self.written, "a session can't be asked for any more: its cookie is a header"
            self.session = self.site.makeSession() if self._givenSession is None else self._givenSession
        return self.session if sessionInterface is None else self.session.getComponent(sessionInterface)

    # What goes out

    @property
    def responseBody(self) -> bytes:
        """All that was written."""
        return b"".join(self.written)

    def setResponseCode(self, code: int, message: bytes | str | None = None) -> None:
        """Remember the code, and the reason if there is one. AssertionError after the first `write`: the code
        is on its way then."""
        assert not self.written, "the code can't be set any more: something was written already"
        super().setResponseCode(code, message)
        self.responseCode = code
        self.responseMessage = self.code_message if message is not None else None

    def write(self, data: bytes | str) -> None:
        """Remember a piece of the body. RuntimeError after `finish`; nothing happens after `disconnect`."""
        if self.finished:
            raise RuntimeError("write was called after finish")
        if not isinstance(data, bytes | str):
            raise TypeError(f"bytes or str can be written, not {data!r}")
        self.startedWriting = True
        if not self.disconnected_early:
            self.written.append(_bytes(data))

    def finish(self) -> None:
        """Count, and fire the Deferreds of `notifyFinish`."""
        if not self.disconnected_early:
            self.finished += 1
            self._fire_finished()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let a pull producer produce until it unregisters itself; a push producer is only remembered, as
        `producer`."""
        if self.producer is not None:
            raise ValueError(f"{self.producer!r} is registered already")
        self.producer = producer
        while not streaming and self.producer is not None:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.producer = None

    def disconnect(self) -> None:
        """The client leaves: what still works for the request is cancelled."""
        self.processingFailed(Failure(ConnectionDone()))

    lose_connection = abort_connection = disconnect

    def processingFailed(self, reason: Failure) -> Failure:
        """The client leaves, for a reason of one's own: the Deferreds of `notifyFinish` fail with it."""
        self.disconnected_early = True
        waiting, self._notifications = self.notifications, None
        for ended in waiting:
            ended.errback(reason)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        return reason

    # Rendering

    def render(self, resrc: Any) -> Deferred[None]:  # type: ignore[override]
        """Have a resource answer, and do with what it returns what would be done with it.

        What it raises is raised here. Returns a Deferred that fires when all that it returned has been
        written, and fails with what came up on the way; a coroutine is run to its end before, if no event
        loop is running.
        """
        return self._answer(resrc.render(self))

    def respond(self, result: object, resource: object = None) -> None:
        """Do with `result` what is done with the result of a render method."""
        self._answer(result)

    def start_task(self, coroutine: Any, resource: object = None, cancel_on_disconnect: bool = True) -> None:
        """Run a coroutine; its result is the response."""
        self._run(coroutine)

    def _answer(self, result: Any) -> Deferred[None]:
        if isinstance(result, Deferred):
            self._tasks.append(result)
            return result.addCallback(self._answer)
        if iscoroutine(result) or isinstance(result, AsyncIterable | Awaitable):
            return self._run(self._outcomeOf(result))
        if result is not NOT_DONE_YET:
            self._send(result)
        return succeed(None)

    def _run(self, work: Any) -> Deferred[None]:
        if asyncio._get_running_loop() is None:
            with asyncio.Runner() as runner:
                return self._answer(runner.run(work))
        task = ensureDeferred(work)
        self._tasks.append(task)
        return task.addCallback(self._answer)

    async def _outcomeOf(self, result: Any) -> Any:
        if not isinstance(result, AsyncIterable):
            return await result
        async for piece in result:
            self.write(piece)
        self.finish()
        return NOT_DONE_YET

    def _send(self, result: Any) -> None:
        if isinstance(result, Answer):
            self.setResponseCode(result.code)
            for name, _ in result.fields:
                self.responseHeaders.removeHeader(name)
            for name, value in result.fields:
                self.responseHeaders.addRawHeader(name, value)
            self.write(result.body)
        elif isinstance(result, bytes | str):
            self.write(result)
        elif isinstance(result, Iterator):
            self._sendPieces(result)
        else:
            raise TypeError(f"a render method doesn't return {result!r}")
        self.finish()

    def _sendPieces(self, pieces: Iterable[bytes | str]) -> None:
        try:
            for piece in pieces:
                self.write(piece)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
