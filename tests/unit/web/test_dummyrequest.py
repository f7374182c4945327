"""The request double, as tests of resources use it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from zope.interface import Interface

from sennit.internet.address import IPv4Address
from sennit.internet.defer import Deferred, fail, succeed
from sennit.internet.error import ConnectionDone
from sennit.python.failure import Failure
from sennit.web import error, http, pages, static, template
from sennit.web.resource import Resource, getChildForRequest
from sennit.web.server import NOT_DONE_YET, Answer, Session, Site
from sennit.web.test import requesthelper
from sennit.web.testing import DummyRequest
from tests.unit.web.doubles import Calls


def rendered(result: Any, **options: Any) -> DummyRequest:
    """A request that a resource has answered with `result`."""
    request = DummyRequest(**options)
    request.render(Calls(lambda request: result))
    return request


def test_it_can_be_imported_from_twisteds_place() -> None:
    assert requesthelper.DummyRequest is DummyRequest


class TestRequest:
    def test_defaults(self) -> None:
        request = DummyRequest()
        assert (request.method, request.uri, request.path) == (b"GET", b"/", b"/")
        assert (request.args, request.prepath, request.postpath) == ({}, [], [])
        assert (request.written, request.finished, request.responseCode, request.code) == ([], 0, None, 200)
        assert list(request.responseHeaders.getAllRawHeaders()) == []
        assert request.getClientAddress() == IPv4Address("TCP", "127.0.0.1", 50000)
        assert request.getRequestHostname() == b"dummy"
        assert not request.isSecure()

    def test_what_was_given(self) -> None:
        client = IPv4Address("TCP", "192.0.2.7", 1)
        request = DummyRequest(
            ["a b", b"c"],
            client=client,
            method="PUT",
            headers={"Host": "x.org:8", "Cookie": "a=b"},
            secure=True,
        )
        assert (request.method, request.path, request.postpath) == (b"PUT", b"/a%20b/c", [b"a b", b"c"])
        assert (request.getHeader("host"), request.getRequestHostname()) == ("x.org:8", b"x.org")
        assert request.getCookie("a") == b"b"
        assert (request.getClientIP(), request.isSecure()) == ("192.0.2.7", True)

    def test_arguments(self) -> None:
        request = DummyRequest(uri="/x?a=1&b=2")
        request.addArg("a", "3")
        assert request.args == {b"a": [b"3"], b"b": [b"2"]}
        assert request.getArg("a") == "3"

    def test_form_and_body(self) -> None:
        request = DummyRequest(
            method="POST", headers={"Content-Type": "application/x-www-form-urlencoded"}, body="a=%C3%A4"
        )
        assert request.getArg("a") == "ä"
        assert request.content is not None
        assert request.content.read() == b"a=%C3%A4"

    def test_streamed_body(self) -> None:
        async def read(request: Any) -> bytes:
            return b"".join([piece async for piece in request.stream()])

        request = DummyRequest(body=b"x" * 100_000)
        request.render(Calls(read))
        assert request.responseBody == b"x" * 100_000

    def test_children_are_found(self) -> None:
        root, child = Resource(), Resource()
        root.putChild("a", child)
        request = DummyRequest(["a"])
        assert getChildForRequest(root, request) is child
        assert (request.prepath, request.postpath) == ([b"a"], [])

    def test_session_is_made_or_given(self) -> None:
        class IThing(Interface):
            pass

        request = DummyRequest()
        session = request.getSession()
        assert isinstance(session, Session)
        assert request.getSession() is request.session is session
        session.setComponent(IThing, "thing")
        other = DummyRequest(session=session)
        assert other.session is None
        assert other.getSession(IThing) == "thing"
        session.expire()

    def test_session_must_be_asked_for_before_the_body(self) -> None:
        request = DummyRequest()
        request.write(b"x")
        with pytest.raises(AssertionError):
            request.getSession()

    def test_site_may_be_given(self) -> None:
        site = Site(Resource())
        assert DummyRequest(site=site).site is site


class TestResponse:
    def test_what_is_set_is_remembered(self) -> None:
        request = DummyRequest()
        request.setResponseCode(404, "Gone fishing")
        request.setHeader("X-A", "b")
        request.addCookie("c", "d")
        request.write("ä")
        request.write(b"b")
        request.finish()
        assert (request.responseCode, request.responseMessage) == (404, b"Gone fishing")
        assert request.responseHeaders.getRawHeaders("X-A") == ["b"]
        assert request.cookies == [b"c=d"]
        assert (request.written, request.responseBody) == ([b"\xc3\xa4", b"b"], b"\xc3\xa4b")
        assert request.finished == 1

    def test_mistakes_are_found(self) -> None:
        request = DummyRequest()
        with pytest.raises(TypeError):
            request.write(3)  # type: ignore[arg-type]
        request.write(b"x")
        with pytest.raises(AssertionError):
            request.setResponseCode(404)
        request.finish()
        with pytest.raises(RuntimeError):
            request.write(b"y")
        with pytest.raises(TypeError):
            rendered(None)

    def test_redirect(self) -> None:
        request = DummyRequest()
        request.redirect("/there")
        assert (request.code, request.responseHeaders.getRawHeaders("Location")) == (302, ["/there"])

    def test_conditions_are_looked_at(self) -> None:
        request = DummyRequest(headers={"If-None-Match": '"a"'})
        assert request.setETag('"a"') is http.CACHED
        assert request.responseCode == 304

    def test_finish_and_departure_are_told(self) -> None:
        request = DummyRequest()
        told: list[Any] = []
        request.notifyFinish().addBoth(told.append)
        request.finish()
        assert told == [None]
        request = DummyRequest()
        request.notifyFinish().addBoth(told.append)
        request.disconnect()
        assert told[1].check(ConnectionDone)
        request.write(b"x")
        request.finish()
        assert (request.written, request.finished, bool(request.disconnected)) == ([], 0, True)

    def test_departure_with_a_reason(self) -> None:
        request = DummyRequest()
        told: list[Any] = []
        request.notifyFinish().addErrback(told.append)
        failure = Failure(OSError())
        assert request.processingFailed(failure) is failure
        assert told == [failure]

    def test_pull_producer_produces(self) -> None:
        class Producer:
            left = 3

            def resumeProducing(self) -> None:
                request.write(b"x")
                self.left -= 1
                if not self.left:
                    request.unregisterProducer()

        request = DummyRequest()
        request.registerProducer(Producer(), False)
        assert request.responseBody == b"xxx"

    def test_push_producer_is_kept(self) -> None:
        request = DummyRequest()
        producer = object()
        request.registerProducer(producer, True)
        assert request.producer is producer
        with pytest.raises(ValueError):
            request.registerProducer(producer, True)


class TestRender:
    @pytest.mark.parametrize("result", [b"done", "done", succeed(b"done"), Answer(200, [], b"done")])
    def test_result_is_the_response(self, result: Any) -> None:
        request = rendered(result)
        assert (request.responseBody, request.finished) == (b"done", 1)

    def test_answer_has_code_and_headers(self) -> None:
        request = rendered(Answer(418, [("X-A", "b")], b""))
        assert (request.responseCode, request.responseHeaders.getRawHeaders("X-A")) == (418, ["b"])

    def test_not_done_yet_is_left_alone(self) -> None:
        request = rendered(NOT_DONE_YET)
        assert (request.written, request.finished) == ([], 0)

    def test_pieces_are_written_and_closed(self) -> None:
        closed: list[bool] = []

        def pieces() -> Iterator[str]:
            try:
                yield "a"
                yield "b"
            finally:
                closed.append(True)

        assert rendered(pieces()).written == [b"a", b"b"]
        assert closed == [True]

    def test_coroutine_is_run(self) -> None:
        async def answer() -> str:
            await asyncio.sleep(0)
            return "done"

        async def pieces() -> AsyncIterator[str]:
            yield "a"
            await asyncio.sleep(0)
            yield "b"

        assert rendered(answer()).responseBody == b"done"
        assert rendered(pieces()).written == [b"a", b"b"]

    def test_coroutine_is_awaited_in_a_loop(self) -> None:
        async def answer(request: Any) -> str:
            await asyncio.sleep(0)
            return "done"

        async def main() -> DummyRequest:
            request = DummyRequest()
            await request.render(Calls(answer))
            return request

        assert asyncio.run(main()).responseBody == b"done"

    def test_client_that_leaves_cancels(self) -> None:
        result: Deferred[bytes] = Deferred()
        request = rendered(result)
        request.disconnect()
        assert result.called
        cancelled: list[bool] = []

        async def slow(request: Any) -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
            return ""

        async def main() -> None:
            request = DummyRequest()
            request.render(Calls(slow)).addErrback(lambda failure: None)
            await asyncio.sleep(0)
            request.disconnect()
            await asyncio.sleep(0.01)

        asyncio.run(main())
        assert cancelled == [True]

    @pytest.mark.parametrize("late", [False, True])
    def test_exceptions_come_out(self, late: bool) -> None:
        async def answer() -> str:
            raise error.Error(404)

        def render(request: Any) -> Any:
            if late:
                return answer()
            raise error.Error(404)

        with pytest.raises(error.Error):
            DummyRequest().render(Calls(render))

    def test_failure_is_the_deferreds(self) -> None:
        request = DummyRequest()
        failed: list[Any] = []
        request.render(Calls(lambda request: fail(KeyError()))).addErrback(failed.append)
        assert failed[0].check(KeyError)
        assert request.finished == 0

    def test_pages_files_and_templates(self, tmp_path: Any) -> None:
        request = DummyRequest()
        request.render(pages.notFound())
        assert (request.responseCode, request.finished) == (404, 1)
        (tmp_path / "a.txt").write_text("hello")
        request = DummyRequest(["a.txt"])
        request.render(getChildForRequest(static.File(tmp_path), request))
        assert request.responseBody == b"hello"
        element = template.Element(template.TagLoader(template.tags.p("x")))
        request = DummyRequest()
        template.renderElement(request, element, None)
        assert request.responseBody == b"<p>x</p>"
