"""Redirects, resources that are still to come, and failures as HTML."""

import asyncio
from typing import Any

import pytest

from sennit.internet.defer import Deferred, fail, succeed
from sennit.python.failure import Failure
from sennit.web import util
from sennit.web.error import Error
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.template import Tag, TagLoader, flatten
from sennit.web.testing import AsyncTestClient, TestClient
from sennit.web.util import DeferredResource, ParentRedirect, Redirect, formatFailure, redirectTo
from tests.unit.web.doubles import Calls, RequestDouble


@pytest.mark.parametrize("url", [b"/a?b&c", "/a?b&c"])
def test_redirect_to_answers_and_links(url: bytes | str) -> None:
    request: Any = RequestDouble()
    body = redirectTo(url, request)
    assert (request.code, request.answerHeaders[b"Location"]) == (302, b"/a?b&c")
    assert request.answerHeaders[b"Content-Type"] == b"text/html; charset=utf-8"
    assert b'<a href="/a?b&amp;c">click here</a>' in body


def test_redirect_to_escapes() -> None:
    request: Any = RequestDouble()
    body = redirectTo(b'"><script>alert(1)</script>', request)
    assert b"<script" not in body
    assert b'href="&quot;&gt;' in body


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JavaScript:alert(1)", " java\tscript:alert(1)", "data:text/html,x", "\x01x:y"],
)
def test_redirect_to_does_not_link_other_schemes(url: str) -> None:
    request: Any = RequestDouble()
    body = redirectTo(url, request)
    assert b"href" not in body
    assert b"refresh" not in body


@pytest.mark.parametrize("url", ["https://a.example/", "//a.example/", "b:c/../x/"[2:], "?q=x:y"])
def test_redirect_to_links_web_addresses(url: str) -> None:
    request: Any = RequestDouble()
    assert b'<a href="' in redirectTo(url, request)


@pytest.mark.parametrize("target", ["/old", "/old/", "/old/below/it"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_redirect_answers_everything_below(target: str, method: str) -> None:
    root = Resource()
    root.putChild("old", Redirect("/new"))
    with TestClient(Site(root)) as client:
        response = client.request(method, target)
    assert (response.code, response.header("Location")) == (302, "/new")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/foo", "http://localhost/"),
        ("/foo?x=/y/z", "http://localhost/"),
        ("/foo/", "http://localhost/foo/"),
        ("/foo/bar", "http://localhost/foo/"),
        ("/foo/b%20r/%2f?x", "http://localhost/foo/b%20r/"),
        ("//evil.example/x", "http://localhost//evil.example/"),
    ],
)
def test_parent_redirect_leads_to_directory(target: str, location: str) -> None:
    with TestClient(Site(ParentRedirect())) as client:
        response = client.get(target)
    assert (response.code, response.header("Location")) == (302, location)


class TestDeferredResource:
    def ask(self, d: Any, target: str = "/late") -> Any:
        root = Resource()
        root.putChild("late", DeferredResource(d))
        with TestClient(Site(root)) as client:
            return client.get(target)

    def test_resource_that_is_there_is_rendered(self) -> None:
        assert self.ask(succeed(Calls(lambda request: b"here"))).body == b"here"

    def test_rest_of_path_goes_on_from_it(self) -> None:
        branch = Resource()
        branch.putChild("leaf", Calls(lambda request: b"/".join([*request.prepath, b"|", *request.postpath])))
        assert self.ask(succeed(branch), "/late/leaf/a/b").body == b"late/leaf/|/a/b"
        assert self.ask(succeed(branch), "/late/none").code == 404

    def test_resource_that_comes_later_is_waited_for(self) -> None:
        d: Deferred[Any] = Deferred()
        root = Resource()
        root.putChild("late", DeferredResource(d))

        def fire(request: Any) -> bytes:
            d.callback(Calls(lambda request: b"now"))
            return b"fired"

        root.putChild("fire", Calls(fire))

        async def both() -> list[Any]:
            client = AsyncTestClient(Site(root))
            waiting = [asyncio.create_task(client.get("/late")) for _ in range(2)]
            await asyncio.sleep(0.01)
            assert not any(task.done() for task in waiting)
            await client.get("/fire")
            return [(await task).body for task in waiting]

        assert asyncio.run(both()) == [b"now", b"now"]

    def test_callbacks_added_after_it_was_made_count(self) -> None:
        d: Deferred[Any] = succeed(b"made by a callback")
        resource = DeferredResource(d)
        d.addCallback(lambda body: Calls(lambda request: body))
        with TestClient(Site(resource)) as client:
            assert client.get("/").body == b"made by a callback"

    def test_coroutine_is_awaited(self) -> None:
        async def find() -> Resource:
            await asyncio.sleep(0)
            return Calls(lambda request: b"found")

        async def ask() -> bytes:
            return (await AsyncTestClient(Site(DeferredResource(find()))).get("/")).body

        assert asyncio.run(ask()) == b"found"

    def test_child_that_must_be_awaited_is(self) -> None:
        class Branch(Resource):
            async def getChild(self, path: bytes, request: Any) -> Resource:
                await asyncio.sleep(0)
                return Calls(lambda request: path)

        assert self.ask(succeed(Branch()), "/late/x").body == b"x"

    @pytest.mark.parametrize(("error", "code"), [(Error(410), 410), (ValueError("<b>"), 500)])
    def test_failure_answers_every_request(
        self, error: Exception, code: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        with TestClient(Site(DeferredResource(fail(error)))) as client:
            assert [client.get("/").code for _ in range(3)] == [code] * 3
        assert "Unhandled error in Deferred" not in caplog.text

    def test_client_that_left_is_not_answered(self) -> None:
        rendered = []
        d: Deferred[Any] = Deferred()

        async def leave() -> None:
            client = AsyncTestClient(Site(DeferredResource(d)))
            task = asyncio.create_task(client.get("/"))
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.sleep(0.01)
            d.callback(Calls(lambda request: rendered.append(request) or b""))

        asyncio.run(leave())
        assert rendered == []


def test_failure_is_formatted_as_ascii_html() -> None:
    try:
        raise ValueError("<script>é")
    except ValueError:
        page = formatFailure(Failure())
    assert b"builtins.ValueError: &lt;script&gt;&#233;" in page
    assert b"test_failure_is_formatted_as_ascii_html" in page
    assert b"raise ValueError(" in page
    assert b"<script" not in page
    assert page.isascii()


def _failure() -> Failure:
    try:
        raise ValueError("<b>\u00e4")
    except ValueError:
        return Failure()


def _shown(element: Any) -> str:
    parts: list[bytes] = []
    flatten(None, element, parts.append).addErrback(lambda failure: failure.raiseException())
    return b"".join(parts).decode()


def test_failure_element_shows_type_value_and_code() -> None:
    page = _shown(util.FailureElement(_failure()))
    assert 'class="failure"' in page
    assert "ValueError</span>: <span>&lt;b&gt;\u00e4</span>" in page
    assert "test_util.py:" in page
    assert "<strong>        raise ValueError(" in page


def test_failure_element_takes_a_template() -> None:
    own = TagLoader(Tag("p", render="value"))
    assert _shown(util.FailureElement(_failure(), own)) == "<p>&lt;b&gt;\u00e4</p>"


def test_util_has_no_other_names() -> None:
    with pytest.raises(AttributeError):
        util.ChildRedirector  # type: ignore[attr-defined]
