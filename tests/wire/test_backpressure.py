"""Responses larger than what the client takes: producers pause, iterators wait, memory stays flat."""

import time
from itertools import pairwise

import pytest

from .helpers.client import Wire, ask, get
from .helpers.latency import GoodClient, tried_again_if_slow
from .helpers.script import Operation, path_of
from .helpers.server import LiveSite

MIB = 1 << 20
BIG = 64 * MIB
SOURCES = {
    "push": f"/push?{BIG}",
    "pull": f"/pull?{BIG}",
    "iterator": f"/chunks?{BIG // 65536}x65536",
    "async-iterator": f"/async-chunks?{BIG // 65536}x65536",
}


@pytest.mark.parametrize("path", SOURCES.values(), ids=list(SOURCES))
def test_response_waits_for_reader_in_flat_memory(site: LiveSite, path: str) -> None:
    before = site.server.resident_bytes()
    with Wire(site.port, receive_buffer=65536) as wire:
        wire.send(get(path))
        assert wire.receive_some(100)
        time.sleep(0.3)
        # What the kernel's send buffer takes is not the server's.
        assert site.server.resident_bytes() - before < 3 * MIB
        wire.read_fast()
        received = len(wire.received)
        while not wire.ended and not wire.received.endswith(b"\r\n0\r\n\r\n"):
            wire.received = wire.received[-40:]
            received += len(wire.receive_some())
        assert not wire.ended
        assert received > BIG
    assert site.server.resident_bytes() - before < 3 * MIB


@pytest.mark.parametrize("path", SOURCES.values(), ids=list(SOURCES))
def test_response_arrives_whole(site: LiveSite, path: str) -> None:
    assert len(ask(site.port, get(path)).body) == BIG


def test_push_producer_is_paused_and_resumed(site: LiveSite) -> None:
    with Wire(site.port, receive_buffer=4096) as wire:
        wire.send(get(SOURCES["push"]))
        (paused, *_) = site.wait_for_event("paused")
        time.sleep(0.1)
        written = site.events("paused")[-1]["written"]
        time.sleep(0.2)
        assert site.events("paused")[-1]["written"] == written, "writes went on while paused"
        assert written < 16 * MIB
        wire.read_fast()
        assert len(wire.response(timeout=20).body) == BIG
    events = [event["name"] for event in site.events("paused", "resumed")]
    assert events[0] == "resumed"
    assert events.count("resumed") >= 2
    assert all(first != second for first, second in pairwise(events)), "told the same twice"
    assert paused["written"] >= 65536


def test_producer_is_stopped_when_client_leaves(site: LiveSite) -> None:
    """Also when it is just writing as the client leaves, which is why this is done ten times."""
    for path in (SOURCES["push"], SOURCES["pull"]) * 10:
        with Wire(site.port, receive_buffer=4096) as wire:
            wire.send(get(path))
            assert wire.receive_some()
        assert site.wait_for_event("stopped", timeout=2)[0]["written"] < BIG
        site.take_events()


def test_second_producer_is_refused(site: LiveSite) -> None:
    """ValueError until the first one is unregistered."""
    script: list[Operation] = [
        ["idle-producer"],
        ["idle-producer"],
        ["unregisterProducer"],
        ["idle-producer"],
        ["unregisterProducer"],
        ["return", "on"],
    ]
    assert ask(site.port, get(path_of(script))).body == b"on"
    assert [event["type"] for event in site.events("raised")] == ["ValueError"]


@tried_again_if_slow
def test_slow_readers_starve_nobody(site: LiveSite) -> None:
    wires = [Wire(site.port, receive_buffer=4096) for _ in range(50)]
    try:
        with GoodClient(site.port) as good:
            for wire in wires:
                wire.send(get(SOURCES["iterator"]))
            deadline = time.monotonic() + 0.6
            while time.monotonic() < deadline:
                for wire in wires:
                    if wire.readable():
                        wire.receive_some(100)
        good.assert_served_quickly()
    finally:
        for wire in wires:
            wire.close()
    site.wait_for_event("chunks", 50)


def test_large_returned_body_arrives_whole(site: LiveSite) -> None:
    size = 3_000_000
    response = ask(site.port, get(path_of([["write-many", 1, size], ["finish"], ["return", "NOT_DONE_YET"]])))
    assert response.body == b"m" * size


@tried_again_if_slow
def test_response_stream_blocks_no_other_client(site: LiveSite) -> None:
    """Two fast readers of long streams, and a client between them that is served at once."""
    with GoodClient(site.port) as good, Wire(site.port) as one, Wire(site.port) as two:
        for wire in (one, two):
            wire.send(get(SOURCES["iterator"]))
        left = 2 * BIG
        while left > 0:
            for wire in (one, two):
                if wire.readable(0.001):
                    left -= len(wire.receive_some(1 << 20))
                    wire.received = b""
    good.assert_served_quickly()
