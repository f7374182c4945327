"""Header fields of requests (P10, P11, P12, P17, P18, P22, P35, P53)."""

import time
from itertools import repeat

import pytest

from .helpers.checks import assert_refused
from .helpers.client import EVIL, MODES, Wire, ask, get
from .helpers.http1 import parse_all
from .helpers.refusals import HEADERS, Refusal
from .helpers.server import LiveSite


def _fields_of(facts: object) -> dict[str, list[str]]:
    assert isinstance(facts, dict)
    return {name.lower(): values for name, values in facts["fields"]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("refusal", HEADERS, ids=str)
def test_server_refuses_headers(site: LiveSite, refusal: Refusal, mode: str) -> None:
    assert_refused(site, refusal, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "host",
    [
        "a",
        "A.Example",
        "a:80",
        "a:",
        "127.0.0.1:8080",
        "[::1]",
        "[::1]:8080",
        "a_b-c.d",
        "a%20b",
        "xn--bcher-kva.example",
    ],
)
def test_server_accepts_host(site: LiveSite, host: str, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(mode, f"GET /hello HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert wire.response().code == 200


def test_server_needs_no_host_on_http_1_0(site: LiveSite) -> None:
    assert ask(site.port, b"GET /hello HTTP/1.0\r\n\r\n").code == 200


def test_server_refuses_two_hosts_on_http_1_0(site: LiveSite) -> None:
    assert ask(site.port, b"GET /hello HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n").code == 400


def test_request_path_comes_from_target_alone(site: LiveSite) -> None:
    """P12: whatever the Host says, the path is the target's."""
    facts = ask(site.port, b"GET /facts/x HTTP/1.1\r\nHost: evil.example:1\r\n\r\n").json()
    assert (facts["path"], facts["uri"]) == ("/facts/x", "/facts/x")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "name", ["Sec-WebSocket-Protocol", "Cookie", "Accept", "Content-Type", "Referer", "X-Any"]
)
def test_server_passes_high_bytes_in_values(site: LiveSite, name: str, mode: str) -> None:
    """P35: obs-text is legal in values (RFC 9110 section 5.5) and must not hurt anyone."""
    with Wire(site.port) as wire:
        wire.send_as(mode, get("/facts", f"{name}: \x80\xff"))
        assert _fields_of(wire.response().json())[name.lower()] == ["\x80\xff"]


@pytest.mark.parametrize(
    "name", ["Connection", "Expect", "Authorization", "If-None-Match", "If-Modified-Since", "Upgrade"]
)
def test_server_survives_high_bytes_in_meaningful_values(site: LiveSite, name: str) -> None:
    """P35: where the server itself reads the value."""
    response = ask(site.port, get("/hello", f"{name}: \x80\xff"))
    assert response.code in (200, 400, 417)


def test_server_trims_white_space_around_values(site: LiveSite) -> None:
    facts = ask(site.port, get("/facts", "A: \t x \t y \t", "B:", "C: \t ", "D:z")).json()
    fields = _fields_of(facts)
    assert (fields["a"], fields["b"], fields["c"], fields["d"]) == (["x \t y"], [""], [""], ["z"])


def test_server_keeps_order_of_repeated_headers(site: LiveSite) -> None:
    assert _fields_of(ask(site.port, get("/facts", "A: 1", "B: 2", "a: 3")).json())["a"] == ["1", "3"]


def test_server_refuses_megabyte_header_at_limit(site: LiveSite) -> None:
    """P17: 431 as soon as the limit is passed, while the value is still coming."""
    with Wire(site.port) as wire:
        wire.send(b"GET /hello HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 33_000)
        assert wire.response().code == 431
        assert wire.wait_for_end()


@pytest.mark.parametrize(
    "piece", [b"x" * 100, b"A: x\r\n", b"A: " + b"x" * 1000 + b"\r\n"], ids=["value", "many", "long"]
)
def test_server_refuses_dripped_headers(site: LiveSite, piece: bytes) -> None:
    """P17: a megabyte in one header, in very many, or in many long ones: 431, and no memory for them."""
    before = site.server.resident_bytes()
    with Wire(site.port) as wire:
        wire.send(b"GET /hello HTTP/1.1\r\nHost: a\r\nA: ")
        wire.send_pieces(repeat(piece * 10, 1_000_000 // (10 * len(piece))))
        wire.send(b"\r\n\r\n" + EVIL)
        assert parse_all(wire.read_to_end(), ["GET"])[0].code == 431
    assert site.take_events() == []
    assert site.server.resident_bytes() - before < 2 << 20


@pytest.mark.parametrize(
    "fields",
    [
        b"A:1\r\n" * 12_000,
        b"A:1\r\n" * 90,
        b"A: " + b"x" * 30_000 + b"\r\n",
        b"A: " + b" \t" * 15_000 + b"\r\n",
    ],
    ids=["twelve-thousand", "ninety", "one-long", "one-blank"],
)
def test_server_refuses_large_head_in_linear_time(site: LiveSite, fields: bytes) -> None:
    """P18: up to 60 KB of headers with a bad byte at their end cost less than 10 ms."""
    data = b"GET /hello HTTP/1.1\r\nHost: a\r\n" + fields + b"B: \x00\r\n\r\n"
    times = []
    for _ in range(3):
        with Wire(site.port) as wire:
            began = time.perf_counter()
            wire.send(data)
            response = wire.response()
            times.append(time.perf_counter() - began)
        assert response.code in (400, 431)
    assert min(times) < 0.01
    assert site.take_events() == []


def test_server_reads_dripped_head_in_linear_time(site: LiveSite) -> None:
    """P18: a head that arrives a byte at a time isn't scanned from its beginning for each."""
    head = get("/hello", *(f"A{i}: {'x' * 300}" for i in range(90)))
    before = site.server.cpu_seconds()
    with Wire(site.port) as wire:
        wire.send_bytewise(head)
        assert wire.response().body == b"hello"
    assert site.server.cpu_seconds() - before < 1.0


def test_program_sees_no_forwarded_header_by_underscore(site: LiveSite) -> None:
    """P22: `X_Forwarded_For` is another name than `X-Forwarded-For`."""
    facts = ask(site.port, get("/facts", "X_Forwarded_For: 6.6.6.6")).json()
    assert facts["forwarded"] is None
    assert facts["client"] == "127.0.0.1"


def test_program_sees_no_trust_in_forwarded_headers(site: LiveSite) -> None:
    """P22: spoofed forwarding headers change neither address nor scheme nor URL."""
    spoofed = [
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil",
        "Forwarded: for=6.6.6.6",
    ]
    facts = ask(site.port, get("/facts", *spoofed, "Proxy: http://evil")).json()
    assert (facts["client"], facts["secure"]) == ("127.0.0.1", False)
    assert facts["url"].startswith("http://a:")
    assert "evil" not in facts["url"]


def test_server_reads_hostile_cookie_in_linear_time(site: LiveSite) -> None:
    """P53: eight kilobytes of quoted backslashes."""
    began = time.perf_counter()
    response = ask(site.port, get("/facts", 'Cookie: a="' + '\\"' * 4096))
    assert time.perf_counter() - began < 0.1
    assert response.code == 200


def test_program_sees_no_prefixed_cookie_without_name(site: LiveSite) -> None:
    """P53: `=__Host-x=1` is a cookie without a name and not `__Host-x`."""
    cookies = ask(site.port, get("/facts", "Cookie: =__Host-x=1; b=2")).json()["cookies"]
    assert "__Host-x" not in cookies
    assert cookies["b"] == "2"


def test_server_logs_nothing_for_bad_cookies(site: LiveSite) -> None:
    """P43: four thousand cookies that are none make at most one log line."""
    site.server.take_logs()
    assert ask(site.port, get("/facts", "Cookie: " + "\x80;" * 4000)).code == 200
    assert len(site.server.take_logs()) <= 1
