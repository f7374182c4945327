"""Clients that leave: programs are told, nothing spins, nothing leaks (P34)."""

import time
from collections.abc import Callable

import pytest

from .helpers.checks import assert_alive
from .helpers.client import Wire, get
from .helpers.script import Operation, path_of
from .helpers.server import LiveSite, ServerProcess, wait_until

WAITS: list[Operation] = [["sleep", 30], ["return", "late"]]
WAYS_TO_LEAVE: dict[str, Callable[[Wire], None]] = {"close": Wire.close, "reset": Wire.reset}


def leaving() -> pytest.MarkDecorator:
    """Each way in which a client leaves."""
    return pytest.mark.parametrize("leave", WAYS_TO_LEAVE.values(), ids=list(WAYS_TO_LEAVE))


@leaving()
def test_coroutine_is_cancelled_when_client_leaves(site: LiveSite, leave: Callable[[Wire], None]) -> None:
    """Its `finally` runs, at once and without a write."""
    wire = Wire(site.port)
    wire.send(get(path_of(WAITS, waits=True)))
    site.wait_for_event("started")
    began = time.monotonic()
    leave(wire)
    (ended,) = site.wait_for_event("ended", timeout=2)
    assert ended["error"] == "CancelledError"
    assert time.monotonic() - began < 0.5
    assert [record for record in site.server.take_logs() if record["traceback"]] == []


@leaving()
def test_coroutine_that_has_begun_to_write_is_cancelled(
    site: LiveSite, leave: Callable[[Wire], None]
) -> None:
    wire = Wire(site.port)
    wire.send(get(path_of([["write", "begun"], *WAITS], waits=True)))
    assert wire.receive_some()
    leave(wire)
    assert site.wait_for_event("ended", timeout=2)[0]["error"] == "CancelledError"


@leaving()
def test_coroutine_goes_on_where_resource_says_so(site: LiveSite, leave: Callable[[Wire], None]) -> None:
    """`cancelOnDisconnect = False`: it runs to its end, and what it writes goes nowhere."""
    path = path_of(
        [["sleep", 0.4], ["write", "x"], ["write-many", 100, 100_000], ["return", "late"]], waits=True
    )
    wire = Wire(site.port)
    wire.send(get(path.replace("/async-script", "/staying-script")))
    site.wait_for_event("started")
    leave(wire)
    (ended,) = site.wait_for_event("ended", timeout=3)
    assert ended["error"] is None
    assert site.events("raised") == []
    assert_alive(site)


@leaving()
def test_iterator_is_closed_when_client_leaves(site: LiveSite, leave: Callable[[Wire], None]) -> None:
    for path in ("/chunks?100000x10000", "/async-chunks?100000x10000"):
        wire = Wire(site.port)
        wire.send(get(path))
        assert wire.receive_some()
        leave(wire)
        assert site.wait_for_event("chunks", timeout=2)[0]["given"] < 100_000
        site.take_events()


@leaving()
def test_notify_finish_tells_that_client_left(site: LiveSite, leave: Callable[[Wire], None]) -> None:
    wire = Wire(site.port)
    wire.send(get("/held"))
    site.wait_for_event("held")
    leave(wire)
    (lost,) = site.wait_for_event("lost", timeout=2)
    assert lost["reason"] in ("ConnectionDone", "ConnectionLost")
    assert site.events("finished") == []
    site.release()


def test_notify_finish_tells_that_response_is_finished(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/held"))
        site.wait_for_event("held")
        site.act(["write", "now"], ["finish"])
        assert wire.response().body == b"now"
    assert site.wait_for_event("finished")[0]["result"] == "None"
    assert site.events("lost") == []
    site.release()


@leaving()
def test_writes_after_client_left_are_harmless(site: LiveSite, leave: Callable[[Wire], None]) -> None:
    """`write` does nothing; `finish` may raise RuntimeError, as in Twisted; nothing breaks or piles up."""
    wire = Wire(site.port)
    wire.send(get("/held"))
    site.wait_for_event("held")
    leave(wire)
    site.wait_for_event("lost")
    before = site.server.resident_bytes()
    site.act(["write", "x"], ["setHeader", "A", "b"], ["write-many", 500, 100_000])
    assert site.events("raised") == []
    assert site.server.resident_bytes() - before < 4 << 20
    site.act(["finish"])
    assert [event["type"] for event in site.events("raised")] in ([], ["RuntimeError"])
    site.release()
    assert_alive(site)


def test_write_after_finish_raises(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/held"))
        site.wait_for_event("held")
        site.act(["write", "a"], ["finish"], ["write", "b"])
        assert wire.response().body == b"a"
        assert [event["type"] for event in site.events("raised")] == ["RuntimeError"]
        wire.send(get("/hello"))
        assert wire.response().body == b"hello"
    site.release()


def test_program_closes_connection_under_response(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get(path_of([["write", "begun"], ["loseConnection"], ["return", "NOT_DONE_YET"]])))
        received = wire.read_to_end(timeout=3)
    assert b"begun" in received
    assert not received.endswith(b"0\r\n\r\n")
    assert_alive(site)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"G",
        b"GET /hello HTTP/1.1\r\n",
        get("/hello"),
        get("/echo", "Content-Length: 9", method="POST") + b"abc",
    ],
    ids=["nothing", "a-byte", "half-a-head", "a-request", "half-a-body"],
)
def test_server_survives_storm_of_resets(site: LiveSite, data: bytes) -> None:
    """P34: two thousand of each kind, ten thousand in all: still serving, nothing left, processor idle."""
    descriptors = site.server.open_descriptors()
    for _ in range(2000):
        wire = Wire(site.port)
        if data:
            wire.send(data)
        wire.reset()
    assert_alive(site)
    assert wait_until(lambda: site.server.open_descriptors() <= descriptors + 3, 3)
    assert_idle(site.server)
    assert [record for record in site.server.take_logs() if record["traceback"]] == []
    site.take_events()


def test_server_survives_storm_of_half_closes(site: LiveSite) -> None:
    """P34: a half-closed connection, idle or inside a request, neither spins nor stays."""
    descriptors = site.server.open_descriptors()
    wires = []
    for data in (
        b"",
        b"GET /he",
        get("/hello"),
        get("/echo", "Content-Length: 9", method="POST") + b"abc",
    ) * 200:
        wires.append(Wire(site.port))
        wires[-1].send(data)
        wires[-1].half_close()
    assert_alive(site)
    assert_idle(site.server)
    for wire in wires:
        wire.read_to_end()
        wire.close()
    assert wait_until(lambda: site.server.open_descriptors() <= descriptors + 3, 3)


def test_half_closed_waiting_request_does_not_spin(site: LiveSite) -> None:
    """Whether the program goes on or not, the end of input is looked at once and not all the time."""
    with Wire(site.port) as wire:
        wire.send(get("/held"))
        site.wait_for_event("held")
        wire.half_close()
        time.sleep(0.05)
        assert_idle(site.server)
    site.wait_for_event("lost")
    site.release()


def assert_idle(server: ServerProcess, seconds: float = 0.4) -> None:
    """The process uses next to no processor time."""
    time.sleep(0.05)
    before = server.cpu_seconds()
    time.sleep(seconds)
    assert server.cpu_seconds() - before < 0.1 * seconds + 0.02


def test_server_rests_after_response_larger_than_may_wait(site: LiveSite) -> None:
    """Such a response clogs the connection for a moment: that must not outlast it, nor keep it open."""
    descriptors = site.server.open_descriptors()
    body = b"b" * 300_000
    with Wire(site.port) as wire:
        wire.send(get("/echo", f"Content-Length: {len(body)}", method="POST") + body)
        assert wire.response("POST", timeout=5).body == body
        assert_idle(site.server)
    assert wait_until(lambda: site.server.open_descriptors() <= descriptors, 3)
