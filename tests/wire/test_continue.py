"""`Expect: 100-continue`: answered only when the body is really asked for (RFC 9110 section 10.1.1)."""

import pytest

from .conftest import OpenSite
from .helpers.client import MODES, Wire, get, post
from .helpers.server import LiveSite

EXPECT = "Expect: 100-continue"


@pytest.mark.parametrize("value", ["100-continue", "100-Continue", "100-CONTINUE"])
def test_server_asks_for_body_that_program_wants(site: LiveSite, value: str) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/echo", "Content-Length: 5", f"Expect: {value}", method="POST"))
        assert wire.head().startswith(b"HTTP/1.1 100 ")
        wire.send(b"AAAAA")
        assert wire.response().body == b"AAAAA"


def test_server_asks_for_chunked_body(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/echo", "Transfer-Encoding: chunked", EXPECT, method="POST"))
        assert wire.head().startswith(b"HTTP/1.1 100 ")
        wire.send(b"5\r\nAAAAA\r\n0\r\n\r\n")
        assert wire.response().body == b"AAAAA"


def test_server_asks_when_streaming_program_reads(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/upload?0.1", "Content-Length: 5", EXPECT, method="POST"))
        site.wait_for_event("upload started")
        assert not wire.readable(0.03), "asked before the program did"
        assert wire.head().startswith(b"HTTP/1.1 100 ")
        wire.send(b"AAAAA")
        assert wire.response().json()["length"] == 5


def test_server_asks_not_when_program_answers_at_once(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/refuse", "Content-Length: 5", EXPECT, method="POST"))
        response = wire.response("POST")
        assert (response.code, response.interim) == (403, [])


def test_server_never_takes_next_request_for_body_it_did_not_ask_for(site: LiveSite) -> None:
    """The client may go on with the body or not, and the server can't tell which: it closes, or
    reads what comes as body."""
    with Wire(site.port) as wire:
        wire.send(get("/refuse", "Content-Length: 31", EXPECT, method="POST"))
        response = wire.response("POST")
        wire.send(b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.half_close()
        assert wire.read_to_end() == b""
        assert response.code == 403
    assert site.events("evil") == []


def test_server_asks_not_for_body_over_limit(open_site: OpenSite) -> None:
    live = open_site({"maxBody": 4})
    with Wire(live.port) as wire:
        wire.send(get("/echo", "Content-Length: 5", EXPECT, method="POST"))
        response = wire.response("POST")
        assert (response.code, response.interim) == (413, [])


def test_server_asks_not_for_absent_body(site: LiveSite) -> None:
    for fields in (["Content-Length: 0"], []):
        with Wire(site.port) as wire:
            wire.send(get("/hello", *fields, EXPECT))
            assert wire.response().interim == []


def test_server_asks_not_on_http_1_0(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/echo", "Content-Length: 5", EXPECT, method="POST", version="1.0"))
        assert not wire.readable(0.1)
        wire.send(b"AAAAA")
        response = wire.response()
        assert (response.body, response.interim) == (b"AAAAA", [])


@pytest.mark.parametrize("mode", MODES)
def test_server_serves_client_that_does_not_wait(site: LiveSite, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(mode, post("/echo", b"AAAAA", EXPECT) + get("/hello"))
        response = wire.response()
        assert response.body == b"AAAAA"
        assert [head.code for head in response.interim] in ([], [100])
        assert wire.response().body == b"hello"


def test_server_answers_other_expectation_well_formed(site: LiveSite) -> None:
    """RFC 9110 section 10.1.1: an unknown expectation may be refused with 417."""
    with Wire(site.port) as wire:
        wire.send(post("/echo", b"AAAAA", "Expect: 200-maybe"))
        response = wire.response()
        assert response.code in (200, 417)
        assert response.interim == []
