"""The test clients, and the reader of responses that they use."""

import asyncio
import io
import os
import tempfile
from typing import Any

import pytest

from sennit.web._responses import BrokenResponse, ResponseReader
from sennit.web.server import NOT_DONE_YET, Site
from sennit.web.testing import AsyncTestClient
from tests.unit.web.doubles import Calls, clientOf


def read(data: bytes, *, method: bytes = b"GET", end: bool = False, size: int = 10_000) -> ResponseReader:
    reader = ResponseReader(method)
    for start in range(0, len(data), size):
        reader.receive(data[start : start + size])
    if end:
        reader.receiveEnd()
    return reader


OK = b"HTTP/1.1 200 OK\r\n"


class TestReader:
    @pytest.mark.parametrize("size", [10_000, 1])
    @pytest.mark.parametrize(
        ("data", "body"),
        [
            (OK + b"Content-Length: 3\r\n\r\nabc", b"abc"),
            (OK + b"Content-Length: 0\r\n\r\n", b""),
            (
                OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
                b"abc0123456789",
            ),
            (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
            (b"HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n", b""),
        ],
    )
    def test_reader_reads_whole_response(self, data: bytes, body: bytes, size: int) -> None:
        reader = read(data, size=size)
        assert reader.complete
        assert reader.reusable
        assert reader.takeBody() == body

    def test_reader_reads_until_close(self) -> None:
        reader = read(b"HTTP/1.0 200 OK\r\n\r\nabc", end=True)
        assert (reader.complete, reader.reusable, reader.takeBody()) == (True, False, b"abc")

    def test_reader_expects_no_body_of_head(self) -> None:
        assert read(OK + b"Content-Length: 3\r\n\r\n", method=b"HEAD").complete

    def test_reader_keeps_interim_responses_and_trailers(self) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        reader = read(early + OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert [(head.code, head.headers.getRawHeaders("link")) for head in reader.interim] == [
            (103, ["</x>"])
        ]
        assert reader.trailers.getRawHeaders("x-sum") == ["1"]

    @pytest.mark.parametrize("header", [b"Connection: close", b"Connection: x, Close"])
    def test_reader_knows_that_connection_ends(self, header: bytes) -> None:
        assert not read(OK + header + b"\r\nContent-Length: 0\r\n\r\n").reusable

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/2 200 OK\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 200\r\n\r\n",
            OK + b"No colon\r\n\r\n",
            OK + b" Folded: 1\r\n\r\n",
            OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
            OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            OK + b"Content-Length: +1\r\n\r\n",
            OK + b"Transfer-Encoding: gzip\r\n\r\n",
            OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
            OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc",
            OK + b"Content-Length: 1\r\n\r\nab",
        ],
    )
    def test_reader_refuses_what_is_no_response(self, data: bytes) -> None:
        with pytest.raises(BrokenResponse):
            read(data + b"\r\n")

    @pytest.mark.parametrize("data", [b"", OK, OK + b"Content-Length: 3\r\n\r\nab"])
    def test_reader_refuses_truncated_response(self, data: bytes) -> None:
        with pytest.raises(BrokenResponse, match="closed"):
            read(data, end=True)


class TestRequests:
    def test_client_sends_every_method(self) -> None:
        with clientOf(lambda request: request.method) as client:
            for method in ("get", "post", "put", "patch", "delete", "options"):
                assert getattr(client, method)("/").text == method.upper()
            assert client.head("/").code == 200

    @pytest.mark.parametrize(
        ("options", "kind", "body"),
        [
            ({"body": b"x"}, None, b"x"),
            ({"body": "ä"}, None, "ä".encode()),
            ({"body": ["a", b"b"]}, None, b"ab"),
            ({"json": {"a": [1]}}, b"application/json", b'{"a": [1]}'),
            (
                {"form": {"a": ["1", "2"], "b": "ä"}},
                b"application/x-www-form-urlencoded",
                b"a=1&a=2&b=%C3%A4",
            ),
            ({"json": {}, "headers": {"Content-Type": "x/y"}}, b"x/y", b"{}"),
            ({}, None, b""),
        ],
    )
    def test_client_sends_bodies(self, options: Any, kind: bytes | None, body: bytes) -> None:
        seen: list[Any] = []

        def render(request: Any) -> bytes:
            seen.append((request.getHeader(b"content-type"), request.content.read()))
            return b""

        with clientOf(render) as client:
            assert client.post("/", **options).code == 200
        assert seen == [(kind, body)]

    def test_client_refuses_two_bodies(self) -> None:
        with clientOf(lambda request: "") as client, pytest.raises(TypeError, match="one body"):
            client.post("/", body=b"x", json={})

    def test_client_sends_headers(self) -> None:
        with clientOf(lambda r: repr(r.requestHeaders.getRawHeaders("x")), headers={"X": "0"}) as client:
            assert client.get("/", headers=[("X", "1"), (b"x", b"2")]).text == "['0', '1', '2']"

    def test_client_escapes_targets(self) -> None:
        with clientOf(lambda request: request.uri) as client:
            assert client.get("/a b/ä?q=ö").text == "/a%20b/%C3%A4?q=%C3%B6"

    def test_client_speaks_http_1_0(self) -> None:
        with clientOf(lambda request: request.clientproto, version="1.0") as client:
            response = client.get("/")
        assert response.text == "HTTP/1.0"

    def test_client_keeps_connection(self) -> None:
        with clientOf(lambda request: "x") as client:
            client.get("/")
            (connection,) = client._client._idle
            client.get("/")
            assert client._client._idle == [connection]

    def test_response_has_views(self) -> None:
        def render(request: Any) -> bytes:
            request.setHeader("Content-Type", "text/plain; charset=latin-1")
            request.setResponseCode(299, "Odd")
            return b'"\xe4"'

        with clientOf(render) as client:
            response = client.get("/x")
        assert (response.code, response.reason, response.version) == (299, b"Odd", b"HTTP/1.1")
        assert (response.text, response.target, response.header("content-length")) == ('"ä"', "/x", "3")
        assert repr(response) == "<Response 299 to '/x', 3 bytes>"

    def test_response_has_interim_and_trailers(self) -> None:
        def render(request: Any) -> int:
            request.writeInterim(103, {"Link": "</x>"})
            request.setTrailer("X-Sum", "1")
            request.write(b"x")
            request.finish()
            return NOT_DONE_YET

        with clientOf(render) as client:
            response = client.get("/", headers={"TE": "trailers"})
        assert [head.code for head in response.interim] == [103]
        assert response.trailers.getRawHeaders("x-sum") == ["1"]

    def test_response_is_read_as_json(self) -> None:
        with clientOf(lambda request: '{"a": "ä"}') as client:
            assert client.get("/").json() == {"a": "ä"}


class TestCookies:
    def test_client_keeps_cookies(self) -> None:
        def render(request: Any) -> str:
            request.addCookie("a", "1")
            return repr(request.received_cookies)

        with clientOf(render) as client:
            client.get("/")
            assert client.cookies == {"a": "1"}
            assert client.get("/").text == repr({b"a": b"1"})

    @pytest.mark.parametrize(
        ("attributes", "kept"),
        [
            ({"max_age": 0}, False),
            ({"max_age": 5, "expires": "Sun, 06 Nov 1994 08:49:37 GMT"}, True),
            ({"expires": "Sun, 06 Nov 1994 08:49:37 GMT"}, False),
            ({"expires": "never"}, True),
        ],
    )
    def test_client_drops_expired_cookies(self, attributes: Any, kept: bool) -> None:
        def render(request: Any) -> str:
            request.addCookie("a", "2", **attributes)
            return ""

        with clientOf(render) as client:
            client.cookies["a"] = "1"
            client.get("/")
            assert ("a" in client.cookies) is kept


class TestRedirects:
    @staticmethod
    def render(request: Any) -> Any:
        if request.path == b"/end":
            return request.method + b" " + request.content.read()
        if request.path == b"/loop":
            request.redirect("/loop")
        elif request.path == b"/away":
            request.redirect("http://elsewhere.example/")
        else:
            request.setHeader("Location", "end?x")
            request.setResponseCode(int(request.path[1:]))
        return b"on the way"

    def test_client_does_not_follow_by_itself(self) -> None:
        with clientOf(self.render) as client:
            assert client.get("/302").code == 302

    @pytest.mark.parametrize(
        ("code", "method", "text"),
        [
            (301, "POST", "GET "),
            (303, "PUT", "GET "),
            (307, "POST", "POST x"),
            (308, "PUT", "PUT x"),
            (302, "GET", "GET x"),
        ],
    )
    def test_client_follows_redirect(self, code: int, method: str, text: str) -> None:
        with clientOf(self.render) as client:
            response = client.request(method, f"/{code}", body=b"x", followRedirects=True)
        assert (response.text, response.target) == (text, "/end?x")
        assert [step.code for step in response.history] == [code]

    def test_client_stays_on_its_site(self) -> None:
        with clientOf(self.render) as client:
            assert client.get("/away", followRedirects=True).code == 302

    def test_client_gives_up_on_a_circle(self) -> None:
        with clientOf(self.render) as client, pytest.raises(BrokenResponse, match="redirects"):
            client.get("/loop", followRedirects=True)


class TestStreaming:
    def test_client_reads_pieces_as_they_come(self) -> None:
        async def render(request: Any) -> int:
            for number in range(3):
                request.write(b"%d" % number)
                await asyncio.sleep(0.02)
            request.finish()
            return NOT_DONE_YET

        with clientOf(render) as client, client.stream("GET", "/") as response:
            assert response.code == 200
            assert list(response.pieces()) == [b"0", b"1", b"2"]

    def test_client_that_leaves_can_not_go_on_reading(self) -> None:
        def render(request: Any) -> int:
            request.write(b"x")
            return NOT_DONE_YET

        with clientOf(render) as client, client.stream("GET", "/") as response:
            response.disconnect()
            with pytest.raises(BrokenResponse):
                response.read()
                response.read()

    def test_block_that_ends_early_disconnects(self) -> None:
        gone: list[Any] = []

        def render(request: Any) -> int:
            request.notifyFinish().addErrback(gone.append)
            request.write(b"x")
            return NOT_DONE_YET

        with clientOf(render) as client:
            with client.stream("GET", "/"):
                assert gone == []
            assert len(gone) == 1


class TestLoops:
    def test_async_client_works_in_running_loop(self) -> None:
        async def render(request: Any) -> bytes:
            await asyncio.sleep(0)
            path: bytes = request.path
            return path

        async def main() -> list[str]:
            async with AsyncTestClient(Site(Calls(render))) as client:
                responses = await asyncio.gather(*(client.get(f"/{number}") for number in range(5)))
                return [response.text for response in responses]

        assert asyncio.run(main()) == ["/0", "/1", "/2", "/3", "/4"]

    def test_plain_client_refuses_running_loop(self) -> None:
        async def main() -> None:
            with clientOf(lambda request: "") as client, pytest.raises(RuntimeError, match="AsyncTestClient"):
                client.get("/")

        asyncio.run(main())

    def test_client_gives_up_after_its_time(self) -> None:
        with clientOf(lambda request: NOT_DONE_YET, timeout=0.05) as client, pytest.raises(TimeoutError):
            client.get("/")

    def test_background_work_goes_on_while_waiting(self) -> None:
        done: list[bool] = []

        def render(request: Any) -> str:
            asyncio.get_running_loop().call_later(0.01, done.append, True)
            return ""

        with clientOf(render) as client:
            client.get("/")
            client.wait(0.03)
        assert done == [True]


class TestUploads:
    def test_files_of_all_kinds(self) -> None:
        with tempfile.NamedTemporaryFile(suffix=".bin") as file:
            file.write(b"of a file")
            file.seek(0)

            def render(request: Any) -> str:
                return repr(
                    [
                        (name, one.filename, one.contentType, one.read())
                        for name, several in request.files.items()
                        for one in several
                    ]
                )

            files = {
                "a": b"bytes",
                "b": ("b.txt", "text", "text/plain"),
                "c": file,
                "d": [("1", b"one"), ("2", io.BytesIO(b"two"))],
            }
            with clientOf(render) as client:
                text = client.post("/", form={"x": "y"}, files=files).text
            assert text == repr(
                [
                    ("a", "a", "application/octet-stream", b"bytes"),
                    ("b", "b.txt", "text/plain", b"text"),
                    ("c", os.path.basename(file.name), "application/octet-stream", b"of a file"),
                    ("d", "1", "application/octet-stream", b"one"),
                    ("d", "2", "application/octet-stream", b"two"),
                ]
            )

    def test_stream_takes_bodies_too(self) -> None:
        with (
            clientOf(lambda request: request.getArg("a")) as client,
            client.stream("POST", "/", form={"a": "b"}) as response,
        ):
            assert response.read() == b"b"


class TestCookiePlaces:
    @pytest.mark.parametrize(
        ("attributes", "target", "sent"),
        [
            ({"path": "/a"}, "/a", True),
            ({"path": "/a"}, "/a/b?c", True),
            ({"path": "/a"}, "/ab", False),
            ({"path": "/a"}, "/", False),
            ({"path": "/"}, "/x", True),
            ({}, "/set/y", True),
            ({}, "/x", False),
            ({"secure": True, "path": "/"}, "/x", False),
        ],
    )
    def test_cookie_goes_to_its_path(self, attributes: Any, target: str, sent: bool) -> None:
        def render(request: Any) -> Any:
            if request.path == b"/set/x":
                request.addCookie("k", "v", **attributes)
            return repr(request.getCookie("k"))

        with clientOf(render) as client:
            client.get("/set/x")
            assert client.cookies == {"k": "v"}
            assert client.get(target).text == repr(b"v" if sent else None)

    def test_secure_cookie_goes_over_tls(self) -> None:
        def render(request: Any) -> Any:
            request.addCookie("k", "v", secure=True)
            return repr(request.getCookie("k"))

        with clientOf(render, secure=True) as client:
            assert [client.get("/").text for _ in range(2)] == ["None", "b'v'"]

    def test_cookie_of_a_test_goes_everywhere(self) -> None:
        def render(request: Any) -> Any:
            request.addCookie("k", "site", path="/a")
            return repr(request.getCookie("k"))

        with clientOf(render) as client:
            client.get("/")
            client.cookies["k"] = "test"
            assert client.get("/b").text == repr(b"test")

    def test_cookie_ends(self) -> None:
        def render(request: Any) -> Any:
            request.addCookie("k", "v", max_age=0 if request.uri == b"/end" else 60)
            return b""

        with clientOf(render) as client:
            client.get("/")
            assert client.cookies == {"k": "v"}
            client.get("/end")
            assert client.cookies == {}


def test_redirects_have_a_limit() -> None:
    def render(request: Any) -> bytes:
        request.redirect(b"/" + b"%d" % (int(request.path[1:]) + 1))
        return b""

    with clientOf(render, maxRedirects=3) as client:
        assert client.get("/1").history == []
        with pytest.raises(BrokenResponse, match="more than 3 redirects"):
            client.get("/1", followRedirects=True)
