"""WSGI applications as resources: what they are told, what becomes of what they give."""

import asyncio
import gzip
import io
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from sennit.internet import reactor
from sennit.python.threadpool import ThreadPool
from sennit.web.resource import Resource
from sennit.web.server import Request, Site, standardEncoders
from sennit.web.testing import AsyncTestClient, BrokenResponse, Response, TestClient
from sennit.web.wsgi import WSGIResource
from tests.unit.web import wsgiapps
from tests.unit.web.doubles import Calls
from tests.unit.web.wsgiapps import (
    PLAIN,
    Environ,
    StartResponse,
    answered,
    echo,
    environOf,
    eventually,
    giving,
    siteOf,
)

# pytest finds them here.
pool, poolOrNone = wsgiapps.pool, wsgiapps.poolOrNone


class TestEnviron:
    def test_environ_describes_the_request(self, poolOrNone: Any) -> None:
        environ = environOf(
            poolOrNone,
            target="/a%20b/%C3%A4?x=%20&y",
            method="POST",
            body=b"12345",
            headers={"Host": "example.org:8000", "Content-Type": "text/x", "X-A": "1"},
        )
        expected = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/a b/\u00c3\u00a4",
            "QUERY_STRING": "x=%20&y",
            "CONTENT_TYPE": "text/x",
            "CONTENT_LENGTH": "5",
            "SERVER_NAME": "example.org",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": "50000",
            "HTTP_HOST": "example.org:8000",
            "HTTP_X_A": "1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.multithread": poolOrNone is not None,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        assert {key: environ[key] for key in expected} == expected
        assert type(environ) is dict

    @pytest.mark.parametrize(
        ("path", "target", "script", "info"),
        [
            ((), "/", "", "/"),
            ((), "/a/", "", "/a/"),
            ((), "//a", "", "//a"),
            (("app",), "/app", "/app", ""),
            (("app",), "/app/", "/app", "/"),
            (("app", "v1"), "/app/v1/x/y", "/app/v1", "/x/y"),
            (("",), "/", "", "/"),
            (("app", ""), "/app/", "/app", "/"),
            (("a b",), "/a%20b/%2F", "/a b", "//"),
        ],
    )
    def test_path_is_split_where_the_resource_stands(
        self, path: tuple[str, ...], target: str, script: str, info: str
    ) -> None:
        environ = environOf(None, *path, target=target)
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script, info)

    def test_headers_that_could_be_taken_for_others_are_left_out(self) -> None:
        headers = {
            "X-Forwarded-For": "10.0.0.1",
            "X_Forwarded_For": "127.0.0.1",
            "X_Real-Ip": "127.0.0.1",
            "Proxy": "evil.example",
        }
        environ = environOf(None, headers=headers)
        assert environ["HTTP_X_FORWARDED_FOR"] == "10.0.0.1"
        assert "HTTP_X_REAL_IP" not in environ
        assert "HTTP_PROXY" not in environ
        assert environ["REMOTE_ADDR"] == "127.0.0.1"

    def test_repeated_headers_are_joined(self) -> None:
        headers = [("X-A", "1"), ("X-A", "2"), ("Cookie", "a=1"), ("Cookie", "b=2")]
        environ = environOf(None, headers=headers)
        assert (environ["HTTP_X_A"], environ["HTTP_COOKIE"]) == ("1,2", "a=1; b=2")

    def test_environs_of_a_connection_are_each_requests_own(self, poolOrNone: Any) -> None:
        seen: list[Environ] = []

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            seen.append(dict(environ) | {"body": environ["wsgi.input"].read()})
            environ["HTTP_X_A"] = environ["mine"] = "changed"
            startResponse("200 OK", PLAIN)
            return [b"x"]

        def told(*keys: str) -> list[tuple[Any, ...]]:
            return [tuple(environ.get(key) for key in keys) for environ in seen]

        with TestClient(siteOf(application, poolOrNone)) as client:
            for target in ("/a", "/b?c", "/", "/d"):
                client.get(target, headers={"X-A": "1"})
            client.post("/e", headers={"X-A": "1"}, body=b"12")
            client.get("/f", headers={"X-A": "2"})
            client.head("/g", headers={"X-A": "2"})
        assert told("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING") == [
            ("GET", "/a", ""),
            ("GET", "/b", "c"),
            ("GET", "/", ""),
            ("GET", "/d", ""),
            ("POST", "/e", ""),
            ("GET", "/f", ""),
            ("HEAD", "/g", ""),
        ]
        assert told("HTTP_X_A", "mine") == [("1", None)] * 5 + [("2", None)] * 2
        assert told("CONTENT_LENGTH", "body") == [("", b"")] * 4 + [("2", b"12")] + [("", b"")] * 2

    def test_address_that_was_set_is_told(self) -> None:
        seen: Environ = {}

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            seen.update(environ)
            startResponse("200 OK", PLAIN)
            return [b"x"]

        resource = WSGIResource(reactor, None, application)

        def render(request: Any) -> Any:
            request.setHost("example.org", 8443, ssl=True)
            return resource.render(request)

        with TestClient(Site(Calls(render))) as client:
            client.get("/x/y?z")
        assert (seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("example.org", "8443")
        assert (seen["HTTP_HOST"], seen["wsgi.url_scheme"]) == ("example.org:8443", "https")
        assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/x/y", "z")

    @pytest.mark.parametrize("several", [False, True])
    def test_processes_and_threads_are_told_of(self, pool: Any, several: bool) -> None:
        seen: Environ = {}

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            seen.update(environ)
            startResponse("200 OK", PLAIN)
            return [b"x"]

        resource = WSGIResource(reactor, pool, application, multiprocess=several, multithread=several)
        with TestClient(Site(resource)) as client:
            client.get("/")
        assert (seen["wsgi.multiprocess"], seen["wsgi.multithread"]) == (several, several)

    def test_input_without_a_body_is_an_empty_file(self, poolOrNone: Any) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            stream = environ["wsgi.input"]
            assert (stream.read(), stream.read(5), stream.readline(), stream.readlines()) == (
                b"",
                b"",
                b"",
                [],
            )
            assert (stream.read1(3), stream.readinto(bytearray(2)), list(stream)) == (b"", 0, [])
            assert stream.readable()
            stream.close()
            assert not stream.closed
            startResponse("200 OK", PLAIN)
            return [b"x"]

        assert answered(application, poolOrNone).body == b"x"

    def test_tls_is_told(self) -> None:
        environ = environOf(None, client={"secure": True, "host": ("127.0.0.1", 443)})
        assert (environ["wsgi.url_scheme"], environ["SERVER_PORT"]) == ("https", "443")

    def test_unix_socket_has_no_address(self) -> None:
        environ = environOf(None, client={"peer": "", "host": "/run/socket"})
        assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("", "")
        assert environ["SERVER_PORT"] == "80"

    def test_errors_are_logged_by_line(self, poolOrNone: Any, caplog: pytest.LogCaptureFixture) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            print("one", 1, file=environ["wsgi.errors"])
            environ["wsgi.errors"].writelines(["two\n", "th"])
            environ["wsgi.errors"].write("ree")
            with pytest.raises(TypeError):
                environ["wsgi.errors"].write(b"bytes")
            startResponse("200 OK", PLAIN)
            return [b"x"]

        site = siteOf(application, poolOrNone)
        with TestClient(site) as client:
            client.get("/")
            eventually(lambda: len(caplog.records) == 3)
        assert [record.getMessage() for record in caplog.records] == ["one 1", "two", "three"]
        assert {record.levelno for record in caplog.records} == {logging.ERROR}


class TestStartResponse:
    def test_status_and_headers_are_sent(self, poolOrNone: Any) -> None:
        headers = [("X-A", "\u00e4"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        response = answered(giving([b"x"], "404 Nothing Here", headers), poolOrNone)
        assert (response.code, response.reason) == (404, b"Nothing Here")
        assert response.headers.getRawHeaders(b"x-a") == [b"\xe4"]
        assert response.headers.getRawHeaders("set-cookie") == ["a=1", "b=2"]
        assert response.header("Content-Type") is None

    def test_cookies_of_application_and_request_are_both_sent(self, poolOrNone: Any) -> None:
        resource = WSGIResource(reactor, poolOrNone, giving([b"x"], headers=[("Set-Cookie", "b=2")]))

        def render(request: Any) -> Any:
            request.addCookie("a", "1")
            return resource.render(request)

        with TestClient(Site(Calls(render))) as client:
            assert client.get("/").headers.getRawHeaders("set-cookie") == ["a=1", "b=2"]

    def test_headers_of_server_and_connection_are_not_the_applications(self, poolOrNone: Any) -> None:
        headers = [
            ("Server", "x"),
            ("Date", "x"),
            ("Connection", "keep-alive"),
            ("Transfer-Encoding", "gzip"),
            ("Upgrade", "x"),
            ("Keep-Alive", "x"),
        ]
        response = answered(giving([b"x"], headers=headers), poolOrNone)
        names = {name.lower() for name, _ in response.headers.getAllRawHeaders()}
        assert names == {b"server", b"date", b"content-length"}
        assert response.header("Server") != "x"

    def test_application_may_close_the_connection(self, poolOrNone: Any) -> None:
        assert (
            answered(giving([b"x"], headers=[("Connection", "close")]), poolOrNone).header("Connection")
            == "close"
        )

    @pytest.mark.parametrize(
        ("status", "headers", "error"),
        [
            (b"200 OK", [], TypeError),
            (200, [], TypeError),
            ("200 OK", None, TypeError),
            ("200 OK", "ab", TypeError),
            ("200 OK", {"A": "b"}, TypeError),
            ("200 OK", [("A", b"b")], TypeError),
            ("200 OK", [("A", 1)], TypeError),
            ("200 OK", [("A",)], TypeError),
            ("200 OK", ["AB"], TypeError),
            ("OK", [], ValueError),
            ("2000 OK", [], ValueError),
            ("100 Continue", [], ValueError),
            ("200 OK\r\nX: y", [], ValueError),
            ("200 OK", [("A", "b\r\nSet-Cookie: e=1")], ValueError),
            ("200 OK", [("A\r\nB", "c")], ValueError),
            ("200 OK", [("A:", "c")], ValueError),
            ("200 OK", [("", "c")], ValueError),
            ("200 OK", [("A", "\u20ac")], ValueError),
            ("200 \u20ac", [], ValueError),
        ],
    )
    def test_what_cannot_be_sent_is_refused(self, status: Any, headers: Any, error: type[Exception]) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            with pytest.raises(error):
                startResponse(status, headers)
            startResponse("200 OK", PLAIN)
            return [b"refused"]

        assert answered(application, None).text == "refused"

    @pytest.mark.parametrize("headers", [(("A", "b"),), [["A", "b"]]])
    def test_other_sequences_are_warned_of(self, headers: Any) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            with pytest.warns(RuntimeWarning):
                startResponse("200 OK", headers)
            return [b"x"]

        assert answered(application, None).header("A") == "b"

    def test_second_call_needs_exc_info(self, poolOrNone: Any) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            startResponse("200 OK", PLAIN)
            with pytest.raises(RuntimeError, match="exc_info"):
                startResponse("201 Created", PLAIN)
            return [b"x"]

        assert answered(application, poolOrNone).code == 200

    def test_exc_info_replaces_the_head_before_output(self, poolOrNone: Any) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> Iterator[bytes]:
            startResponse("200 OK", [*PLAIN, ("X-A", "1")])
            yield b""
            try:
                raise ValueError("too late?")
            except ValueError:
                startResponse("500 Oops", PLAIN, sys.exc_info())
            yield b"oops"

        response = answered(validator(application), poolOrNone)
        assert (response.code, response.reason, response.text) == (500, b"Oops", "oops")
        assert response.header("X-A") is None

    def test_exc_info_after_output_is_raised(self, poolOrNone: Any) -> None:
        seen: list[BaseException] = []

        def application(environ: Environ, startResponse: StartResponse) -> Iterator[bytes]:
            startResponse("200 OK", PLAIN)
            yield b"begun"
            mistake = ValueError("too late")
            try:
                startResponse("500 Oops", PLAIN, (ValueError, mistake, None))
            except ValueError as raised:
                seen.extend((mistake, raised))
                raise

        with pytest.raises(BrokenResponse):
            answered(application, poolOrNone)
        assert seen[0] is seen[1]

    @pytest.mark.parametrize("result", [[b"x"], [], lambda: iter([b"x"]), lambda: iter([])])
    def test_not_called_is_an_error(self, poolOrNone: Any, result: Any) -> None:
        made = result() if callable(result) else result
        assert answered(lambda environ, startResponse: made, poolOrNone).code == 500

    def test_call_in_the_first_step_of_a_generator_counts(self, poolOrNone: Any) -> None:
        assert answered(validator(echo), poolOrNone, "POST", body=b"late").text == "late"


class TestResult:
    @pytest.mark.parametrize("result", [[b"ab"], (b"a", b"b"), [b"", b"a", b"b"]])
    def test_list_is_sent_with_its_length(self, poolOrNone: Any, result: Any) -> None:
        response = answered(giving(result), poolOrNone)
        assert (response.header("Content-Length"), response.body) == ("2", b"ab")

    @pytest.mark.parametrize("result", [[], [b""], lambda: iter([]), lambda: iter([b"", b""])])
    def test_nothing_is_an_empty_body(self, poolOrNone: Any, result: Any) -> None:
        response = answered(giving(result), poolOrNone)
        assert (response.code, response.body, response.header("Content-Length")) == (200, b"", "0")

    def test_pieces_are_chunked_and_empty_ones_skipped(self, poolOrNone: Any) -> None:
        response = answered(giving(iter([b"", b"a", b"", b"b"])), poolOrNone)
        assert (response.header("Transfer-Encoding"), response.body) == ("chunked", b"ab")

    def test_length_of_the_application_is_kept(self, poolOrNone: Any) -> None:
        response = answered(giving(iter([b"a", b"b"]), headers=[("Content-Length", "2")]), poolOrNone)
        assert (response.header("Content-Length"), response.body) == ("2", b"ab")
        assert response.header("Transfer-Encoding") is None

    def test_only_piece_is_sent_with_its_length(self, poolOrNone: Any) -> None:
        class One(wsgiapps.Closing):
            def __len__(self) -> int:
                return 1

        result = One([b"abc"])
        response = answered(giving(result), poolOrNone)
        assert (response.header("Content-Length"), response.body) == ("3", b"abc")
        assert result.wasClosed.wait(5)
        assert result.closed == 1

    def test_result_that_goes_on_after_its_length_is_cut_off(
        self, poolOrNone: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        result = iter([b"ab", b"c"])
        response = answered(giving(result, headers=[("Content-Length", "2")]), poolOrNone)
        assert response.body == b"ab"
        eventually(lambda: "longer than its Content-Length" in caplog.text)

    def test_result_that_fails_after_its_length_is_logged(
        self, poolOrNone: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        def result() -> Iterator[bytes]:
            yield b"ab"
            raise ValueError("at the end")

        response = answered(giving(result, headers=[("Content-Length", "2")]), poolOrNone)
        assert response.body == b"ab"
        eventually(lambda: "at the end" in caplog.text)

    @pytest.mark.parametrize("length", ["x", "-1", "", "1, 1"])
    def test_length_must_be_a_number(self, length: str) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            with pytest.raises(ValueError, match="Content-Length"):
                startResponse("200 OK", [("Content-Length", length)])
            with pytest.raises(ValueError, match="Content-Length"):
                startResponse("200 OK", [("Content-Length", "1"), ("content-length", "2")])
            startResponse("200 OK", [("content-length", "7"), ("Content-Length", "7")])
            return [b"refused"]

        assert answered(application, None).text == "refused"

    def test_file_wrapper_sends_a_file_and_closes_it(self, poolOrNone: Any) -> None:
        file = io.BytesIO(b"x" * 200_000)

        def application(environ: Environ, startResponse: StartResponse) -> Any:
            startResponse("200 OK", PLAIN)
            return environ["wsgi.file_wrapper"](file, 8192)

        assert answered(validator(application), poolOrNone).body == b"x" * 200_000
        eventually(lambda: file.closed)

    def test_request_class_with_its_own_write_is_obeyed(self, poolOrNone: Any) -> None:
        class Shouting(Request):
            def write(self, data: Any) -> None:
                super().write(data.upper())

        def streaming() -> Iterator[bytes]:
            yield b"d"
            yield b"e"

        for result, expected in (([b"abc"], b"ABC"), (streaming, b"DE")):
            site = siteOf(giving(result), poolOrNone)
            site.requestFactory = Shouting
            with TestClient(site) as client:
                assert client.get("/").body == expected

    @pytest.mark.parametrize("whole", [True, False])
    def test_response_is_compressed_where_the_site_does_that(self, poolOrNone: Any, whole: bool) -> None:
        pieces = [b"x" * 3000, b"y" * 3000]
        result = pieces if whole else lambda: iter(pieces)
        site = siteOf(giving(result), poolOrNone, encoders=standardEncoders())
        with TestClient(site) as client:
            response = client.get("/", headers={"Accept-Encoding": "gzip"})
        assert response.header("Content-Encoding") == "gzip"
        assert gzip.decompress(response.body) == b"".join(pieces)

    def test_who_waits_for_the_end_hears_of_it_in_the_loop(self, pool: ThreadPool) -> None:
        resource = WSGIResource(reactor, pool, giving([b"x"]))
        threads: list[int] = []

        def render(request: Any) -> Any:
            request.notifyFinish().addCallback(lambda _: threads.append(threading.get_ident()))
            return resource.render(request)

        with TestClient(Site(Calls(render))) as client:
            assert client.get("/").body == b"x"
            eventually(lambda: client.wait(0.001) or threads)
        assert threads == [threading.get_ident()]

    def test_large_list_is_sent_piece_by_piece(self, poolOrNone: Any) -> None:
        pieces = [bytes([number]) * 300_000 for number in range(10)]
        assert answered(giving(pieces), poolOrNone).body == b"".join(pieces)

    @pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
    def test_answer_without_body(self, poolOrNone: Any, status: str) -> None:
        response = answered(validator(giving([], status, [])), poolOrNone)
        assert (response.code, response.body) == (int(status[:3]), b"")

    @pytest.mark.parametrize("result", [[], [b""], lambda: iter([])])
    def test_head_without_body_claims_no_length(self, poolOrNone: Any, result: Any) -> None:
        assert answered(giving(result), poolOrNone, "HEAD").header("Content-Length") is None

    def test_head_has_the_length_of_the_body_or_of_the_application(self, poolOrNone: Any) -> None:
        assert answered(giving([b"abc"]), poolOrNone, "HEAD").header("Content-Length") == "3"
        response = answered(giving([], headers=[("Content-Length", "7")]), poolOrNone, "HEAD")
        assert (response.header("Content-Length"), response.body) == ("7", b"")

    @pytest.mark.parametrize("result", [["text"], [b"a", None], lambda: iter(["text"]), None, 5])
    def test_what_is_no_body_is_an_error(self, poolOrNone: Any, result: Any) -> None:
        assert answered(giving(result), poolOrNone).code == 500

    def test_write_sends_before_the_result(self, poolOrNone: Any) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            write = startResponse("200 OK", PLAIN)
            write(b"a")
            write(b"")
            write(b"b")
            with pytest.raises(TypeError):
                write("c")
            return [b"c"]

        assert answered(application, poolOrNone).body == b"abc"

    def test_piece_is_sent_before_the_next_is_made(self, pool: ThreadPool) -> None:
        arrived = threading.Event()

        def application(environ: Environ, startResponse: StartResponse) -> Iterator[bytes]:
            startResponse("200 OK", PLAIN)
            yield b"first"
            assert arrived.wait(5)
            yield b"second"

        with (
            TestClient(siteOf(validator(application), pool)) as client,
            client.stream("GET", "/") as response,
        ):
            pieces = response.pieces()
            assert next(pieces) == b"first"
            arrived.set()
            assert b"".join(pieces) == b"second"

    def test_application_runs_where_it_should(self, poolOrNone: Any) -> None:
        threads: list[int] = []

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            threads.append(threading.get_ident())
            startResponse("200 OK", PLAIN)
            return [b"x"]

        answered(application, poolOrNone)
        assert (threads == [threading.get_ident()]) is (poolOrNone is None)


class TestErrors:
    def test_error_before_output_is_a_500(self, poolOrNone: Any, caplog: pytest.LogCaptureFixture) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            startResponse("200 OK", [("X-A", "1")])
            raise ValueError("secret")

        response = answered(application, poolOrNone)
        assert response.code == 500
        assert b"secret" not in response.body
        assert response.header("X-A") is None
        assert any(record.exc_info and "secret" in str(record.exc_info[1]) for record in caplog.records)

    def test_error_after_output_cuts_the_response(self, poolOrNone: Any) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> Iterator[bytes]:
            startResponse("200 OK", PLAIN)
            yield b"begun"
            raise ValueError

        with pytest.raises(BrokenResponse):
            answered(application, poolOrNone)

    def test_exit_of_the_application_is_an_error(self, pool: ThreadPool) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            raise SystemExit

        assert answered(application, pool).code == 500

    def test_stopped_pool_is_a_503(self) -> None:
        pool = ThreadPool(0, 1)
        pool.start()
        pool.stop()
        assert answered(giving([b"x"]), pool).code == 503

    def test_pool_of_the_reactor_is_started(self) -> None:
        assert answered(giving([b"x"]), reactor.getThreadPool()).text == "x"

    def test_no_children(self) -> None:
        resource = WSGIResource(reactor, None, giving([]))
        with pytest.raises(RuntimeError):
            resource.putChild("a", Resource())
        with pytest.raises(RuntimeError):
            resource.getChildWithDefault(b"a", None)  # type: ignore[arg-type]


class TestWithReactor:
    def test_call_from_thread_of_another_reactor_is_used(self, pool: ThreadPool) -> None:
        calls: list[Any] = []

        class Other:
            def __init__(self) -> None:
                self.loop = asyncio.get_running_loop()

            def callFromThread(self, function: Any, *args: Any) -> None:
                calls.append(function)
                self.loop.call_soon_threadsafe(function, *args)

        async def run() -> Response:
            # What the application does wrong is answered in the loop.
            site = Site(WSGIResource(Other(), pool, giving(None)))
            async with AsyncTestClient(site) as client:
                return await client.get("/")

        assert asyncio.run(run()).code == 500
        assert calls

    def test_application_finds_the_loop_by_the_reactor(self, pool: ThreadPool) -> None:
        threads: list[int] = []
        called = threading.Event()

        def note() -> None:
            threads.append(threading.get_ident())
            called.set()

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            reactor.callFromThread(note)
            assert called.wait(5)
            startResponse("200 OK", PLAIN)
            return [b"x"]

        assert answered(application, pool).body == b"x"
        assert threads == [threading.get_ident()]

    def test_input_is_a_file_object(self, poolOrNone: Any) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            startResponse("200 OK", PLAIN)
            with io.TextIOWrapper(environ["wsgi.input"]) as text:
                return [text.read().encode()]

        assert answered(application, poolOrNone, "POST", body="\u00e4" * 100_000).text == "\u00e4" * 100_000
