"""When a connection stays and when it ends (RFC 9112 section 9)."""

import time

import pytest

from .helpers.client import MODES, Wire, ask, get
from .helpers.latency import TooSlow, tried_again_if_slow
from .helpers.script import Operation, path_of
from .helpers.server import LiveSite

WRITTEN: list[Operation] = [["write", "a"], ["write", "b"], ["finish"], ["return", "NOT_DONE_YET"]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [
        ("1.1", None, True),
        ("1.1", "keep-alive", True),
        ("1.1", "close", False),
        ("1.1", "Close", False),
        ("1.1", "close, te", False),
        ("1.1", "te,close", False),
        ("1.1", "TE , CLOSE , x", False),
        ("1.1", "keep-alive, close", False),
        ("1.1", "closed", True),
        ("1.1", "x-close", True),
        ("1.1", "upgrade", True),
        ("1.0", None, False),
        ("1.0", "close", False),
        ("1.0", "keep-alive", True),
        ("1.0", "Keep-Alive", True),
        ("1.0", "te, keep-alive", True),
        ("1.0", "keep-alive, close", False),
    ],
)
def test_server_keeps_connection_by_rule(
    site: LiveSite, version: str, connection: str | None, stays: bool, mode: str
) -> None:
    fields = [] if connection is None else [f"Connection: {connection}"]
    with Wire(site.port) as wire:
        wire.send_as(mode, get("/hello", *fields, version=version) + get("/hello"))
        response = wire.response()
        assert response.body == b"hello"
        assert response.closes is not stays
        if stays:
            assert wire.response().body == b"hello"
        else:
            assert wire.wait_for_end()
    assert len(site.events("hello")) == (2 if stays else 1)


def test_server_reads_connection_options_of_all_lines(site: LiveSite) -> None:
    response = ask(site.port, get("/hello", "Connection: te", "Connection: close"))
    assert response.value("connection") == b"close"


def test_server_says_close_when_it_closes(site: LiveSite) -> None:
    assert ask(site.port, get("/hello", "Connection: close")).value("connection") == b"close"


def test_server_says_keep_alive_to_http_1_0(site: LiveSite) -> None:
    response = ask(site.port, get("/hello", "Connection: keep-alive", version="1.0"))
    assert response.value("connection") == b"keep-alive"


def test_server_says_nothing_of_connection_when_it_stays(site: LiveSite) -> None:
    assert ask(site.port, get("/hello")).values("connection") == []


def test_server_ignores_upgrade_it_does_not_know(site: LiveSite) -> None:
    response = ask(site.port, get("/hello", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"))
    assert (response.code, response.body) == (200, b"hello")


def test_server_serves_thousand_requests_on_one_connection(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        for _ in range(1000):
            wire.send(get("/hello"))
            assert wire.response().body == b"hello"


def test_server_sends_small_answer_at_once(site: LiveSite) -> None:
    """No Nagle delay: the second answer doesn't wait for an acknowledgement of the first."""
    with Wire(site.port) as wire:
        began = time.perf_counter()
        for _ in range(20):
            wire.send(get(path_of(WRITTEN)))
            assert wire.response().body == b"ab"
        assert time.perf_counter() - began < 0.4


@pytest.mark.parametrize("mode", MODES)
def test_server_answers_after_half_close(site: LiveSite, mode: str) -> None:
    """A client may end its side as soon as it has asked."""
    with Wire(site.port) as wire:
        wire.send_as(mode, get("/hello") + get("/kilo") + get("/hello"))
        wire.half_close()
        assert [len(wire.response().body) for _ in range(3)] == [5, 10_000, 5]
        assert wire.wait_for_end()


def test_server_answers_all_that_came_before_half_close(site: LiveSite) -> None:
    """Also what is held back because the answers before aren't taken yet. Often, since timing matters."""
    for _ in range(30):
        with Wire(site.port, receive_buffer=4096) as wire:
            wire.send(get("/kilo") * 50)
            wire.half_close()
            assert sum(len(wire.response().body) for _ in range(50)) == 500_000
            assert wire.wait_for_end()


def test_server_ends_idle_connection_after_half_close(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/hello"))
        assert wire.response().code == 200
        wire.half_close()
        assert wire.wait_for_end(timeout=2)


@tried_again_if_slow
def test_slow_handler_does_not_hold_back_the_answer_of_one_before_it(site: LiveSite) -> None:
    """Both are served in one batch, since both came while the loop was busy."""

    def blocking(seconds: float) -> bytes:
        return get(path_of([["block", seconds], ["return", "done"]]))

    with Wire(site.port) as busy, Wire(site.port) as first, Wire(site.port) as second:
        for wire in (busy, first, second):
            wire.send(get("/hello"))
            assert wire.response().code == 200
        began = time.perf_counter()
        busy.send(blocking(0.1))
        first.send(blocking(0.02))
        second.send(blocking(0.5))
        assert busy.response().body == b"done"
        assert first.response().body == b"done"
        if time.perf_counter() - began > 0.4:
            raise TooSlow("the first answer waited for the second")
        assert second.response().body == b"done"
