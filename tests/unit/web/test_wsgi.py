"""WSGI applications as resources: what they are told, what becomes of what they give."""

import asyncio
import io
import logging
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from sennit._engine import Channel
from sennit.internet import reactor
from sennit.python.threadpool import ThreadPool
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import AsyncTestClient, BrokenResponse, Response, TestClient
from sennit.web.wsgi import WSGIResource
from tests.unit.web.doubles import Calls

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

PLAIN = [("Content-Type", "text/plain")]


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """A pool that must be free of work in the end: nothing may keep a thread for ever."""
    pool = ThreadPool(0, 4)
    pool.start()
    yield pool
    assert pool.stop(timeout=5)


@pytest.fixture(params=["thread", "loop"])
def poolOrNone(request: Any) -> Any:
    return request.getfixturevalue("pool") if request.param == "thread" else None


def siteOf(application: Any, pool: Any, *path: str, **options: Any) -> Site:
    resource: Resource = WSGIResource(reactor, pool, application)
    for segment in reversed(path):
        above = Resource()
        above.putChild(segment, resource)
        resource = above
    return Site(resource, **options)


def answered(application: Any, pool: Any, method: str = "GET", target: str = "/", **options: Any) -> Response:
    with TestClient(siteOf(application, pool)) as client:
        return client.request(method, target, **options)


def environOf(
    pool: Any, *path: str, target: str = "/", client: dict[str, Any] | None = None, **options: Any
) -> Environ:
    """What an application is told."""
    seen: Environ = {}

    def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
        seen.update(environ)
        startResponse("200 OK", PLAIN)
        return [b""]

    with TestClient(siteOf(validator(application), pool, *path), **client or {}) as testClient:
        assert testClient.request(options.pop("method", "GET"), target, **options).code == 200
    return seen


class Closing:
    """A result that counts how often it is closed."""

    def __init__(self, pieces: Any) -> None:
        self.pieces = pieces
        self.closed = 0
        self.wasClosed = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed += 1
        self.wasClosed.set()


def giving(result: Any, status: str = "200 OK", headers: Any = None) -> Any:
    """An application that returns something prepared; of a function, what that returns."""

    def application(environ: Environ, startResponse: StartResponse) -> Any:
        startResponse(status, PLAIN if headers is None else headers)
        return result() if callable(result) else result

    return application


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


def eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.002)


class TestBody:
    @pytest.mark.parametrize(
        "body", [None, b"", b"a\nbc\n\nd", b"x" * 300_000, [b"a\n", b"b" * 100_000, b"\nc"]]
    )
    @pytest.mark.parametrize("way", ["read", "read-none", "pieces", "lines", "readlines", "mixed"])
    def test_body_is_read_in_every_way(self, poolOrNone: Any, body: Any, way: str) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            startResponse("200 OK", PLAIN)
            return [readAll(environ["wsgi.input"], way)]

        response = answered(application, poolOrNone, "POST", body=body)
        assert response.body == (b"".join(body) if isinstance(body, list) else body or b"")

    def test_lines_are_lines(self, poolOrNone: Any) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            startResponse("200 OK", PLAIN)
            assert environ["wsgi.input"].readline(1) == b"a"
            assert list(environ["wsgi.input"]) == [b"\n", b"b\n", b"c"]
            assert environ["wsgi.input"].read(1) == b""
            return [b"ok"]

        assert answered(application, poolOrNone, "POST", body=[b"a\n", b"b", b"\nc"]).text == "ok"

    def test_body_is_read_while_it_is_sent(self, pool: ThreadPool) -> None:
        seen: list[bytes] = []

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            startResponse("200 OK", PLAIN)
            seen.extend(environ["wsgi.input"].read(2) for _ in range(3))
            return [b"ok"]

        async def pieces() -> Any:
            for number in range(3):
                yield b"%d\n" % number
                await asyncio.to_thread(eventually, lambda: len(seen) > number)  # noqa: B023

        assert answered(application, pool, "POST", body=pieces()).text == "ok"
        assert seen == [b"0\n", b"1\n", b"2\n"]

    def test_body_of_a_resource_found_dynamically_is_read(self, pool: ThreadPool) -> None:
        # The engine doesn't know of the WSGIResource when the body comes, and collects it.
        class Above(Resource):
            def getChild(self, path: bytes, request: Any) -> Resource:
                return WSGIResource(reactor, pool, validator(echo))

        with TestClient(Site(Above())) as client:
            assert client.post("/x", body=b"y" * 90_000).body == b"y" * 90_000

    def test_body_too_large_is_an_error_of_the_client(self, pool: ThreadPool) -> None:
        seen: list[BaseException] = []

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            try:
                environ["wsgi.input"].read()
            except OSError as error:
                seen.append(error)
                raise
            return []

        with TestClient(siteOf(application, pool, maxBody=100)) as client:
            assert client.post("/", body=[b"x" * 60, b"y" * 60]).code == 413
        assert "413" in str(seen[0])

    def test_application_may_answer_a_refused_body(self, pool: ThreadPool) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            try:
                environ["wsgi.input"].read()
            except OSError:
                startResponse("400 No", PLAIN)
            return [b"no"]

        with TestClient(siteOf(application, pool, maxBody=100)) as client:
            response = client.post("/", body=[b"x" * 60, b"y" * 60])
        assert (response.code, response.text) == (400, "no")

    def test_unread_body_does_not_disturb_the_next_request(self, poolOrNone: Any) -> None:
        with TestClient(siteOf(giving([b"x"]), poolOrNone)) as client:
            for _ in range(3):
                assert client.post("/", body=b"GET / HTTP/1.1\r\n\r\n" * 1000).text == "x"


def readAll(stream: Any, way: str) -> bytes:
    if way == "read":
        return bytes(stream.read())
    if way == "read-none":
        return bytes(stream.read(-1)) + bytes(stream.read(None))
    if way == "pieces":
        return b"".join(iter(lambda: stream.read(7000), b""))
    if way == "lines":
        return b"".join(stream)
    if way == "readlines":
        return b"".join(stream.readlines())
    return bytes(stream.readline() + stream.read(3) + stream.readline() + stream.read())


def echo(environ: Environ, startResponse: StartResponse) -> Iterator[bytes]:
    startResponse("200 OK", PLAIN)
    while piece := environ["wsgi.input"].read(5000):
        yield piece


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


class TestClose:
    def failing(self) -> Iterator[bytes]:
        yield b"begun"
        raise ValueError

    @pytest.mark.parametrize("pieces", [[], [b"a"], [b"", b"a", b"b"], [b"x" * 200_000] * 5, ["text"]])
    def test_result_is_closed_once(self, poolOrNone: Any, pieces: Any) -> None:
        result = Closing(pieces)
        answered(giving(result), poolOrNone)
        assert result.wasClosed.wait(5)
        assert result.closed == 1

    def test_result_is_closed_once_when_it_fails(self, poolOrNone: Any) -> None:
        result = Closing(self.failing())
        with pytest.raises(BrokenResponse):
            answered(giving(result), poolOrNone)
        assert result.wasClosed.wait(5)
        assert result.closed == 1

    def test_result_is_closed_once_when_the_head_is_missing(self, poolOrNone: Any) -> None:
        result = Closing([b"x"])
        assert answered(lambda environ, startResponse: result, poolOrNone).code == 500
        assert result.wasClosed.wait(5)
        assert result.closed == 1

    def test_failing_close_is_logged(self, poolOrNone: Any, caplog: pytest.LogCaptureFixture) -> None:
        class Failing(Closing):
            def close(self) -> None:
                super().close()
                raise ValueError("in close")

        result = Failing([b"x"])
        assert answered(giving(result), poolOrNone).body == b"x"
        eventually(lambda: "closing" in caplog.text)
        assert result.closed == 1

    def test_result_is_closed_once_when_the_client_leaves(self, poolOrNone: Any) -> None:
        def endless() -> Iterator[bytes]:
            while True:
                time.sleep(0.001)
                yield b"x" * 1000

        result = Closing(endless())
        with TestClient(siteOf(giving(result), poolOrNone)) as client:
            with client.stream("GET", "/") as response:
                next(response.pieces())
                response.disconnect()
            eventually(lambda: client.wait(0.001) or result.wasClosed.is_set())
        assert result.closed == 1

    def test_application_that_reads_is_told_that_the_client_has_left(self, pool: ThreadPool) -> None:
        seen: list[str] = []
        result = Closing([b"never"])

        def application(environ: Environ, startResponse: StartResponse) -> Any:
            startResponse("200 OK", PLAIN)
            try:
                environ["wsgi.input"].read()
            except ConnectionError as error:
                seen.append(str(error))
            return result

        async def run() -> None:
            async with siteOf(application, pool).start() as port:
                _, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
                writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.close()
                await asyncio.to_thread(result.wasClosed.wait, 5)

        begun = time.monotonic()
        asyncio.run(run())
        # Nothing may refer to the request any more, which would keep the stopping site waiting.
        assert time.monotonic() - begun < 0.9
        assert seen == ["the client has left"]
        assert result.closed == 1


class TestOnTheWire:
    def test_slow_client_holds_the_application_up(self, pool: ThreadPool) -> None:
        given: list[int] = []

        def application(environ: Environ, startResponse: StartResponse) -> Iterator[bytes]:
            startResponse("200 OK", PLAIN)
            for number in range(2000):
                given.append(number)
                yield b"x" * 32768

        async def run() -> tuple[int, int]:
            async with siteOf(validator(application), pool).start() as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port, limit=1000)
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                held = await settled(lambda: len(given))
                received = 0
                while piece := await reader.read(1 << 20):
                    received += len(piece)
                writer.close()
                return held, received

        held, received = asyncio.run(run())
        # What fits into the buffers of both sockets, the queue and the engine is far from all.
        assert held < 1000
        assert len(given) == 2000
        assert received > 2000 * 32768

    def test_slow_application_holds_the_client_up(self, pool: ThreadPool) -> None:
        go = threading.Event()

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            startResponse("200 OK", PLAIN)
            go.wait(10)
            size = 0
            while piece := environ["wsgi.input"].read(100_000):
                size += len(piece)
            return [b"%d" % size]

        total = 40 << 20

        async def run() -> tuple[int, bytes]:
            async with siteOf(application, pool).start() as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
                writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % total)
                sent = 0

                async def send() -> None:
                    nonlocal sent
                    while sent < total:
                        writer.write(b"x" * (1 << 18))
                        sent += 1 << 18
                        await writer.drain()

                sending = asyncio.ensure_future(send())
                held = await settled(lambda: sent)
                go.set()
                await sending
                await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(len(str(total)))
                writer.close()
                return held, body

        held, body = asyncio.run(run())
        assert held < total // 2
        assert body == b"%d" % total

    @pytest.mark.parametrize("reads", [True, False])
    def test_client_is_told_to_go_on_when_the_application_reads(self, pool: ThreadPool, reads: bool) -> None:
        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            body = environ["wsgi.input"].read() if reads else b"unread"
            startResponse("200 OK", PLAIN)
            return [body]

        async def run() -> bytes:
            async with siteOf(application, pool).start() as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
                writer.write(
                    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
                )
                line = await asyncio.wait_for(reader.readline(), 5)
                if reads:
                    writer.write(b"body")
                    assert await reader.readline() == b"\r\n"
                    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
                    assert await reader.readexactly(4) == b"body"
                writer.close()
                return line

        assert asyncio.run(run()) == (b"HTTP/1.1 100 Continue\r\n" if reads else b"HTTP/1.1 200 OK\r\n")

    def test_waiting_application_does_not_hold_up_others(self, pool: ThreadPool) -> None:
        go = threading.Event()

        def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
            startResponse("200 OK", PLAIN)
            if environ["PATH_INFO"] == "/slow":
                assert go.wait(5)
            return [b"x"]

        async def run() -> None:
            async with AsyncTestClient(siteOf(application, pool)) as client:
                slow = asyncio.ensure_future(client.get("/slow"))
                assert (await client.get("/")).text == "x"
                assert not slow.done()
                go.set()
                assert (await slow).text == "x"

        asyncio.run(run())

    def test_reset_while_the_application_waits_to_send(self, pool: ThreadPool) -> None:
        result = Closing(iter(lambda: b"x" * 65536, b""))

        async def run() -> None:
            async with siteOf(giving(result), pool).start() as port:
                client = socket.create_connection(("127.0.0.1", port.getHost().port))
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await asyncio.sleep(0.1)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                await asyncio.to_thread(result.wasClosed.wait, 5)

        asyncio.run(run())
        assert result.closed == 1

    def test_loop_that_ends_lets_the_application_go(self, pool: ThreadPool) -> None:
        begun = threading.Event()

        def endless() -> Iterator[bytes]:
            while True:
                begun.set()
                yield b"x" * 65536

        result = Closing(endless())

        async def run() -> None:
            port = await siteOf(giving(result), pool).start()
            client = socket.create_connection(("127.0.0.1", port.getHost().port))
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.to_thread(begun.wait, 5)
            await asyncio.sleep(0.05)
            client.detach()

        asyncio.run(run())
        assert result.wasClosed.wait(5)
        assert result.closed == 1


@pytest.mark.parametrize(
    ("request_", "reads"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", False),
    ],
)
def test_application_does_not_wait_for_a_closed_loop(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch, request_: bytes, reads: bool
) -> None:
    monkeypatch.setattr("sennit.web.wsgi.LOOP_CHECK", 0.02)
    monkeypatch.setattr("sennit.web._wsgiinput.LOOP_CHECK", 0.02)
    begun = threading.Event()
    seen: list[str] = []
    result = Closing(iter(lambda: b"x" * 65536, b""))

    def application(environ: Environ, startResponse: StartResponse) -> Any:
        startResponse("200 OK", PLAIN)
        begun.set()
        if reads:
            try:
                environ["wsgi.input"].read()
            except ConnectionError as error:
                seen.append(str(error))
        return result

    async def run() -> Channel:
        # Nobody takes what is sent here, or closes it when the loop ends.
        channel = Channel(siteOf(application, pool).engineService())
        channel.receive(request_)
        await asyncio.to_thread(begun.wait, 5)
        await asyncio.sleep(0.05)
        return channel

    channel = asyncio.run(run())
    assert result.wasClosed.wait(5)
    assert seen == (["the server has stopped"] if reads else [])
    channel.disconnect()


def test_result_taken_in_the_loop_is_closed_once_whoever_closes_it() -> None:
    result = Closing([b"a", b"b"])
    pieces: list[Any] = []

    def render(request: Any) -> Any:
        pieces.append(WSGIResource(reactor, None, giving(result)).render(request))
        return pieces[0]

    with TestClient(Site(Calls(render))) as client:
        assert client.get("/").body == b"ab"
    pieces[0].close()
    assert list(pieces[0]) == []
    assert result.closed == 1


async def settled(value: Callable[[], int]) -> int:
    """The value once it hasn't changed for a while."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < 0.2:
        await asyncio.sleep(0.02)
        if value() != last:
            last, since = value(), time.monotonic()
    return last


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
            site = Site(WSGIResource(Other(), pool, giving(iter([b"a", b"b"]))))
            async with AsyncTestClient(site) as client:
                return await client.get("/")

        assert asyncio.run(run()).body == b"ab"
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
