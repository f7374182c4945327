"""WSGI applications whose bodies come and go in pieces, and what holds them up or ends them."""

import asyncio
import socket
import struct
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
from sennit.web.testing import AsyncTestClient, BrokenResponse, TestClient
from sennit.web.wsgi import WSGIResource
from tests.unit.web import wsgiapps
from tests.unit.web.doubles import Calls
from tests.unit.web.wsgiapps import (
    PLAIN,
    Closing,
    Environ,
    StartResponse,
    answered,
    echo,
    eventually,
    giving,
    siteOf,
)

# pytest finds them here.
pool, poolOrNone = wsgiapps.pool, wsgiapps.poolOrNone


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


def test_render_of_a_subclass_or_an_instance_comes_first() -> None:
    class Marked(WSGIResource):
        def render(self, request: Any) -> Any:
            request.setHeader(b"x-marked", b"yes")
            return super().render(request)

    own = WSGIResource(reactor, None, giving([b"application"]))
    vars(own)["render"] = lambda request: b"own"
    root = Resource()
    root.putChild(b"own", own)
    root.putChild(b"marked", Marked(reactor, None, giving([b"application"])))
    with TestClient(Site(root)) as client:
        assert client.get("/own").body == b"own"
        marked = client.get("/marked")
    assert marked.body == b"application"
    assert marked.headers.getRawHeaders(b"x-marked") == [b"yes"]


async def settled(value: Callable[[], int]) -> int:
    """The value once it hasn't changed for a while."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < 0.2:
        await asyncio.sleep(0.02)
        if value() != last:
            last, since = value(), time.monotonic()
    return last
