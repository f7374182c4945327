"""Sites and their requests: rendering, errors, awaitables, addresses of resources."""

import asyncio
import logging
from typing import Any

import pytest

from sennit.internet.defer import Deferred, fail, succeed
from sennit.web import error, http, pages, server
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Request, Site
from sennit.web.testing import AsyncTestClient, BrokenResponse, Response, TestClient
from tests.unit.web.doubles import Calls, clientOf


def answered(function: Any, *, method: str = "GET", target: str = "/", **options: Any) -> Response:
    with clientOf(function) as client:
        return client.request(method, target, **options)


class TestResults:
    @pytest.mark.parametrize(("result", "body"), [(b"x", b"x"), ("ä", "ä".encode()), (b"", b""), ("", b"")])
    def test_body_is_sent_with_its_length(self, result: bytes | str, body: bytes) -> None:
        response = answered(lambda request: result)
        assert response.body == body
        assert response.header("Content-Length") == str(len(body))

    def test_not_done_yet_waits_for_finish(self) -> None:
        def render(request: Any) -> int:
            asyncio.get_running_loop().call_later(0.01, request.write, "ä")
            asyncio.get_running_loop().call_later(0.02, request.finish)
            return NOT_DONE_YET

        assert answered(render).text == "ä"

    @pytest.mark.parametrize("waits", [True, False])
    def test_coroutine_is_awaited(self, waits: bool) -> None:
        async def render(request: Any) -> str:
            if waits:
                await asyncio.sleep(0.001)
            return "done"

        assert answered(render).text == "done"

    def test_future_is_awaited(self) -> None:
        def render(request: Any) -> Any:
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, b"done")
            return future

        assert answered(render).body == b"done"

    def test_fired_deferred_is_rendered(self) -> None:
        assert answered(lambda request: succeed("done")).text == "done"

    def test_deferred_is_waited_for(self) -> None:
        def render(request: Any) -> Any:
            result: Deferred[str] = Deferred()
            asyncio.get_running_loop().call_later(0.01, result.callback, "done")
            return result

        assert answered(render).text == "done"

    def test_failed_deferred_is_answered_as_exception(self) -> None:
        assert answered(lambda request: fail(error.Error(409, "taken"))).code == 409

    def test_coroutine_of_an_iterator_is_streamed(self) -> None:
        async def render(request: Any) -> Any:
            return iter(["a", b"b"])

        assert answered(render).body == b"ab"

    def test_generator_is_streamed(self) -> None:
        response = answered(lambda request: (str(number) for number in range(3)))
        assert response.body == b"012"
        assert response.header("Transfer-Encoding") == "chunked"

    def test_async_generator_is_streamed(self) -> None:
        async def chunks() -> Any:
            for number in range(3):
                await asyncio.sleep(0)
                yield f"{number}"

        assert answered(lambda request: chunks()).body == b"012"

    def test_async_generator_is_closed_when_client_leaves(self) -> None:
        closed: list[bool] = []

        async def chunks() -> Any:
            try:
                while True:
                    yield b"x"
                    await asyncio.sleep(0.001)
            finally:
                closed.append(True)

        with clientOf(lambda request: chunks()) as client, client.stream("GET", "/") as response:
            next(response.pieces())
            response.disconnect()
        assert closed == [True]

    def test_async_generator_waits_for_slow_client(self) -> None:
        made: list[int] = []

        async def chunks() -> Any:
            for number in range(200):
                made.append(number)
                yield b"x" * 10_000

        async def main() -> None:
            client = AsyncTestClient(Site(Calls(lambda request: chunks())))
            async with client.stream("GET", "/") as response:
                await asyncio.sleep(0.05)
                assert len(made) < 50
                assert len(await response.read()) == 2_000_000

        asyncio.run(main())
        assert len(made) == 200

    def test_async_generator_that_fails_midway_cuts_response(self, caplog: Any) -> None:
        async def chunks() -> Any:
            yield b"x"
            raise RuntimeError("midway")

        with pytest.raises(BrokenResponse):
            answered(lambda request: chunks())
        assert "midway" in caplog.text

    @pytest.mark.parametrize("result", [None, 2, 1.5, object(), {"a": 1}])
    def test_other_result_is_a_server_error_and_logged(self, result: Any, caplog: Any) -> None:
        response = answered(lambda request: result)
        assert response.code == 500
        assert repr(result) in caplog.text
        assert "Calls" in caplog.text
        assert repr(result) not in response.text

    def test_result_of_error_page_is_hidden_unless_displayed(self) -> None:
        site = Site(Calls(lambda request: None))
        site.displayTracebacks = True
        with TestClient(site) as client:
            assert "answered GET / with None" in client.get("/").text


class TestCancelling:
    def test_coroutine_is_cancelled_when_client_leaves(self) -> None:
        events: list[str] = []

        async def render(request: Any) -> str:
            request.write(b"x")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                events.append("cancelled")
                raise
            finally:
                events.append("finally")
            return ""

        with clientOf(render) as client, client.stream("GET", "/") as response:
            response.disconnect()
        assert events == ["cancelled", "finally"]

    def test_coroutine_can_opt_out(self) -> None:
        events: list[str] = []

        async def render(request: Any) -> str:
            request.write(b"x")
            await asyncio.sleep(0.01)
            events.append("done")
            return ""

        site = Site(Calls(render, cancelOnDisconnect=False))
        with TestClient(site) as client, client.stream("GET", "/") as response:
            response.disconnect()
            client.wait(0.05)
        assert events == ["done"]

    def test_deferred_is_cancelled_when_client_leaves(self) -> None:
        cancelled: list[Any] = []

        def render(request: Any) -> Any:
            request.write(b"x")
            return Deferred(cancelled.append)

        with clientOf(render) as client, client.stream("GET", "/") as response:
            response.disconnect()
        assert len(cancelled) == 1

    def test_coroutine_cancelled_by_program_is_service_unavailable(self) -> None:
        async def render(request: Any) -> str:
            raise asyncio.CancelledError

        assert answered(render).code == 503


class TestErrors:
    @pytest.mark.parametrize("asynchronous", [True, False])
    def test_error_is_answered_with_its_code(self, asynchronous: bool) -> None:
        async def later(request: Any) -> str:
            raise error.Error(409, "Someone was faster")

        def now(request: Any) -> str:
            raise error.Error(409, "Someone was faster")

        response = answered(later if asynchronous else now)
        assert (response.code, response.reason) == (409, b"Conflict")
        assert "<h1>Conflict</h1>" in response.text
        assert "<p>Someone was faster</p>" in response.text

    def test_error_in_get_child_is_answered_with_its_code(self) -> None:
        class Root(Resource):
            def getChild(self, path: bytes, request: Any) -> Resource:
                raise error.Error(410)

        with TestClient(Site(Root())) as client:
            assert client.get("/a/b").code == 410

    def test_error_can_have_unregistered_code(self) -> None:
        def render(request: Any) -> str:
            raise error.Error(599, "<Out of paper>")

        response = answered(render)
        assert response.code == 599
        assert "&lt;Out of paper&gt;" in response.text

    def test_error_can_bring_its_body(self) -> None:
        def render(request: Any) -> str:
            raise error.Error(418, response="<b>short and stout</b>")

        response = answered(render)
        assert (response.code, response.body) == (418, b"<b>short and stout</b>")

    def test_error_without_body_has_none(self) -> None:
        def render(request: Any) -> str:
            raise error.Error(304)

        response = answered(render)
        assert (response.code, response.body, response.header("Content-Type")) == (304, b"", None)

    def test_page_redirect_has_location(self) -> None:
        def render(request: Any) -> str:
            raise error.PageRedirect(303, location="/x")

        response = answered(render)
        assert (response.code, response.header("Location")) == (303, "/x")

    def test_error_with_interim_code_is_a_mistake(self, caplog: Any) -> None:
        def render(request: Any) -> str:
            raise error.Error(103)

        assert answered(render).code == 500

    def test_error_page_forgets_headers_of_the_body(self) -> None:
        def render(request: Any) -> str:
            request.setHeader("Content-Encoding", "gzip")
            request.setHeader("Content-Length", "5")
            request.setHeader("Retry-After", "5")
            request.setETag('"a"')
            raise error.Error(503)

        response = answered(render)
        assert response.header("Content-Encoding") is None
        assert response.header("ETag") is None
        assert response.header("Retry-After") == "5"
        assert len(response.body) > 5

    def test_exception_is_logged_and_hidden(self, caplog: Any) -> None:
        def render(request: Any) -> str:
            raise ValueError("<b>secret")

        with caplog.at_level(logging.ERROR, "sennit.web"):
            response = answered(render, target="/%1b[31m")
        assert response.code == 500
        assert "secret" not in response.text
        assert "Traceback" not in response.text
        assert "Processing Failed" in response.text
        (record,) = caplog.records
        assert record.name == "sennit.web"
        assert record.getMessage().endswith("GET /%1b[31m")
        assert "ValueError: <b>secret" in caplog.text

    def test_exception_is_displayed_escaped_if_wanted(self, caplog: Any) -> None:
        def render(request: Any) -> str:
            raise ValueError("<b>secret ö")

        site = Site(Calls(render))
        site.displayTracebacks = True
        with TestClient(site) as client:
            response = client.get("/")
        assert response.code == 500
        assert "ValueError: &lt;b&gt;secret &#246;" in response.text
        assert "<b>secret" not in response.text

    def test_exception_after_first_write_cuts_response(self, caplog: Any) -> None:
        def render(request: Any) -> str:
            request.write(b"x")
            raise ValueError("late")

        with pytest.raises(BrokenResponse):
            answered(render)
        assert "late" in caplog.text

    def test_exception_after_finish_is_logged_only(self, caplog: Any) -> None:
        def render(request: Any) -> str:
            request.write(b"x")
            request.finish()
            raise ValueError("too late")

        assert answered(render).body == b"x"
        assert "too late" in caplog.text

    @pytest.mark.parametrize("accept", ["application/json", "text/plain", "text/html"])
    def test_error_page_is_negotiated(self, accept: str) -> None:
        def render(request: Any) -> str:
            raise error.Error(404)

        kind = answered(render, headers={"Accept": accept}).header("Content-Type") or ""
        assert kind.replace("problem+", "").startswith(accept)

    def test_site_replaces_error_pages(self) -> None:
        def render(request: Any) -> str:
            raise error.Error(409)

        site = Site(Calls(render))
        site.errorPages[409] = lambda request, code, brief, detail: f"own {code} {brief}"
        with TestClient(site) as client:
            response = client.get("/")
        assert (response.code, response.text) == (409, "own 409 Conflict")

    def test_site_replaces_default_page_of_unknown_child(self) -> None:
        site = Site(Resource())
        site.errorPages[404] = Calls(lambda request: "lost")
        with TestClient(site) as client:
            response = client.get("/a")
        assert (response.code, response.text) == (404, "lost")

    @pytest.mark.parametrize("asynchronous", [True, False])
    def test_failing_error_page_ends_in_built_in_page(self, asynchronous: bool, caplog: Any) -> None:
        async def later(request: Any, *rest: Any) -> str:
            raise RuntimeError("again")

        def now(request: Any, *rest: Any) -> str:
            raise RuntimeError("again")

        site = Site(Calls(lambda request: 1 / 0))
        site.errorPages[None] = later if asynchronous else now
        with TestClient(site) as client:
            response = client.get("/")
        assert response.code == 500
        assert "Internal Server Error" in response.text

    def test_processing_failed_answers_and_returns_failure(self, caplog: Any) -> None:
        def render(request: Any) -> int:
            result: Deferred[str] = Deferred()
            result.addErrback(request.processingFailed)
            result.addErrback(lambda failure: seen.append(failure))
            result.errback(ValueError("deferred"))
            return NOT_DONE_YET

        seen: list[Any] = []
        assert answered(render).code == 500
        assert seen[0].check(ValueError)
        assert "ValueError: deferred" in caplog.text


class TestMethods:
    @pytest.mark.parametrize(("method", "code"), [("POST", 405), ("PUT", 501), ("get", 501), ("X-Y", 501)])
    def test_unsupported_method_has_allow(self, method: str, code: int) -> None:
        class Page(Resource):
            isLeaf = True

            def render_GET(self, request: Any) -> str:
                return "x"

        with TestClient(Site(Page())) as client:
            response = client.request(method, "/<b>")
        assert (response.code, response.header("Allow")) == (code, "GET, HEAD")
        assert "<b>" not in response.text

    def test_head_has_headers_alone(self) -> None:
        response = answered(lambda request: b"12345", method="HEAD")
        assert (response.code, response.body, response.header("Content-Length")) == (200, b"", "5")

    def test_head_without_get_is_not_allowed(self) -> None:
        class Sink(Resource):
            isLeaf = True

            def render_POST(self, request: Any) -> str:
                return "x"

        with TestClient(Site(Sink())) as client:
            response = client.head("/")
        assert (response.code, response.header("Allow")) == (405, "POST")

    @pytest.mark.parametrize("asynchronous", [True, False])
    def test_head_is_asked_again_as_get(self, asynchronous: bool) -> None:
        methods: list[bytes] = []

        def render(request: Any) -> Any:
            methods.append(request.method)
            if request.method != b"GET":
                raise error.UnsupportedMethod([b"GET"])
            return later() if asynchronous else b"12345"

        async def later() -> bytes:
            await asyncio.sleep(0)
            return b"12345"

        response = answered(render, method="HEAD")
        assert (response.code, response.body, response.header("Content-Length")) == (200, b"", "5")
        assert methods == [b"HEAD", b"GET"]

    def test_head_that_is_never_supported_ends(self) -> None:
        async def render(request: Any) -> Any:
            raise error.UnsupportedMethod([b"GET"])

        assert answered(render, method="HEAD").code == 405

    def test_options_of_whole_server_is_answered(self) -> None:
        response = answered(lambda request: b"resource", method="OPTIONS", target="*")
        assert (response.code, response.body, response.header("Content-Length")) == (200, b"", "0")

    def test_supported_methods_can_be_extended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server, "supportedMethods", (*server.supportedMethods, b"PUT"))
        with TestClient(Site(Resource())) as client:
            assert client.put("/").code == 404
        site = Resource()
        site.putChild("", Resource())
        with TestClient(Site(site)) as client:
            assert client.put("/").code == 405


class TestTraversal:
    def test_site_below_a_resource_may_have_a_leaf_as_root(self) -> None:
        outer = Resource()
        outer.putChild("sub", Site(Calls(lambda r: repr((r.prepath, r.postpath, r.sitepath)))))
        with TestClient(Site(outer)) as client:
            assert client.get("/sub/a/b").text == repr(([b"sub"], [b"a", b"b"], [b"sub"]))

    def test_async_get_child_is_awaited(self) -> None:
        class Users(Resource):
            async def getChild(self, path: bytes, request: Any) -> Resource:
                await asyncio.sleep(0.001)
                return Users() if path != b"page" else Calls(lambda request: b"/".join(request.prepath))

        with TestClient(Site(Users())) as client:
            assert client.get("/a/b/page/rest").text == "a/b/page"

    def test_deferred_child_is_awaited(self) -> None:
        class Root(Resource):
            def getChild(self, path: bytes, request: Any) -> Any:
                result: Deferred[Resource] = Deferred()
                asyncio.get_running_loop().call_soon(result.callback, Calls(lambda request: "found"))
                return result

        with TestClient(Site(Root())) as client:
            assert client.get("/a").text == "found"

    def test_async_get_child_that_raises_is_answered(self) -> None:
        class Root(Resource):
            async def getChild(self, path: bytes, request: Any) -> Resource:
                await asyncio.sleep(0)
                raise error.Error(403)

        with TestClient(Site(Root())) as client:
            assert client.get("/a").code == 403

    def test_paths_are_split_then_unquoted(self) -> None:
        response = answered(lambda r: repr((r.prepath, r.postpath, r.path, r.uri)), target="/a%2Fb/?q=%20")
        assert response.text == repr(([], [b"a/b", b""], b"/a%2Fb/", b"/a%2Fb/?q=%20"))

    def test_site_can_find_resources_itself(self) -> None:
        class Own(Site):
            def getResourceFor(self, request: Any) -> Any:
                if request.postpath == [b"special"]:
                    return Calls(lambda request: "special")
                return super().getResourceFor(request)

        root = Resource()
        root.putChild("a", Calls(lambda request: repr((request.site is site, request.sitepath))))
        site = Own(root)
        with TestClient(site) as client:
            assert client.get("/special").text == "special"
            assert client.get("/a").text == "(True, [])"

    def test_site_below_a_resource_serves_its_tree(self) -> None:
        inner, outer = Resource(), Resource()
        inner.putChild("page", Calls(lambda request: repr((request.site is below, request.sitepath))))
        below = Site(inner)
        outer.putChild("sub", below)
        with TestClient(Site(outer)) as client:
            assert client.get("/sub/page").text == "(True, [b'sub'])"
            assert client.get("/sub/other").code == 404

    def test_site_below_a_resource_redirects_to_its_slash(self) -> None:
        outer = Resource()
        outer.putChild("sub", Site(Resource()))
        with TestClient(Site(outer)) as client:
            response = client.get("/sub")
        assert (response.code, response.header("Location")) == (302, "http://localhost/sub/")

    def test_request_can_render_another_resource(self) -> None:
        def render(request: Any) -> int:
            request.render(pages.forbidden())
            return NOT_DONE_YET

        assert answered(render).code == 403


class TestAddresses:
    @pytest.mark.parametrize(
        ("host", "port", "secure", "url"),
        [
            ("a.example:9", 80, False, "http://a.example/x%20y"),
            ("a.example", 81, False, "http://a.example:81/x%20y"),
            ("a.example", 443, True, "https://a.example/x%20y"),
            ("[::1]:81", 81, False, "http://[::1]:81/x%20y"),
        ],
    )
    def test_pre_path_url_names_host_and_port(self, host: str, port: int, secure: bool, url: str) -> None:
        root = Resource()
        root.putChild("x y", Calls(lambda request: request.prePathURL()))
        with TestClient(Site(root), host=("127.0.0.1", port), secure=secure) as client:
            assert client.get("/x%20y/z", headers={"Host": host}).text == url

    def test_root_url_is_remembered(self) -> None:
        def render(request: Any) -> str:
            before = request.getRootURL()
            request.rememberRootURL()
            return repr((before, request.getRootURL()))

        root = Resource()
        root.putChild("a", Calls(render))
        with TestClient(Site(root)) as client:
            assert client.get("/a").text == repr((None, b"http://localhost"))

    @pytest.mark.parametrize(
        ("target", "child", "sibling"),
        [
            ("/a", b"a/n", b"n"),
            ("/a/", b"n", b"../n"),
            ("/a/b", b"n", b"../n"),
            ("/a/b/c", b"../n", b"../../n"),
        ],
    )
    def test_links_are_relative(self, target: str, child: bytes, sibling: bytes) -> None:
        root = Resource()
        root.putChild("a", Calls(lambda request: repr((request.childLink("n"), request.sibLink(b"n")))))
        with TestClient(Site(root)) as client:
            assert client.get(target).text == repr((child, sibling))


class TestRequestFactory:
    def test_process_of_subclass_is_called(self) -> None:
        class Own(Request):
            def process(self) -> None:
                self.setHeader("X-Own", "1")
                super().process()

        with TestClient(Site(Calls(lambda request: "x"), requestFactory=Own)) as client:
            response = client.get("/")
        assert (response.header("X-Own"), response.text) == ("1", "x")

    def test_function_makes_requests(self) -> None:
        with TestClient(Site(Calls(lambda request: "x"), lambda *args: Request(*args))) as client:
            assert client.get("/").text == "x"

    def test_http_factory_serves_bare_requests(self) -> None:
        class Own(http.Request):
            def process(self) -> None:
                self.write(b"bare " + self.path)
                self.finish()

        factory = http.HTTPFactory()
        factory.requestFactory = Own
        with TestClient(factory) as client:
            assert client.get("/a").text == "bare /a"

    def test_bare_request_that_fails_is_a_server_error(self, caplog: Any) -> None:
        class Own(http.Request):
            def process(self) -> None:
                raise ValueError("bare")

        factory = http.HTTPFactory()
        factory.requestFactory = Own
        with TestClient(factory) as client:
            assert client.get("/a").code == 500
        assert "ValueError: bare" in caplog.text

    def test_write_of_subclass_is_called(self) -> None:
        class Upper(Request):
            def write(self, data: bytes | str) -> None:
                super().write(data.upper())

        with TestClient(Site(Calls(lambda request: b"x"), requestFactory=Upper)) as client:
            assert client.get("/").text == "X"
