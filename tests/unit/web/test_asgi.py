"""ASGI applications as resources: the scope, the messages both ways, and mistakes."""

import asyncio
import gzip
import io
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from sennit._engine import Channel
from sennit.web.asgi import ASGIResource
from sennit.web.resource import Resource
from sennit.web.server import GzipEncoderFactory, Request, Site
from sennit.web.testing import AsyncTestClient, TestClient
from tests.unit.web.asgiapps import Receive, Send, body, clientOf, readBody, scopeOf, sending, siteOf, start


class TestScope:
    def test_scope_describes_the_request(self) -> None:
        scope = scopeOf("POST", "/a%20b/%C3%A4?x=%20&y", headers={"Host": "h:8000", "X-A": "1"})
        assert scope.pop("extensions").keys() == {
            "http.response.early_hint",
            "http.response.pathsend",
            "http.response.trailers",
            "http.response.zerocopysend",
        }
        assert scope == {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/a b/ä",
            "raw_path": b"/a%20b/%C3%A4",
            "query_string": b"x=%20&y",
            "root_path": "",
            "headers": [(b"host", b"h:8000"), (b"x-a", b"1")],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
            "state": {},
        }

    @pytest.mark.parametrize(
        ("mount", "target", "root", "path"),
        [
            ("", "/", "", "/"),
            ("", "/x", "", "/x"),
            ("", "", "", "/"),
            ("shop", "/shop", "/shop", "/shop"),
            ("shop", "/shop/", "/shop", "/shop/"),
            ("shop/a b", "/shop/a%20b/c%2Fd", "/shop/a b", "/shop/a b/c/d"),
            ("shop/", "/shop/", "/shop", "/shop/"),
        ],
    )
    def test_segments_that_led_there_are_the_root_path(
        self, mount: str, target: str, root: str, path: str
    ) -> None:
        scope = scopeOf("GET", target or "/", mount)
        assert (scope["root_path"], scope["path"]) == (root, path)
        assert scope["raw_path"] == (target or "/").encode()

    def test_root_path_of_a_proxy_goes_before_all(self) -> None:
        scope = scopeOf("GET", "/shop/x", "shop", rootPath="/ä/api/")
        assert scope["root_path"] == "/ä/api/shop"
        assert scope["path"] == "/ä/api/shop/x"
        assert scope["raw_path"] == b"/%C3%A4/api/shop/x"
        with pytest.raises(ValueError, match="slash"):
            ASGIResource(sending(), rootPath="api")

    def test_root_path_follows_what_the_tree_makes_of_the_path(self) -> None:
        class Anything(Resource):
            def getChild(self, path: bytes, request: Request) -> Any:
                request.postpath.insert(0, b"inserted")
                return leaf

        scopes: list[Any] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            scopes.append((scope["root_path"], scope["path"], scope["raw_path"]))
            await send(start())
            await send(body(await readBody(receive)))

        leaf = ASGIResource(app)
        with TestClient(Site(Anything())) as client:
            assert client.post("/a/b", body=b"collected").body == b"collected"
            assert client.post("/a", body=b"x" * 200_000).body == b"x" * 200_000
        assert scopes == [("/a", "/a/inserted/b", b"/a/b"), ("/a", "/a/inserted", b"/a")]

    def test_path_that_is_no_utf8_is_shown_as_far_as_it_is(self) -> None:
        assert scopeOf("GET", "/%ff")["path"] == "/\ufffd"

    def test_headers_keep_order_and_repetitions(self) -> None:
        headers = [("X-B", "1"), ("x-a", "2"), ("X-b", "3"), ("X-" + "long" * 20, "4")]
        scope = scopeOf("GET", "/", headers=headers)
        assert scope["headers"][1:] == [
            (b"x-b", b"1"),
            (b"x-a", b"2"),
            (b"x-b", b"3"),
            (b"x-" + b"long" * 20, b"4"),
        ]

    def test_headers_changed_on_the_way_are_those_changed(self) -> None:
        scopes: list[Any] = []

        class Gate(Resource):
            def getChild(self, path: bytes, request: Request) -> Any:
                request.requestHeaders.setRawHeaders("X-User", ["me"])
                request.requestHeaders.removeHeader("X-Secret")
                return ASGIResource(app)

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            scopes.append(scope)
            await send(start())
            await send(body())

        with TestClient(Site(Gate())) as client:
            client.get("/x", headers={"X-Secret": "1"})
        assert scopes[0]["headers"] == [(b"host", b"localhost"), (b"x-user", b"me")]

    def test_scope_of_another_kind_of_connection(self) -> None:
        scopes: list[Any] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            scopes.append(scope)
            await send(start())
            await send(body())

        site = siteOf(app)
        with TestClient(site, secure=True, peer="", host="/run/x", version="1.0") as client:
            client.request("PROPFIND", "/")
        assert scopes[0]["scheme"] == "https"
        assert scopes[0]["http_version"] == "1.0"
        assert scopes[0]["method"] == "PROPFIND"
        assert (scopes[0]["client"], scopes[0]["server"]) == (None, ("/run/x", None))

    def test_state_is_copied_for_each_request(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            scope["state"]["own"] = scope["extensions"]["own"] = 1
            assert scope["state"]["shared"] is shared
            await send(start())
            await send(body(repr(sorted(scope["state"])).encode()))

        shared: list[int] = []
        leaf = ASGIResource(app)
        leaf.lifespan.state["shared"] = shared
        with TestClient(Site(leaf)) as client:
            assert client.get("/").body == b"['own', 'shared']"
            assert client.get("/").body == b"['own', 'shared']"
        assert leaf.lifespan.state == {"shared": shared}

    def test_proxy_headers_told_to_the_request_reach_the_scope(self) -> None:
        from sennit.internet.address import IPv4Address

        class Told(Resource):
            def getChild(self, path: bytes, request: Request) -> Any:
                request.setHost("example.org", 443, True)
                request.client = IPv4Address("TCP", "192.0.2.1", 1234)
                return ASGIResource(app)

        scopes: list[Any] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            scopes.append(scope)
            await send(start())
            await send(body())

        with TestClient(Site(Told())) as client:
            client.get("/x")
        assert scopes[0]["scheme"] == "https"
        assert scopes[0]["client"] == ("192.0.2.1", 1234)
        assert (b"host", b"example.org") in scopes[0]["headers"]

    def test_trusted_proxy_tells_of_the_client(self) -> None:
        headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
        seen: list[Any] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            seen.append((scope["scheme"], scope["client"][0]))
            await send(start())
            await send(body())

        site = siteOf(app)
        site.trustedProxies = ["10.0.0.0/8"]
        for peer in ("10.0.0.7", "203.0.113.9"):
            with TestClient(site, peer=(peer, 4711)) as client:
                client.get("/", headers=headers)
        assert seen == [("https", "192.0.2.1"), ("http", "203.0.113.9")]

    def test_leaf_has_no_children(self) -> None:
        leaf = ASGIResource(sending())
        with pytest.raises(RuntimeError, match="children"):
            leaf.putChild("a", Resource())
        with pytest.raises(RuntimeError, match="children"):
            leaf.getChildWithDefault(b"a", None)  # type: ignore[arg-type]


class TestReceive:
    def test_body_comes_and_then_disconnect_once_all_is_said(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            seen.append(await receive())
            await send(start())
            await send(body(b"x"))
            seen.append(await receive())
            seen.append(await receive())

        seen: list[Any] = []
        with clientOf(app) as client:
            client.post("/", body=b"abc")
        assert seen == [
            {"type": "http.request", "body": b"abc", "more_body": False},
            {"type": "http.disconnect"},
            {"type": "http.disconnect"},
        ]

    def test_streamed_body_arrives_in_pieces(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            while (message := await receive())["more_body"]:
                pieces.append(message["body"])
            pieces.append(message["body"])
            await send(start())
            await send(body())

        pieces: list[bytes] = []
        with clientOf(app) as client:
            client.post("/", body=[b"one", b"two", b"three"])
        assert b"".join(pieces) == b"onetwothree"
        assert len(pieces) > 2

    async def _leaving(self, app: Any, **options: Any) -> Channel:
        channel = Channel(siteOf(app, **options).engineService())
        channel.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        await asyncio.sleep(0)
        return channel

    def test_receive_waits_for_the_client_and_tells_that_it_left(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            seen.append(await receive())
            other = asyncio.ensure_future(receive())
            seen.append(await receive())
            seen.append(await other)

        async def main() -> None:
            channel = await self._leaving(app)
            assert seen == [{"type": "http.request", "body": b"abc", "more_body": True}]
            channel.disconnect()
            await asyncio.sleep(0.01)
            assert seen[1:] == [{"type": "http.disconnect"}] * 2

        seen: list[Any] = []
        asyncio.run(main())

    def test_receive_can_be_a_task_and_given_up(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await receive()
            for _ in range(8):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(receive(), 0.001)
            task = asyncio.create_task(receive())  # type: ignore[arg-type]
            await asyncio.sleep(0)
            task.cancel()
            await send(start())
            await send(body(b"done"))
            ready = asyncio.create_task(receive())  # type: ignore[arg-type]
            assert await ready == {"type": "http.disconnect"}

        with clientOf(app) as client:
            assert client.get("/").body == b"done"

    @pytest.mark.parametrize("cancels", [False, True])
    def test_cancel_on_disconnect_decides_what_becomes_of_the_task(self, cancels: bool) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            try:
                await asyncio.sleep(0.01)
                ends.append("ended")
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise

        async def main() -> None:
            leaf = ASGIResource(app)
            leaf.cancelOnDisconnect = cancels
            channel = Channel(Site(leaf).engineService())
            channel.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0)
            channel.disconnect()
            await asyncio.sleep(0.03)

        ends: list[str] = []
        asyncio.run(main())
        assert ends == ["cancelled" if cancels else "ended"]

    def test_body_beyond_the_limit_is_answered_with_413(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            with pytest.raises(RuntimeError, match="disconnect"):
                await readBody(receive)
            await send(start(500))
            await send(body(b"never seen"))

        leaf = ASGIResource(app)
        with TestClient(Site(leaf, maxBody=10)) as client:
            assert client.post("/", body=b"x" * 11).code == 413
            assert client.post("/", body=[b"x" * 6, b"y" * 6]).code == 413
        leaf.maxBody = 5
        with TestClient(Site(leaf)) as client:
            assert client.post("/", body=b"x" * 6).code == 413

    def test_expect_100_is_answered_when_the_body_is_asked_for(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            if scope["path"] == "/yes":
                await readBody(receive)
            await send(start())
            await send(body(b"ok"))

        async def main() -> None:
            head = b"POST %b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
            channel = Channel(siteOf(app).engineService())
            channel.receive(head % b"/yes")
            await asyncio.sleep(0)  # up to Python 3.11 an application is called in the next turn only
            assert channel.data_to_send().startswith(b"HTTP/1.1 100 ")
            channel.receive(b"abc")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert channel.data_to_send().startswith(b"HTTP/1.1 200 ")
            channel.receive(head % b"/no")
            await asyncio.sleep(0)
            assert channel.data_to_send().startswith(b"HTTP/1.1 200 ")

        asyncio.run(main())


class TestResponse:
    def test_whole_response_is_one_piece_with_its_length(self) -> None:
        app = sending(start(201, [(b"content-type", b"text/x"), [b"x-a", b"1"]]), body(b"hello"))
        channel = Channel(siteOf(app).engineService())

        async def main() -> bytes:
            channel.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0)
            return channel.data_to_send()

        head, _, data = asyncio.run(main()).partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 201 Created"
        assert lines[1].startswith(b"Server: Sennit")
        assert lines[2].startswith(b"Date: ")
        assert lines[3:] == [b"content-type: text/x", b"x-a: 1", b"Content-Length: 5"]
        assert data == b"hello"

    def test_body_in_pieces_is_chunked_unless_its_length_is_told(self) -> None:
        pieces = [body(b"one", True), body(b"", True), body(b"two")]
        with clientOf(sending(start(), *pieces)) as client:
            response = client.get("/")
            assert response.body == b"onetwo"
            assert response.header("Transfer-Encoding") == "chunked"
        with clientOf(sending(start(200, [(b"Content-Length", b"6")]), *pieces)) as client:
            response = client.get("/")
            assert response.body == b"onetwo"
            assert response.header("Content-Length") == "6"
            assert response.header("Transfer-Encoding") is None

    def test_head_goes_out_with_an_empty_first_piece(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            await send(body(b"", True))
            await receive()
            await receive()

        async def main() -> None:
            async with AsyncTestClient(siteOf(app)) as client, client.stream("GET", "/") as response:
                assert response.code == 200

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("code", "headers", "data", "expected"),
        [
            (200, [], b"hello", "5"),
            (200, [], b"", None),
            (200, [(b"content-length", b"7")], b"", "7"),
            (304, [(b"content-length", b"7")], b"", "7"),
            (204, [], b"", None),
        ],
    )
    def test_head_request_has_the_headers_and_no_body(
        self, code: int, headers: Any, data: bytes, expected: str | None
    ) -> None:
        with clientOf(sending(start(code, headers), body(data))) as client:
            response = client.head("/")
            assert (response.code, response.body) == (code, b"")
            assert response.header("Content-Length") == expected
            assert client.head("/").code == code

    @pytest.mark.parametrize("code", [204, 205, 304])
    def test_codes_without_a_body_have_none(self, code: int) -> None:
        with clientOf(sending(start(code), body(b"dropped"))) as client:
            assert client.get("/").body == b""
            assert client.get("/").code == code

    def test_http_1_0_is_answered_with_its_means(self) -> None:
        app = sending(start(), body(b"one", True), body(b"two"))
        with TestClient(siteOf(app), version="1.0") as client:
            response = client.get("/")
        assert response.body == b"onetwo"
        assert response.header("Transfer-Encoding") is None
        assert response.header("Connection") == "close"

    def test_headers_of_the_connection_are_the_servers(self) -> None:
        headers = [
            (b"transfer-encoding", b"chunked"),
            (b"keep-alive", b"timeout=5"),
            (b"connection", b"keep-alive, Upgrade"),
            (b"upgrade", b"x/1"),
        ]
        with clientOf(sending(start(426, headers), body(b"abc"))) as client:
            response = client.get("/")
        assert response.header("Transfer-Encoding") is None
        assert response.header("Keep-Alive") is None
        assert response.header("Connection") == "Upgrade"
        assert response.header("Upgrade") == "x/1"
        with clientOf(sending(start(200, [(b"connection", b"close")]), body(b"abc"))) as client:
            assert client.get("/").header("Connection") == "close"

    def test_server_and_date_of_the_application_replace_the_stock_ones(self) -> None:
        headers = [
            (b"server", b"mine"),
            (b"date", b"never"),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
        ]
        with clientOf(sending(start(200, headers), body(b"abc"))) as client:
            response = client.get("/")
        assert response.headers.getRawHeaders("Server") == ["mine"]
        assert response.headers.getRawHeaders("Date") == ["never"]
        assert response.headers.getRawHeaders("Set-Cookie") == ["a=1", "b=2"]
        assert response.headers.getRawHeaders("Content-Length") == ["3"]

    def test_headers_and_cookies_of_resources_above_are_kept(self) -> None:
        class Above(Resource):
            def getChild(self, path: bytes, request: Request) -> Any:
                request.setHeader("X-Frame-Options", "DENY")
                request.setHeader("X-Both", "above")
                request.addCookie("above", "1")
                return ASGIResource(app)

        app = sending(start(200, [(b"x-both", b"app"), (b"set-cookie", b"app=2")]), body(b"abc"))
        with TestClient(Site(Above())) as client:
            response = client.get("/x")
        assert response.header("X-Frame-Options") == "DENY"
        assert response.headers.getRawHeaders("X-Both") == ["app"]
        assert response.headers.getRawHeaders("Set-Cookie") == ["above=1", "app=2"]
        assert response.header("Content-Type") is None

    def test_request_class_with_a_write_of_its_own_is_used(self) -> None:
        class Shouting(Request):
            def write(self, data: Any) -> None:
                super().write(data.upper())

        app = sending(start(200, [(b"x-a", b"1")]), body(b"one", True), body(b"two"))
        with TestClient(Site(ASGIResource(app), Shouting)) as client:
            assert client.get("/").body == b"ONETWO"
        with TestClient(Site(ASGIResource(sending(start(), body(b"abc"))), Shouting)) as client:
            response = client.get("/")
            assert (response.body, response.header("Content-Length")) == (b"ABC", "3")
            assert response.header("Content-Type") is None

    def test_other_kinds_of_bytes_are_taken_for_a_body(self) -> None:
        pieces: Any = [body(bytearray(b"a"), True), body(memoryview(b"bc"))]  # type: ignore[arg-type]
        with clientOf(sending(start(), *pieces)) as client:
            assert client.get("/").body == b"abc"

    def test_sending_waits_only_above_the_high_water_mark(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            for _ in range(100):
                await send(body(b"x" * 1000, True))
                sent.append(1)
            await send(body())

        async def main() -> None:
            site = siteOf(app)
            site.writeHighWater = 10_000
            site.writeLowWater = 1000
            channel = Channel(site.engineService())
            channel.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0)
            assert 9 <= len(sent) <= 11
            taken = 0
            while len(sent) < 100:
                taken += len(channel.data_to_send())
                await asyncio.sleep(0)
            taken += len(channel.data_to_send())
            assert taken > 100_000

        sent: list[int] = []
        asyncio.run(main())

    def test_one_that_never_waits_lets_others_have_their_turn(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            while not others:
                await send(body(b"", True))
            await send(body())

        async def main() -> None:
            channel = Channel(siteOf(app).engineService())
            channel.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0)
            others.append(1)
            await asyncio.sleep(0)
            assert channel.data_to_send().endswith(b"0\r\n\r\n")

        others: list[int] = []
        asyncio.run(main())

    def test_streaming_to_a_client_that_left_raises_and_ending_does_not(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        from sennit.web.asgi import ClientDisconnected

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            await send(body(b"x", True))
            await receive()
            assert (await receive())["type"] == "http.disconnect"
            with pytest.raises(ClientDisconnected) as caught:
                await send(body(b"x", True))
            assert isinstance(caught.value, OSError)
            await send(body(b"x"))
            ended.append(1)
            raise ValueError("too late")

        async def main() -> None:
            channel = Channel(siteOf(app).engineService())
            channel.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0)
            channel.disconnect()
            await asyncio.sleep(0.01)

        ended: list[int] = []
        with caplog.at_level(logging.INFO):
            asyncio.run(main())
        assert ended == [1]
        assert [record.levelname for record in caplog.records] == ["INFO"]
        assert "too late" in caplog.text

    def test_sender_that_waits_hears_that_the_client_left(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            try:
                while True:
                    await send(body(b"x" * 100_000, True))
            except OSError as error:
                caught.append(error)

        async def main() -> None:
            channel = Channel(siteOf(app).engineService())
            channel.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0)
            channel.disconnect()
            await asyncio.sleep(0.01)

        caught: list[OSError] = []
        asyncio.run(main())
        assert len(caught) == 1


class TestExtensions:
    def test_early_hints_go_before_the_response(self) -> None:
        hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b>; rel=x"]}
        with clientOf(sending(hint, start(), hint, body(b"x", True), hint, body())) as client:
            response = client.get("/")
        assert [head.code for head in response.interim] == [103, 103]
        assert response.interim[0].headers.getRawHeaders("Link") == ["</a.css>; rel=preload", "</b>; rel=x"]
        assert response.body == b"x"

    @pytest.mark.parametrize("asks", [True, False])
    def test_trailers_go_to_who_asks_for_them(self, asks: bool) -> None:
        messages = [
            start(200, [(b"trailer", b"x-sum")], trailers=True),
            body(b"abc"),
            {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": True},
            {"type": "http.response.trailers", "headers": [(b"x-more", b"2")]},
        ]
        with clientOf(sending(*messages)) as client:
            response = client.get("/", headers={"TE": "trailers, deflate"} if asks else {})
        assert response.body == b"abc"
        assert response.trailers.getRawHeaders("X-Sum") == (["1"] if asks else None)
        assert response.trailers.getRawHeaders("X-More") == (["2"] if asks else None)

    @pytest.mark.parametrize("size", [0, 5, 300_000])
    @pytest.mark.parametrize("told", [True, False])
    def test_path_is_sent_as_the_body(self, tmp_path: Path, size: int, told: bool) -> None:
        data = bytes(range(256)) * (size // 256 + 1)
        file = tmp_path / "file"
        file.write_bytes(data[:size])
        headers = [(b"content-length", b"%d" % size)] if told else []
        app = sending(start(200, headers), {"type": "http.response.pathsend", "path": str(file)})
        with clientOf(app) as client:
            response = client.get("/")
            assert response.body == data[:size]
            assert response.header("Content-Length") == str(size)
            head = client.head("/")
            assert (head.body, head.header("Content-Length")) == (b"", str(size))

    @pytest.mark.parametrize("declared", [4, 6])
    def test_file_of_another_length_than_declared_is_a_mistake(self, tmp_path: Path, declared: int) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"12345")

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start(200, [(b"content-length", b"%d" % declared)]))
            with pytest.raises(RuntimeError, match="longer" if declared < 5 else "shorter"):
                await send({"type": "http.response.pathsend", "path": str(file)})
            await send(body(b"x" * declared))

        with clientOf(app) as client:
            assert client.get("/").body == b"x" * declared

    @pytest.mark.parametrize("size", [5, 300_000])
    def test_file_before_trailers_is_chunked(self, tmp_path: Path, size: int) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"x" * size)
        messages = [
            start(200, [(b"trailer", b"x-sum")], trailers=True),
            {"type": "http.response.pathsend", "path": str(file)},
            {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]},
        ]
        with clientOf(sending(*messages)) as client:
            response = client.get("/", headers={"TE": "trailers"})
        assert response.body == b"x" * size
        assert response.trailers.getRawHeaders("X-Sum") == ["1"]

    @pytest.mark.parametrize("code", [204, 304])
    def test_file_is_not_sent_where_there_is_no_body(self, tmp_path: Path, code: int) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"12345")
        app = sending(start(code, []), {"type": "http.response.pathsend", "path": str(file)})
        with clientOf(app) as client:
            for _ in range(2):
                response = client.get("/")
                assert (response.code, response.body) == (code, b"")

    @pytest.mark.parametrize("size", [5, 300_000])
    def test_file_passes_through_what_the_program_has_put_before_it(self, tmp_path: Path, size: int) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"x" * size)

        class Shouting(Request):
            def write(self, data: bytes) -> None:
                super().write(data.upper())

        kind = "http.response.zerocopysend"

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start(200, [(b"server", b"ours")]))
            if scope["path"] == "/path":
                await send({"type": "http.response.pathsend", "path": str(file)})
                return
            with file.open("rb") as opened:
                await send({"type": kind, "file": opened, "offset": 0, "count": 2, "more_body": True})
                await send({"type": kind, "file": opened, "offset": 2})

        site = siteOf(app)
        site.requestFactory = Shouting
        for encoders in (None, [GzipEncoderFactory()]):
            site.encoders = encoders
            with TestClient(site) as client:
                for path in ("/path", "/parts"):
                    response = client.get(path)
                    assert response.body == b"X" * size
                    assert response.headers.getRawHeaders("Server") == ["ours"]

    def test_pipe_can_not_be_sent_as_a_file(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            readable, writable = os.pipe()
            with pytest.raises(ValueError, match="not a file"):
                await send({"type": "http.response.zerocopysend", "file": readable, "offset": 0})
            os.close(readable)
            os.close(writable)
            await send(body(b"sorry"))

        with clientOf(app) as client:
            assert client.get("/").body == b"sorry"

    def test_path_that_is_no_file_is_the_applications_to_handle(self, tmp_path: Path) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            with pytest.raises(FileNotFoundError):
                await send({"type": "http.response.pathsend", "path": str(tmp_path / "none")})
            with pytest.raises(ValueError, match="not a file"):
                await send({"type": "http.response.pathsend", "path": str(tmp_path)})
            await send(body(b"sorry"))

        with clientOf(app) as client:
            assert client.get("/").body == b"sorry"

    def test_parts_of_open_files_are_sent_between_other_pieces(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"0123456789" * 50_000)

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            await send(body(b"<", True))
            with path.open("rb") as file:
                kind = "http.response.zerocopysend"
                await send({"type": kind, "file": file, "offset": 3, "count": 4, "more_body": True})
                file.seek(499_998)
                await send({"type": kind, "file": file.fileno(), "more_body": True})
                assert file.tell() == 500_000
                await send({"type": kind, "file": file, "offset": 0})

        with clientOf(app) as client:
            assert client.get("/").body == b"<3456" + b"89" + path.read_bytes()

    def test_what_has_no_descriptor_is_no_open_file(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            with pytest.raises(OSError, match="fileno"):
                await send({"type": "http.response.zerocopysend", "file": io.BytesIO()})
            await send(body())

        with clientOf(app) as client:
            assert client.get("/").code == 200


class TestCompression:
    def test_file_of_an_application_is_coded_like_any_other(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"text " * 100_000)
        headers = [(b"content-type", b"text/plain")]
        kind = "http.response.zerocopysend"
        whole = sending(start(200, headers), {"type": "http.response.pathsend", "path": str(path)})

        async def parts(scope: Any, receive: Receive, send: Send) -> None:
            await send(start(200, headers))
            with path.open("rb") as file:
                await send({"type": kind, "file": file, "count": 200_000, "more_body": True})
                await send({"type": kind, "file": file})

        for app in (whole, parts):
            site = siteOf(app)
            site.encoders = [GzipEncoderFactory()]
            with TestClient(site) as client:
                response = client.get("/", headers={"Accept-Encoding": "gzip"})
                assert response.header("Content-Encoding") == "gzip"
                assert gzip.decompress(response.body) == path.read_bytes()
                assert client.get("/").body == path.read_bytes()

    def test_response_of_an_application_is_coded_like_any_other(self) -> None:
        text = b"text " * 1000
        headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1")]
        whole = sending(start(200, [*headers, (b"content-length", b"5000")]), body(text))
        pieces = sending(start(200, headers), body(text[:2000], True), body(text[2000:]))
        for app in (whole, pieces):
            site = siteOf(app)
            site.encoders = [GzipEncoderFactory()]
            with TestClient(site) as client:
                response = client.get("/", headers={"Accept-Encoding": "gzip"})
                assert response.header("Content-Encoding") == "gzip"
                assert gzip.decompress(response.body) == text
                assert response.headers.getRawHeaders("Set-Cookie") == ["a=1"]
                assert client.get("/").body == text
