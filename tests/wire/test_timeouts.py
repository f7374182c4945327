"""Time-outs: slow clients are dropped, good ones never wait (P33). Shortened here, the defaults asserted."""

import contextlib
import time
from collections.abc import Iterator

import pytest

from .conftest import OpenSite
from .helpers.client import Wire, get, post
from .helpers.http1 import parse_all
from .helpers.latency import GOOD_ANSWER, GoodClient, tried_again_if_slow
from .helpers.script import path_of
from .helpers.server import LiveSite, ServerProcess, wait_until

DEFAULTS = {
    "headerTimeout": 15,
    "minBodyRate": 512,
    "bodyGrace": 10,
    "timeOut": 60,
    "writeTimeout": 30,
    "lingerTimeout": 5,
    "stopGrace": 10,
}
CROWD = 1000


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_site_has_documented_default(server: ServerProcess, name: str, value: float) -> None:
    assert server.command("default", name=name) == value


@contextlib.contextmanager
def crowd_of(port: int, count: int, data: bytes, receive_buffer: int | None = None) -> Iterator[list[Wire]]:
    """`count` connections that have sent `data`."""
    wires: list[Wire] = []
    try:
        for _ in range(count):
            wires.append(Wire(port, receive_buffer=receive_buffer))
            wires[-1].send(data)
        yield wires
    finally:
        for wire in wires:
            wire.close()


def drip(wires: list[Wire], byte: bytes, seconds: float, every: float = 0.2) -> None:
    """Send each connection one byte every now and then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for wire in wires:
            wire.send_nowait(byte)
        time.sleep(every)


@tried_again_if_slow
def test_server_drops_crowd_that_drips_headers(open_site: OpenSite) -> None:
    """P33: a thousand clients, a byte now and then: 408 at the deadline, which no byte moves."""
    live = open_site({"headerTimeout": 1.0})
    with (
        GoodClient(live.port) as good,
        crowd_of(live.port, CROWD, b"GET /evil HTTP/1.1\r\nHost: a\r\nA: ") as crowd,
    ):
        drip(crowd, b"x", 2.2)
        answers = [parse_all(wire.read_to_end(timeout=2), ["GET"])[0] for wire in crowd]
    assert {answer.code for answer in answers} == {408}
    assert all(answer.closes for answer in answers)
    assert live.events("evil") == []
    good.assert_served_quickly(usual=GOOD_ANSWER)


def test_server_drops_client_that_drips_request_line(open_site: OpenSite) -> None:
    live = open_site({"headerTimeout": 0.5})
    with Wire(live.port) as wire:
        drip([wire], b"G", 1.5, every=0.1)
        assert parse_all(wire.read_to_end(timeout=2), ["GET"])[0].code in (408, 400)


def test_server_counts_header_time_from_first_byte_of_each_request(open_site: OpenSite) -> None:
    """The deadline belongs to one head: a slow second request has its full time, and no more."""
    live = open_site({"headerTimeout": 1.0})
    with Wire(live.port) as wire:
        wire.send(get("/hello"))
        assert wire.response().body == b"hello"
        time.sleep(1.2)
        began = time.monotonic()
        wire.send(get("/hello")[:20])
        time.sleep(0.5)
        wire.send(get("/hello")[20:])
        assert wire.response().body == b"hello"
        wire.send(b"GET ")
        assert wire.response(timeout=3).code == 408
        assert time.monotonic() - began < 3


def test_server_drops_client_that_never_sends(open_site: OpenSite) -> None:
    live = open_site({"headerTimeout": 0.5, "timeOut": 0.5})
    with Wire(live.port) as wire:
        assert wire.read_to_end(timeout=2.5)[:12] in (b"", b"HTTP/1.1 408")


@tried_again_if_slow
def test_server_drops_crowd_that_drips_bodies(open_site: OpenSite) -> None:
    """P33: below the minimum rate after the grace: 408."""
    live = open_site({"bodyGrace": 0.6})
    request = get("/echo", "Content-Length: 10000", method="POST")
    with GoodClient(live.port) as good, crowd_of(live.port, 300, request) as crowd:
        drip(crowd, b"x", 2.2)
        answers = [parse_all(wire.read_to_end(timeout=2), ["POST"])[0] for wire in crowd]
    assert {answer.code for answer in answers} == {408}
    assert live.events("echo") == []
    good.assert_served_quickly(usual=GOOD_ANSWER)


def test_server_drops_client_that_drips_chunks(open_site: OpenSite) -> None:
    """Framing bytes are no body: one-byte chunks with long extensions don't count as a good rate."""
    live = open_site({"bodyGrace": 0.6})
    with Wire(live.port) as wire:
        wire.send(get("/echo", "Transfer-Encoding: chunked", method="POST"))
        drip([wire], b"1\r\nx\r\n", 2.2, every=0.1)
        assert parse_all(wire.read_to_end(timeout=2), ["POST"])[0].code == 408


def test_server_keeps_client_above_minimum_rate(open_site: OpenSite) -> None:
    live = open_site({"bodyGrace": 0.5})
    with Wire(live.port) as wire:
        wire.send(get("/echo", "Content-Length: 3000", method="POST"))
        wire.send_pieces([b"x" * 100] * 30, pause=0.05)
        assert wire.response().body == b"x" * 3000


def test_server_blames_no_client_that_program_holds_back(open_site: OpenSite) -> None:
    """While a streaming program doesn't read, the body's rate isn't the client's fault."""
    live = open_site({"bodyGrace": 0.3})
    size = 20 << 20
    with Wire(live.port) as wire:
        wire.send(get("/upload?1.5", f"Content-Length: {size}", method="POST"))
        wire.send_pieces([b"x" * (1 << 20)] * 20)
        assert wire.response().json()["length"] == size


def test_streaming_program_sees_slow_body_as_error(open_site: OpenSite) -> None:
    live = open_site({"bodyGrace": 0.4})
    with Wire(live.port) as wire:
        wire.send(get("/upload", "Content-Length: 1000", method="POST") + b"abc")
        assert wire.response("POST", timeout=3).code == 408
        assert wire.wait_for_end()
    assert live.wait_for_event("upload ended")[0]["error"] is not None


@tried_again_if_slow
def test_server_resets_crowd_that_does_not_read(open_site: OpenSite) -> None:
    """P33: no progress in sending for `writeTimeout`: reset, and the program's iterator is closed."""
    live = open_site({"writeTimeout": 0.8})
    count = 50
    with GoodClient(live.port) as good, crowd_of(live.port, count, get("/chunks?20000x10000"), 4096) as crowd:
        events = live.wait_for_event("chunks", count, timeout=5)
        assert all(event["given"] < 20000 for event in events)
        for wire in crowd:
            with contextlib.suppress(TimeoutError):
                wire.read_to_end(timeout=3)
            assert wire.ended
            assert len(wire.received) < 20_000 * 10_000
    good.assert_served_quickly(usual=GOOD_ANSWER)


def test_server_keeps_slow_reader_that_makes_progress(open_site: OpenSite) -> None:
    """The kernel's send buffer makes room in large steps: no room is not yet no progress."""
    live = open_site({"writeTimeout": 1.0})
    with Wire(live.port, receive_buffer=16384) as wire:
        wire.send(get("/chunks?2000x10000"))
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            wire.receive_some(500_000)
            assert not wire.ended, "cut off although it was reading all the time"
            time.sleep(0.05)
        wire.read_fast()
        assert len(wire.response(timeout=20).body) == 20_000_000


def test_server_closes_idle_connection_silently(open_site: OpenSite) -> None:
    live = open_site({"timeOut": 0.5})
    with Wire(live.port) as wire:
        wire.send(get("/hello"))
        assert wire.response().body == b"hello"
        began = time.monotonic()
        assert wire.wait_for_end(timeout=3)
        assert 0.3 < time.monotonic() - began < 2.5


def test_server_never_closes_idle_connection_without_time_out(open_site: OpenSite) -> None:
    live = open_site({"timeOut": None})
    with Wire(live.port) as wire:
        wire.send(get("/hello"))
        assert wire.response().body == b"hello"
        assert wire.stays_open(1.5)


def test_server_counts_no_idle_time_while_program_works(open_site: OpenSite) -> None:
    live = open_site({"timeOut": 0.4, "headerTimeout": 0.4, "bodyGrace": 0.4, "writeTimeout": 0.4})
    with Wire(live.port) as wire:
        wire.send(get(path_of([["sleep", 1.5], ["return", "late"]], waits=True)))
        assert wire.response().body == b"late"
        wire.send(post("/echo", b"still here"))
        assert wire.response().body == b"still here"


def test_server_ends_lingering_in_time(open_site: OpenSite) -> None:
    """A refused client that goes on sending for ever is cut off after `lingerTimeout`."""
    live = open_site({"lingerTimeout": 0.5, "maxBody": 10})
    with Wire(live.port) as wire:
        wire.send(get("/echo", "Content-Length: 100000000", method="POST"))
        assert wire.response("POST").code == 413
        began = time.monotonic()
        while not wire.send_failed and time.monotonic() - began < 5:
            wire.send(b"x" * 100)
            time.sleep(0.02)
        assert 0.2 < time.monotonic() - began < 3


def test_server_forgets_all_dropped_clients(open_site: OpenSite, server: ServerProcess) -> None:
    """No descriptor stays behind when a crowd was dropped."""
    before = server.open_descriptors()
    live = open_site({"headerTimeout": 0.4, "lingerTimeout": 0.4})
    with crowd_of(live.port, 200, b"GET /evil HTTP/1.1\r\n"):
        assert wait_until(lambda: server.open_descriptors() > before + 150, 2)
        # The clients keep their ends open, and don't read.
        assert wait_until(lambda: server.open_descriptors() <= before + 5, 5)


def test_time_out_can_be_changed_while_serving(site: LiveSite, open_site: OpenSite) -> None:
    live = open_site()
    assert live.set_limit("headerTimeout", 0.4) is None
    with Wire(live.port) as wire:
        wire.send(b"GET /")
        assert wire.response(timeout=3).code == 408
