"""Files that ASGI applications send: by the kernel, whatever their size, and let go in the end."""

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .served import Served, wait_until

SIZE = 100_000_000

# Sends `big` whole by its path, or in parts from one open file; /told is what this process holds.
PROGRAM = """
import os
async def app(scope, receive, send):
    async def start():
        await send({"type": "http.response.start", "status": 200, "headers": []})
    async def part(**fields):
        await send({"type": "http.response.zerocopysend", **fields})
    path = scope["path"]
    await start()
    if path == "/path":
        await send({"type": "http.response.pathsend", "path": os.path.abspath("big")})
    elif path == "/parts":
        with open("big", "rb") as file:
            for offset in range(0, 100_000_000, 20_000_000):
                await part(file=file, offset=offset, count=20_000_000, more_body=True)
            await part(file=file, offset=0, count=0)
    elif path == "/shrinks":
        with open("shrinking", "rb") as file:
            await part(file=file, count=10_000_000)
            os.truncate("shrinking", 6_000_000)
    else:
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        told = f"{len(os.listdir('/proc/self/fd'))} {peak.split()[1]}"
        await send({"type": "http.response.body", "body": told.encode()})
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("files")
    block = os.urandom(1 << 16) * 16
    with (folder / "big").open("wb") as file:
        while file.tell() < SIZE:
            file.write(block[: SIZE - file.tell()])
    (folder / "shrinking").write_bytes(b"x" * 10_000_000)
    with Served(folder, program=PROGRAM) as served:
        served.wait_until_up()
        yield served


def told(served: Served) -> tuple[int, int]:
    """How many descriptors the server has open, and the most KiB that it ever held."""
    descriptors, peak = httpx.get(f"{served.base}/told").text.split()
    return int(descriptors), int(peak)


def digests(served: Served, folder: Path, path: str) -> tuple[str, str]:
    got = hashlib.md5()
    with httpx.stream("GET", served.base + path) as answer:
        for piece in answer.iter_raw(1 << 20):
            got.update(piece)
    with (folder / "big").open("rb") as file:
        return got.hexdigest(), hashlib.file_digest(file, "md5").hexdigest()


@pytest.fixture
def folder(served: Served) -> Path:
    return Path(os.readlink(f"/proc/{served.pid}/cwd"))


@pytest.mark.parametrize("path", ["/path", "/parts"])
def test_large_file_arrives_whole_and_takes_no_memory(served: Served, folder: Path, path: str) -> None:
    told(served)
    before = told(served)
    got, wanted = digests(served, folder, path)
    assert got == wanted
    after = told(served)
    assert after[0] == before[0]
    assert after[1] - before[1] < 4000


@pytest.mark.parametrize("path", ["/path", "/parts"])
def test_client_that_leaves_lets_the_file_go(served: Served, path: str) -> None:
    before = told(served)[0]
    clients = [socket.create_connection(("127.0.0.1", served.port), 10) for _ in range(20)]
    for client in clients:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert told(served)[0] >= before + 40
    for client in clients:
        client.close()
    wait_until(lambda: told(served)[0] == before, 5)
    assert "Traceback" not in served.output()


def test_file_that_becomes_shorter_cuts_the_response(served: Served) -> None:
    before = told(served)[0]
    with socket.create_connection(("127.0.0.1", served.port), 10) as client:
        client.sendall(b"GET /shrinks HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        while piece := client.recv(1 << 20):
            got += piece
    assert b"Content-Length: 10000000\r\n" in got
    assert len(got.partition(b"\r\n\r\n")[2]) == 6_000_000
    wait_until(lambda: told(served)[0] == before, 5)
