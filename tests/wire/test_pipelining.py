"""Requests that come before the answers to those before them (P14, P15)."""

import time

import pytest

from .helpers.client import EVIL, MODES, Wire, get, post
from .helpers.latency import GoodClient, tried_again_if_slow
from .helpers.script import path_of
from .helpers.server import LiveSite, wait_until

SLOW = path_of([["sleep", 0.3], ["return", "slow"]], waits=True)


@pytest.mark.parametrize("mode", MODES)
def test_server_answers_in_order(site: LiveSite, mode: str) -> None:
    """P14: the second request is held while the first one waits."""
    with Wire(site.port) as wire:
        wire.send_as(mode, get(SLOW) + get("/hello") + post("/echo", b"AAAAA"))
        site.wait_for_event("started")
        assert not wire.readable(0.1)
        assert site.events("hello", "echo") == []
        assert [wire.response().body for _ in range(3)] == [b"slow", b"hello", b"AAAAA"]
    assert [event["name"] for event in site.events()] == ["started", "ended", "hello", "echo"]


def test_server_holds_next_request_until_response_is_complete(site: LiveSite) -> None:
    """Also when the first response has begun."""
    script = path_of(
        [["write", "begun"], ["sleep", 0.2], ["write", " done"], ["finish"], ["return", "NOT_DONE_YET"]],
        waits=True,
    )
    with Wire(site.port) as wire:
        wire.send(get(script) + get("/hello"))
        wire.receive_some()
        assert site.events("hello") == []
        assert (wire.response().body, wire.response().body) == (b"begun done", b"hello")


@pytest.mark.parametrize("mode", MODES)
def test_server_answers_mixed_pipeline(site: LiveSite, mode: str) -> None:
    requests = [
        get("/hello"),
        get("/hello", method="HEAD"),
        post("/echo", b"x"),
        get("/nothing-here"),
        get("/code/204"),
    ]
    with Wire(site.port) as wire:
        wire.send_as(mode, b"".join(requests))
        codes = [wire.response(method).code for method in ("GET", "HEAD", "POST", "GET", "GET")]
    assert codes == [200, 200, 200, 404, 204]


def test_server_serves_nothing_after_bad_request_in_pipeline(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/hello") + b"BAD\r\n\r\n" + EVIL)
        assert wire.response().body == b"hello"
        assert wire.response().code == 400
        assert wire.wait_for_end()
    assert site.events("evil") == []


def test_server_answers_waiting_request_before_refusing_next(site: LiveSite) -> None:
    """A bad request behind one that still waits doesn't take its answer's place."""
    with Wire(site.port) as wire:
        wire.send(get(SLOW) + b"BAD\r\n\r\n" + EVIL)
        assert (wire.response().body, wire.response().code) == (b"slow", 400)
        assert wire.wait_for_end()
    assert site.events("evil") == []


def test_server_serves_nothing_after_close(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/hello", "Connection: close") + EVIL)
        assert wire.response().closes
        assert wire.wait_for_end()
    assert site.events("evil") == []


def test_server_keeps_memory_flat_under_pipelined_flood(site: LiveSite) -> None:
    """P15: a hundred thousand requests, and no reader: the server stops answering, then reading."""
    flood = memoryview(get("/kilo") * 100_000)
    before = site.server.resident_bytes()
    with Wire(site.port, receive_buffer=4096) as wire:
        sent = 0
        deadline = time.monotonic() + 1.5
        while sent < len(flood) and time.monotonic() < deadline:
            sent += wire.send_nowait(bytes(flood[sent : sent + 65536]))
        served = len(site.events("kilo"))
        assert site.server.resident_bytes() - before < 4 << 20
        assert 0 < served < 2000
        assert wait_until(lambda: len(site.events("kilo")) == served, 0.2)
        assert len(wire.response().body) == 10_000
    site.take_events()


def test_server_answers_flood_once_it_is_read(site: LiveSite) -> None:
    """What was held back is served when the client reads again."""
    count = 3000
    with Wire(site.port, receive_buffer=4096) as wire:
        wire.send(get("/kilo") * count)
        time.sleep(0.1)
        data = 0
        for _ in range(count):
            data += len(wire.response().body)
    assert data == 10_000 * count
    assert len(site.take_events()) == count


@tried_again_if_slow
def test_server_lets_no_flooder_starve_another_client(site: LiveSite) -> None:
    """Fairness: a turn serves a bounded part of a pipeline."""
    with GoodClient(site.port) as good, Wire(site.port) as flooder:
        pending = get("/hello") * 2000
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            sent = flooder.send_nowait(pending)
            pending = pending[sent:] + get("/hello") * (sent // len(get("/hello")))
            if flooder.readable():
                flooder.receive_some()
                flooder.received = b""
    good.assert_served_quickly()
    assert len(good.times) > 50
    assert len(site.take_events()) > 2000
