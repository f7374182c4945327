"""Stopping: running requests end, idle connections close, a second signal cuts. A process for each test."""

import signal
import time

import pytest

from .conftest import StartServer
from .helpers.client import Wire, get
from .helpers.script import Operation, path_of
from .helpers.server import ServerProcess, wait_until

SLOW = path_of([["sleep", 0.6], ["return", "slow"]], waits=True)
ENDLESS = path_of([["sleep", 60], ["return", "never"]], waits=True)


def _ended(server: ServerProcess, timeout: float) -> int | None:
    wait_until(lambda: not server.is_alive(), timeout)
    return server.process.poll()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_server_ends_at_once(own_server: StartServer, number: int) -> None:
    server = own_server()
    live = server.open_site()
    with Wire(live.port) as wire:
        wire.send(get("/hello"))
        assert wire.response().body == b"hello"
        began = time.monotonic()
        server.signal(number)
        assert wire.wait_for_end(timeout=2)
    assert _ended(server, 2) == 0
    assert time.monotonic() - began < 1


def test_running_request_ends_before_server(own_server: StartServer) -> None:
    """No newcomer is accepted, the waiting response arrives whole and says close, then the process ends."""
    server = own_server()
    live = server.open_site()
    with Wire(live.port) as busy, Wire(live.port) as idle:
        idle.send(get("/hello"))
        assert idle.response().body == b"hello"
        busy.send(get(SLOW) + get("/evil"))
        live.wait_for_event("started")
        server.signal()
        assert idle.wait_for_end(timeout=0.5)
        with pytest.raises(ConnectionRefusedError):
            Wire(live.port)
        response = busy.response()
        assert (response.body, response.closes) == (b"slow", True)
        assert busy.wait_for_end()
    assert _ended(server, 2) == 0


@pytest.mark.parametrize("size", [4_000_000, 16_000_000])
def test_large_response_ends_before_server(own_server: StartServer, size: int) -> None:
    """What is written but not taken yet arrives whole, be it with the kernel or not (waitress#269, #499)."""
    script: list[Operation] = [["write-many", 1, size], ["finish"], ["return", "NOT_DONE_YET"]]
    server = own_server()
    live = server.open_site()
    with Wire(live.port, receive_buffer=4096) as wire:
        wire.send(get(path_of(script)))
        wire.receive_some(100)
        server.signal()
        time.sleep(0.2)
        wire.read_fast()
        assert len(wire.response().body) == size
    assert _ended(server, 3) == 0


def test_grace_period_is_finite(own_server: StartServer) -> None:
    """After `stopGrace` what still runs is cut off."""
    server = own_server()
    live = server.open_site({"stopGrace": 0.5})
    with Wire(live.port) as wire:
        wire.send(get(ENDLESS))
        live.wait_for_event("started")
        began = time.monotonic()
        server.signal()
        assert wire.wait_for_end(timeout=5)
        assert 0.3 < time.monotonic() - began < 3
    assert _ended(server, 3) == 0


def test_second_signal_cuts_at_once(own_server: StartServer) -> None:
    server = own_server()
    live = server.open_site()
    with Wire(live.port) as wire:
        wire.send(get(ENDLESS))
        live.wait_for_event("started")
        server.signal()
        time.sleep(0.2)
        assert server.is_alive()
        began = time.monotonic()
        server.signal()
        assert wire.wait_for_end(timeout=2)
    assert _ended(server, 2) == 0
    assert time.monotonic() - began < 1


def test_keep_alive_clients_lose_no_request(own_server: StartServer) -> None:
    """Every request that was answered at all was answered whole; connections end between responses."""
    server = own_server()
    live = server.open_site()
    wires = [Wire(live.port) for _ in range(100)]
    try:
        for wire in wires:
            wire.send(get("/hello") * 20)
        server.signal()
        for wire in wires:
            data = wire.read_to_end(timeout=3)
            assert data.count(b"HTTP/1.1 200 OK\r\n") == data.count(b"\r\n\r\nhello")
    finally:
        for wire in wires:
            wire.close()
    assert _ended(server, 3) == 0
