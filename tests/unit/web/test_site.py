"""What a site is besides its tree: options, logs, starting and stopping."""

import asyncio
import json
import re
import socket
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyClass

from sennit.internet.error import CannotListenError
from sennit.web import http, iweb
from sennit.web.resource import IResource, Resource
from sennit.web.server import Request, Site, version
from sennit.web.testing import TestClient
from tests.unit.web.doubles import Calls


def hello(**options: Any) -> Site:
    return Site(Calls(lambda request: "hello"), **options)


class TestOptions:
    def test_site_provides_resource_interface(self) -> None:
        assert IResource.providedBy(hello())

    def test_request_provides_interface(self) -> None:
        assert iweb.IRequest.implementedBy(Request)
        assert verifyClass(iweb.IRequest, Request)
        assert verifyClass(IResource, Resource)
        assert verifyClass(IResource, Site)

    def test_request_has_no_init_of_its_own(self) -> None:
        # The engine makes requests without calling __init__: one in Python would cost every request.
        owners = [owner for owner in Request.__mro__ if "__init__" in vars(owner)]
        assert owners == [object]

    def test_limits_can_be_given(self) -> None:
        site = hello(maxBody=5, timeout=None)
        assert (site.maxBody, site.timeOut) == (5, None)

    def test_unknown_option_is_refused(self) -> None:
        with pytest.raises(TypeError, match="maxBdy"):
            hello(maxBdy=5)

    def test_limit_set_later_reaches_the_engine(self) -> None:
        site = hello()
        with TestClient(site) as client:
            assert client.post("/", body=b"12345").code == 200
            site.maxBody = 4
            assert client.post("/", body=b"12345").code == 413

    @pytest.mark.parametrize(
        ("limits", "request_", "code"),
        [
            ({"maxRequestLine": 100}, {"target": "/" + "x" * 200}, 414),
            ({"maxHeaders": 5}, {"headers": [(f"X-{n}", "1") for n in range(10)]}, 431),
            ({"maxHeaderBytes": 300}, {"headers": {"X": "y" * 500}}, 431),
        ],
    )
    def test_limit_is_answered_with_its_code(self, limits: Any, request_: Any, code: int) -> None:
        with TestClient(hello(**limits)) as client:
            assert client.request("GET", **{"target": "/", **request_}).code == code

    def test_server_header_has_version(self) -> None:
        with TestClient(hello()) as client:
            assert client.get("/").header("Server") == version.decode()

    def test_root_can_be_replaced_while_running(self) -> None:
        site = hello()
        with TestClient(site) as client:
            assert client.get("/").text == "hello"
            site.resource = Calls(lambda request: "other")
            assert client.get("/").text == "other"

    def test_site_passes_put_child_to_its_root(self) -> None:
        site = Site(Resource())
        site.putChild("a", Calls(lambda request: "a"))
        with TestClient(site) as client:
            assert client.get("/a").text == "a"


class Data(Resource):
    isLeaf = True

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def render_GET(self, request: Request) -> str:
        return self.text


LINE = r'"127\.0\.0\.1" - - \[[^\]]+ \+0000\] "GET /%1b HTTP/1\.1" 200 5 "-" "a\\"b"'


def logged(site: Site, requests: int = 1) -> None:
    site.doStart()
    with TestClient(site, headers={"User-Agent": 'a"b'}) as client:
        for _ in range(requests):
            client.get("/%1b")
    site.doStop()


class TestLog:
    def test_log_is_written_in_combined_format(self, tmp_path: Path) -> None:
        path = tmp_path / "access.log"
        logged(hello(logPath=str(path)), requests=2)
        lines = path.read_text().splitlines()
        assert len(lines) == 2
        assert all(re.fullmatch(LINE, line) for line in lines)

    def test_log_path_can_be_bytes_and_is_appended_to(self, tmp_path: Path) -> None:
        path = tmp_path / "access.log"
        path.write_text("before\n")
        logged(hello(logPath=bytes(path)))
        assert path.read_text().startswith("before\n")
        assert len(path.read_text().splitlines()) == 2

    def test_log_can_be_json(self, tmp_path: Path) -> None:
        path = tmp_path / "access.log"
        logged(hello(logPath=str(path), logFormatter=http.jsonLogFormatter))
        line = json.loads(path.read_text())
        assert (line["method"], line["target"], line["status"], line["bytes"]) == ("GET", "/%1b", 200, 5)
        assert line["duration_ms"] >= 0

    def test_formatter_of_program_is_called(self, tmp_path: Path) -> None:
        def formatter(timestamp: str, request: Any) -> str:
            return f"{timestamp} {request.code} {request.getClientIP()}"

        path = tmp_path / "access.log"
        logged(hello(logPath=str(path), logFormatter=formatter))
        assert re.fullmatch(r"\[.*\] 200 127\.0\.0\.1\n", path.read_text())

    def test_log_of_subclass_is_called(self) -> None:
        seen: list[bytes] = []

        class Own(Site):
            def log(self, request: Any) -> None:
                seen.append(request.uri)

        logged(Own(Calls(lambda request: "hello")))
        assert seen == [b"/%1b"]

    def test_log_file_can_be_set(self) -> None:
        site, file = hello(), StringIO()
        site.engineService()
        site.logFile = file
        logged(site)
        assert re.fullmatch(LINE + "\n", file.getvalue())

    def test_binary_log_file_is_written_as_text(self) -> None:
        class Kept(BytesIO):
            def close(self) -> None:
                pass

        site, file = hello(), Kept()
        site.logFile = file
        logged(site)
        assert re.fullmatch(LINE + "\n", file.getvalue().decode())

    def test_opening_of_log_can_be_overridden(self) -> None:
        class Own(Site):
            def _openLogFile(self, path: str) -> Any:
                return file

        class Kept(StringIO):
            def close(self) -> None:
                pass

        file = Kept()
        logged(Own(Calls(lambda request: "hello"), logPath="/nowhere"))
        assert re.fullmatch(LINE + "\n", file.getvalue())

    def test_dash_is_standard_output(self, capfd: pytest.CaptureFixture[str]) -> None:
        logged(hello(logPath="-"))
        assert re.fullmatch(LINE + "\n", capfd.readouterr().out)

    def test_log_file_is_unknown_before_start(self) -> None:
        with pytest.raises(AttributeError):
            hello().logFile

    def test_without_path_nothing_is_logged(self) -> None:
        site = hello()
        logged(site)
        with pytest.raises(AttributeError):
            site.logFile

    def test_factory_that_starts_again_logs_again(self, tmp_path: Path) -> None:
        path = tmp_path / "access.log"
        site = hello(logPath=str(path))
        logged(site)
        logged(site)
        assert len(path.read_text().splitlines()) == 2


async def get(port: int, target: str = "/") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def connected(port: int) -> socket.socket:
    """A connection whose client lets the server send little in advance."""
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


class TestStarting:
    def test_site_serves_between_start_and_stop(self) -> None:
        async def main() -> None:
            site = hello()
            port = await site.start()
            number = port.getHost().port
            assert (await get(number)).endswith(b"hello")
            await site.stop()
            with pytest.raises(ConnectionRefusedError):
                await get(number)

        asyncio.run(main())

    def test_site_is_an_async_context(self) -> None:
        async def main() -> None:
            async with hello().start() as port:
                number = port.getHost().port
                assert (await get(number)).endswith(b"hello")
            with pytest.raises(ConnectionRefusedError):
                await get(number)

        asyncio.run(main())

    def test_site_can_start_any_number_of_times(self) -> None:
        site = hello()

        async def main() -> None:
            for _ in range(2):
                async with site.start() as port:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
                    for _ in range(2):
                        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                        assert b"hello" in await reader.readuntil(b"hello")
                    writer.close()

        asyncio.run(main())
        asyncio.run(main())

    def test_several_sites_serve_in_one_loop(self) -> None:
        async def main() -> None:
            sites = [Site(Data(f"site {number}")) for number in range(3)]
            ports = [await site.start() for site in sites]
            for number, port in enumerate(ports):
                assert (await get(port.getHost().port)).endswith(b"site %d" % number)
            await asyncio.gather(*(site.stop() for site in sites))

        asyncio.run(main())

    def test_taken_port_is_an_error(self) -> None:
        async def main() -> None:
            with socket.create_server(("127.0.0.1", 0)) as taken:
                number = taken.getsockname()[1]
                with pytest.raises(CannotListenError, match=str(number)):
                    await hello().start(number)

        asyncio.run(main())

    def test_running_request_ends_before_site_has_stopped(self) -> None:
        async def slow(request: Any) -> str:
            started.set()
            await asyncio.sleep(0.1)
            return "slow"

        async def main() -> None:
            site = Site(Calls(slow))
            port = await site.start()
            answer = asyncio.ensure_future(get(port.getHost().port))
            await started.wait()
            await site.stop()
            assert (await answer).endswith(b"slow")

        started = asyncio.Event()
        asyncio.run(main())

    @pytest.mark.parametrize("grace", [None, 5])
    def test_large_response_in_flight_arrives_whole(self, grace: float | None) -> None:
        size = 4 * 1024 * 1024

        async def main() -> None:
            site = Site(Calls(lambda request: b"x" * size))
            port = await site.start()
            with await connected(port.getHost().port) as client:
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                received = [await loop.sock_recv(client, 100)]
                stopping = asyncio.ensure_future(site.stop(grace))
                # Longer than it takes to stop if nothing is waited for.
                await asyncio.sleep(0.1)
                while piece := await loop.sock_recv(client, 1_000_000):
                    received.append(piece)
                await stopping
            head, _, body = b"".join(received).partition(b"\r\n\r\n")
            assert len(body) == size
            assert b"Content-Length: %d" % size in head

        asyncio.run(main())

    def test_response_that_nobody_takes_is_cut_after_grace(self) -> None:
        async def main() -> None:
            site = Site(Calls(lambda request: b"x" * 32 * 1024 * 1024))
            port = await site.start()
            with await connected(port.getHost().port) as client:
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await loop.sock_recv(client, 100)
                async with asyncio.timeout(5):
                    await site.stop(grace=0.05)

        asyncio.run(main())

    def test_request_that_ends_while_site_stops_is_logged(self, tmp_path: Path) -> None:
        async def slow(request: Any) -> str:
            started.set()
            await asyncio.sleep(0.1)
            return "slow"

        async def main() -> None:
            site = Site(Calls(slow), logPath=str(tmp_path / "access.log"))
            port = await site.start()
            answer = asyncio.ensure_future(get(port.getHost().port))
            await started.wait()
            await site.stop()
            assert (await answer).endswith(b"slow")

        started = asyncio.Event()
        asyncio.run(main())
        assert '"GET / HTTP/1.1" 200 4 ' in (tmp_path / "access.log").read_text()

    def test_endless_request_is_cut_after_grace(self) -> None:
        events: list[str] = []

        async def endless(request: Any) -> str:
            started.set()
            try:
                await asyncio.sleep(60)
            finally:
                events.append("cancelled")
            return ""

        async def main() -> None:
            site = Site(Calls(endless))
            port = await site.start()
            answer = asyncio.ensure_future(get(port.getHost().port))
            await started.wait()
            await site.stop(grace=0.05)
            with pytest.raises(ConnectionResetError):
                await answer
            await asyncio.sleep(0)

        started = asyncio.Event()
        asyncio.run(main())
        assert events == ["cancelled"]
