"""Files on real sockets: sent by the kernel, waited for, cut where they end too early, closed at the end."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import OpenSite, StartServer
from .helpers.checks import assert_alive
from .helpers.client import Wire, ask, get
from .helpers.latency import GoodClient, tried_again_if_slow
from .helpers.server import LiveSite, ServerProcess, wait_until

MIB = 1 << 20
BIG = bytes(range(251)) * (16 * MIB // 251)
SIZES = (0, 1, 16 << 10, (16 << 10) + 1, 64 << 10, (64 << 10) + 1, 3 * MIB + 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files named after their sizes, and a big one."""
    for size in SIZES:
        (tmp_path / str(size)).write_bytes(BIG[:size])
    (tmp_path / "big").write_bytes(BIG)
    return tmp_path


@pytest.fixture
def live(open_site: OpenSite, folder: Path) -> LiveSite:
    """A site with the files."""
    site = open_site()
    site.serve_files(folder)
    return site


def open_files(server: ServerProcess, folder: Path) -> int:
    """How many descriptors the server has of files in a folder."""
    count = 0
    for number in os.listdir(f"/proc/{server.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/{server.pid}/fd/{number}").startswith(str(folder))
    return count


@pytest.fixture
def no_descriptor_left(server: ServerProcess, live: LiveSite, folder: Path) -> Iterator[None]:
    """After the test all files are closed that it had opened."""
    yield
    assert wait_until(lambda: open_files(server, folder) == 0), "files are still open"


def read_body(wire: Wire, count: int) -> bytes:
    """The next bytes that the server sends, fewer if it ends."""
    while len(wire.received) < count and wire.receive_some():
        pass
    body, wire.received = wire.received[:count], wire.received[count:]
    return bytes(body)


def test_files_arrive_whole(live: LiveSite) -> None:
    with Wire(live.port) as wire:
        for size in SIZES:
            for _ in range(2):
                wire.send(get(f"/files/{size}"))
                response = wire.response()
                assert (response.code, response.values("content-length")) == (200, [b"%d" % size])
                assert response.body == BIG[:size]


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_files_arrive_whole_in_other_loops(own_server: StartServer, folder: Path, kind: str) -> None:
    site = own_server(kind).open_site()
    site.serve_files(folder)
    with Wire(site.port, receive_buffer=65536) as wire:
        for name in ("big", "1", "big"):
            wire.send(get(f"/files/{name}"))
            assert wire.response(timeout=20).body == (BIG if name == "big" else BIG[:1])


def test_pipelined_files_are_answered_in_order(live: LiveSite) -> None:
    sizes = SIZES * 3
    with Wire(live.port) as wire:
        wire.send(b"".join(get(f"/files/{size}") for size in sizes) + get("/hello"))
        for size in sizes:
            assert wire.response().body == BIG[:size]
        assert wire.response().body == b"hello"


@pytest.mark.usefixtures("no_descriptor_left")
def test_head_and_ranges_of_a_big_file(live: LiveSite) -> None:
    with Wire(live.port) as wire:
        wire.send(get("/files/big", method="HEAD"))
        response = wire.response("HEAD")
        assert (response.code, response.values("content-length")) == (200, [b"%d" % len(BIG)])
        wire.send(get("/files/big", "Range: bytes=1000000-4999999"))
        response = wire.response(timeout=20)
        assert (response.code, response.body) == (206, BIG[1_000_000:5_000_000])
        wire.send(get("/files/big", "Range: bytes=0-999999,-1000000"))
        response = wire.response(timeout=20)
        boundary = response.values("content-type")[0].partition(b'boundary="')[2].rstrip(b'"')
        first, second = response.body.split(b"\r\n--" + boundary)[1:3]
        assert first.partition(b"\r\n\r\n")[2] == BIG[:1_000_000]
        assert second.partition(b"\r\n\r\n")[2] == BIG[-1_000_000:]
        wire.send(get("/hello"))
        assert wire.response().body == b"hello"


@pytest.mark.usefixtures("no_descriptor_left")
def test_big_file_waits_for_its_reader_in_flat_memory(live: LiveSite) -> None:
    before = live.server.resident_bytes()
    with Wire(live.port, receive_buffer=65536) as wire:
        wire.send(get("/files/big"))
        wire.head()
        time.sleep(0.2)
        assert live.server.resident_bytes() - before < 2 * MIB
        wire.read_fast()
        assert read_body(wire, len(BIG)) == BIG
        assert live.server.resident_bytes() - before < 2 * MIB
        wire.send(get("/hello"))
        assert wire.response().body == b"hello"


@pytest.mark.usefixtures("no_descriptor_left")
def test_file_that_shrinks_while_it_is_sent_cuts_the_connection(live: LiveSite, folder: Path) -> None:
    with Wire(live.port, receive_buffer=65536) as wire:
        wire.send(get("/files/big") + get("/hello"))
        wire.head()
        os.truncate(folder / "big", 15 * MIB)
        body = read_body(wire, len(BIG) + 1)
        assert body == BIG[: 15 * MIB], "another response in place of the missing bytes"
        assert wire.ended
    assert_alive(live)


@pytest.mark.usefixtures("no_descriptor_left")
def test_file_that_grows_while_it_is_sent_is_sent_as_announced(live: LiveSite, folder: Path) -> None:
    with Wire(live.port, receive_buffer=65536) as wire:
        wire.send(get("/files/big") + get("/hello"))
        wire.head()
        with (folder / "big").open("ab") as file:
            file.write(b"more" * MIB)
        assert read_body(wire, len(BIG)) == BIG
        assert wire.response().body == b"hello"


@pytest.mark.usefixtures("no_descriptor_left")
@pytest.mark.parametrize("leave", [Wire.close, Wire.reset], ids=["close", "reset"])
def test_client_that_leaves_closes_the_file(live: LiveSite, leave: object) -> None:
    for _ in range(5):
        wire = Wire(live.port, receive_buffer=4096)
        wire.send(get("/files/big"))
        wire.head()
        assert callable(leave)
        leave(wire)


def test_reader_that_stops_is_dropped(open_site: OpenSite, folder: Path) -> None:
    site = open_site({"writeTimeout": 0.5})
    site.serve_files(folder)
    with Wire(site.port, receive_buffer=4096) as wire:
        wire.send(get("/files/big"))
        wire.head()
        assert open_files(site.server, folder) == 1
        assert wait_until(lambda: open_files(site.server, folder) == 0, 5.0), "still being sent"


def test_files_are_read_and_sent_where_a_broken_pipe_would_kill(
    own_server: StartServer, folder: Path
) -> None:
    """`sendfile` can't hold the signal back, so it isn't used: also the way of systems that have none."""
    process = own_server()
    process.command("die_of_broken_pipes")
    site = process.open_site()
    site.serve_files(folder)
    with Wire(site.port) as wire:
        wire.send(get("/files/big"))
        assert wire.response(timeout=20).body == BIG
    for _ in range(5):
        with Wire(site.port, receive_buffer=4096) as wire:
            wire.send(get("/files/big"))
            wire.head()
            wire.reset()
    assert ask(site.port, get("/hello")).body == b"hello"


def test_big_file_is_logged_with_its_length(open_site: OpenSite, folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    site = open_site(logPath=str(log))
    site.serve_files(folder)
    assert ask(site.port, get("/files/big")).body == BIG
    assert wait_until(lambda: f" 200 {len(BIG)} " in log.read_text())


@tried_again_if_slow
def test_file_blocks_no_other_client(live: LiveSite) -> None:
    with GoodClient(live.port) as good, Wire(live.port) as one, Wire(live.port) as two:
        for _ in range(3):
            for wire in (one, two):
                wire.send(get("/files/big"))
            for wire in (one, two):
                assert wire.response(timeout=20).body == BIG
    good.assert_served_quickly()
