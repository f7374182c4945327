"""Templates as responses."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from sennit.internet.defer import Deferred
from sennit.web import _template_render
from sennit.web.error import Error
from sennit.web.server import NOT_DONE_YET, Site
from sennit.web.template import Element, Tag, TagLoader, renderElement, renderer, tags
from sennit.web.testing import AsyncTestClient, TestClient
from tests.unit.web.doubles import Calls, clientOf


class Bare:
    """The least that a request can be, as tests of programs have it."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def write(self, data: bytes) -> None:
        self.events.append(data)

    def setResponseCode(self, code: int) -> None:
        self.events.append(code)

    def finish(self) -> None:
        self.events.append("finish")


@pytest.mark.parametrize(
    ("doctype", "prelude"),
    [(b"<!DOCTYPE html>", b"<!DOCTYPE html>\n"), ("<!DOCTYPE é>", "<!DOCTYPE é>\n".encode()), (None, b"")],
)
def test_page_follows_its_doctype(doctype: Any, prelude: bytes) -> None:
    with clientOf(lambda request: renderElement(request, tags.p("x"), doctype)) as client:
        response = client.get("/")
    assert response.code == 200
    assert response.body == prelude + b"<p>x</p>"
    assert response.header("Content-Type") == "text/html"


def test_complete_page_has_its_length() -> None:
    with clientOf(lambda request: renderElement(request, tags.p("x"))) as client:
        assert client.get("/").header("Content-Length") == "24"
        assert client.head("/").body == b""


def test_not_done_yet_is_returned() -> None:
    request = Bare()
    assert renderElement(request, tags.p()) == NOT_DONE_YET
    assert request.events == [b"<!DOCTYPE html>\n<p></p>", "finish"]


def test_page_that_waits_is_sent_in_pieces() -> None:
    async def late() -> str:
        await asyncio.sleep(0.01)
        return "late"

    with (
        clientOf(lambda request: renderElement(request, tags.p("soon ", late()))) as client,
        client.stream("GET", "/") as response,
    ):
        pieces = list(response.pieces())
    assert pieces[0] == b"<!DOCTYPE html>\n<p>soon "
    assert b"".join(pieces).endswith(b"<p>soon late</p>")


def test_page_written_to_before_is_continued() -> None:
    def answer(request: Any) -> int:
        request.write("<!-- first -->")
        return renderElement(request, tags.p())

    with clientOf(answer) as client:
        assert client.get("/").body == b"<!-- first --><!DOCTYPE html>\n<p></p>"


def test_large_page_is_made_as_fast_as_it_is_taken() -> None:
    made: list[int] = []

    def rows() -> Iterator[str]:
        for number in range(10_000):
            made.append(number)
            yield "x" * 1000

    async def run() -> int:
        site = Site(Calls(lambda request: renderElement(request, rows())))
        async with AsyncTestClient(site) as client, client.stream("GET", "/") as response:
            pieces = response.pieces()
            await anext(pieces)
            made_by_then = len(made)
            rest = [piece async for piece in pieces]
            assert rest
        return made_by_then

    assert asyncio.run(run()) < 2000
    assert len(made) == 10_000


def test_endless_page_ends_when_the_client_leaves() -> None:
    closed: list[bool] = []

    def rows() -> Iterator[str]:
        try:
            while True:
                yield "x" * 1000
        finally:
            closed.append(True)

    with clientOf(lambda request: renderElement(request, rows())) as client:
        with client.stream("GET", "/") as response:
            next(response.pieces())
        client.wait(0.01)
    assert closed == [True]


def test_renderer_is_cancelled_when_the_client_leaves() -> None:
    cancelled: list[Any] = []
    waiting: Deferred[str] = Deferred(cancelled.append)
    with clientOf(lambda request: renderElement(request, tags.p("x", waiting))) as client:
        with client.stream("GET", "/") as response:
            next(response.pieces())
        client.wait()
    assert cancelled == [waiting]


class Broken(Element):
    """Fails in its renderer. The exception is made there: one that is kept would keep the request."""

    def __init__(self, kind: type[Exception], detail: Any) -> None:
        super().__init__(TagLoader(tags.p("before ", tags.b(render="fails"))))
        self.kind = kind
        self.detail = detail

    @renderer
    def fails(self, request: Any, tag: Tag) -> Tag:
        raise self.kind(self.detail)


def test_mistake_before_anything_was_sent_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    with clientOf(lambda request: renderElement(request, Broken(LookupError, "secret"))) as client:
        response = client.get("/")
    assert response.code == 500
    assert b"before" not in response.body
    assert b"secret" not in response.body
    assert "LookupError: secret" in caplog.text
    assert "in fails" in caplog.text


def test_traceback_is_shown_to_developers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    site = Site(Calls(lambda request: renderElement(request, Broken(LookupError, "<secret>"))))
    site.displayTracebacks = True
    with TestClient(site) as client:
        response = client.get("/")
    assert response.code == 500
    assert b"LookupError: &lt;secret&gt;" in response.body


def test_error_in_renderer_answers_with_its_code() -> None:
    with clientOf(lambda request: renderElement(request, Broken(Error, 404))) as client:
        assert client.get("/").code == 404


async def partly() -> AsyncIterator[Any]:
    yield "begun "
    await asyncio.sleep(0.01)
    yield Broken(LookupError, "<secret>")


async def receivedFrom(site: Site) -> bytes:
    """Everything that is sent over a real connection until it is closed."""
    async with site.start() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await writer.wait_closed()
    return received


@pytest.mark.parametrize(
    ("tracebacks", "notice"), [(False, b"An error occurred"), (True, b"LookupError: &lt;secret&gt;")]
)
def test_mistake_after_the_beginning_is_told_and_cuts(
    monkeypatch: pytest.MonkeyPatch, tracebacks: bool, notice: bytes
) -> None:
    # Records that pytest keeps of the log would keep the request, and the site would wait for it.
    logged: list[str] = []
    monkeypatch.setattr(
        _template_render._logger, "error", lambda text, request, exc_info: logged.append(str(exc_info))
    )
    site = Site(Calls(lambda request: renderElement(request, partly())))
    site.displayTracebacks = tracebacks
    received = asyncio.run(receivedFrom(site))
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"begun " in received
    assert b"<p>before " in received
    assert notice in received
    # Without the last chunk (RFC 9112 section 8), the client sees that something is missing.
    assert not received.endswith(b"0\r\n\r\n")
    assert "LookupError: <secret>" in logged[0]


def test_bare_request_gets_the_notice(caplog: pytest.LogCaptureFixture) -> None:
    request = Bare()
    renderElement(request, Broken(LookupError, "secret"))
    assert request.events[0] == 500
    assert b"An error occurred" in request.events[1]
    assert request.events[-1] == "finish"
    assert "secret" in caplog.text
