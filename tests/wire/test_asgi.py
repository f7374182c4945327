"""ASGI applications on real sockets: framing, order, bodies both ways, clients that leave."""

import time

import pytest

from .conftest import OpenSite
from .helpers.client import MODES, Wire, ask, get, post, post_chunked
from .helpers.server import LiveSite


@pytest.fixture
def site(open_site: OpenSite) -> LiveSite:
    """A site with the application below /asgi."""
    site = open_site()
    site.server.command("serve_asgi", port=site.port)
    return site


def wait_until_told(site: LiveSite, what: str) -> None:
    """Wait until the application has noted something."""
    heard = ""
    deadline = time.monotonic() + 5
    while what not in heard:
        assert time.monotonic() < deadline, f"the application was not told {what}, but {heard!r}"
        heard += ask(site.port, get("/asgi/told")).body.decode()
        time.sleep(0.005)


@pytest.mark.parametrize("mode", MODES)
def test_whole_response_has_its_length(site: LiveSite, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(mode, get("/asgi/hello"))
        response = wire.response()
    assert response.body == b"hello"
    assert response.value("content-length") == b"5"
    assert response.framing == "length"


@pytest.mark.parametrize("mode", MODES)
def test_body_is_echoed_as_it_comes(site: LiveSite, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(mode, post("/asgi/echo", b"0123456789"))
        assert wire.response().body == b"0123456789"
        wire.send_as(mode, post_chunked("/asgi/echo", [b"one", b"two", b"three"]))
        assert wire.response().body == b"onetwothree"


def test_large_body_passes_through(site: LiveSite) -> None:
    body = bytes(range(256)) * 8192
    assert ask(site.port, post("/asgi/echo", body)).body == body


def test_pipelined_requests_are_answered_in_order(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/asgi/hello") + post("/asgi/echo", b"abc"))
        wire.send(post("/asgi/hello", b"unread") + get("/asgi/hello"))
        bodies = [wire.response().body for _ in range(4)]
    assert bodies == [b"hello", b"abc", b"hello", b"hello"]


def test_application_that_waits_is_told_at_once_that_its_client_left(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/asgi/wait"))
        time.sleep(0.02)
    wait_until_told(site, "http.disconnect")


def test_application_that_sends_waits_for_its_client_and_is_told_that_it_left(site: LiveSite) -> None:
    with Wire(site.port, receive_buffer=4096) as wire:
        wire.send(get("/asgi/flood"))
        wire.head()
        wait_until_told(site, "flooding")
    wait_until_told(site, "ClientDisconnected")


def test_header_with_a_line_break_is_never_sent(site: LiveSite) -> None:
    response = ask(site.port, get("/asgi/inject"))
    assert response.code == 500
    assert response.value("x-evil") is None
    site.server.take_logs()


def test_response_of_an_application_that_fails_is_cut(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/asgi/cut"))
        raw = wire.read_to_end()
    assert raw.endswith(b"4\r\nhalf\r\n")
    site.server.take_logs()


@pytest.mark.parametrize("path", ["hello", "echo"])
def test_http_1_0_ends_with_the_connection(site: LiveSite, path: str) -> None:
    with Wire(site.port) as wire:
        wire.send(get(f"/asgi/{path}", version="1.0"))
        raw = wire.read_to_end()
    assert raw.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"chunked" not in raw
