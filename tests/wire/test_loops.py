"""The same bytes under every loop: Sennit's reactor, plain asyncio, uvloop; and many sites in one process."""

from collections.abc import Iterator

import pytest

from .helpers.checks import assert_alive, assert_refused
from .helpers.client import MODES, Wire, get, post, post_chunked
from .helpers.latency import GoodClient, tried_again_if_slow
from .helpers.refusals import FRAMING, HEADERS, REQUEST_LINES
from .helpers.script import path_of
from .helpers.server import LiveSite, ServerProcess


@pytest.fixture(scope="module", params=["reactor", "asyncio", "uvloop"])
def other_server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A process that serves in the named kind of loop."""
    process = ServerProcess(request.param)
    yield process
    process.end()


@pytest.fixture
def live(other_server: ServerProcess) -> LiveSite:
    """A fresh site in it."""
    return other_server.open_site()


@pytest.mark.parametrize("mode", MODES)
def test_server_serves_conversation(live: LiveSite, mode: str) -> None:
    slow = path_of(
        [["write", "a"], ["sleep", 0.05], ["write", "b"], ["finish"], ["return", "NOT_DONE_YET"]], waits=True
    )
    with Wire(live.port) as wire:
        wire.send_as(
            mode,
            get("/hello") + post("/echo", b"x" * 300) + get(slow) + post_chunked("/upload", [b"y" * 200]),
        )
        assert [wire.response().body for _ in range(3)] == [b"hello", b"x" * 300, b"ab"]
        assert wire.response().json()["length"] == 200
        wire.send_as(mode, get("/async-chunks?100x1000") + get("/nothing-here"))
        assert len(wire.response().body) == 100_000
        assert wire.response().code == 404


@pytest.mark.parametrize("mode", MODES)
def test_server_refuses_bad_input(live: LiveSite, mode: str) -> None:
    for refusal in (*REQUEST_LINES[::9], *HEADERS[::9], *FRAMING[::9]):
        assert_refused(live, refusal, mode)


def test_coroutine_is_cancelled_when_client_leaves(live: LiveSite) -> None:
    with Wire(live.port) as wire:
        wire.send(get(path_of([["sleep", 30], ["return", ""]], waits=True)))
        live.wait_for_event("started")
    assert live.wait_for_event("ended", timeout=2)[0]["error"] == "CancelledError"


def test_server_drops_slow_header(other_server: ServerProcess) -> None:
    live = other_server.open_site({"headerTimeout": 0.5})
    with Wire(live.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHo")
        assert wire.response(timeout=3).code == 408
        assert wire.wait_for_end()


def test_server_waits_for_reader(live: LiveSite) -> None:
    with Wire(live.port, receive_buffer=4096) as wire:
        wire.send(get("/push?8000000"))
        live.wait_for_event("paused")
        wire.read_fast()
        assert len(wire.response().body) == 8_000_000


@tried_again_if_slow
def test_server_lets_no_flooder_starve_another_client(live: LiveSite) -> None:
    with GoodClient(live.port) as good, Wire(live.port) as flooder:
        for _ in range(10):
            flooder.send(get("/hello") * 500)
            for _ in range(500):
                flooder.response()
    good.assert_served_quickly()


def test_sites_come_and_go(other_server: ServerProcess) -> None:
    """Any number, any number of times; open connections outlive the listening socket."""
    descriptors = other_server.open_descriptors()
    for _ in range(5):
        sites = [other_server.open_site() for _ in range(3)]
        with Wire(sites[0].port) as wire:
            for each in sites:
                assert_alive(each)
            for each in sites:
                each.stop_listening()
            wire.send(get("/hello"))
            assert wire.response().body == b"hello"
        with pytest.raises(ConnectionRefusedError):
            Wire(sites[0].port)
    assert other_server.open_descriptors() <= descriptors + 3
