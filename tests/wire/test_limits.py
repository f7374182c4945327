"""Each limit of `Site`: its default, what is accepted at it, and the code that answers one more."""

from typing import Any

import pytest

from .conftest import OpenSite
from .helpers.client import Wire, ask, get, post, post_chunked
from .helpers.server import LiveSite, ServerProcess

DEFAULTS = {
    "maxRequestLine": 8190,
    "maxHeaderBytes": 32768,
    "maxHeaders": 100,
    "maxBody": 64 << 20,
    "bodyInMemory": 100_000,
    "maxChunkLine": 1024,
    "maxTrailerBytes": 8192,
    "maxDrain": 262_144,
    "writeHighWater": 65536,
    "writeLowWater": 16384,
    "maxConnections": None,
    "maxFormFields": 1000,
    "maxFormMemory": 8 << 20,
    "maxPartHeaderBytes": 8192,
}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_site_has_documented_default(server: ServerProcess, name: str, value: object) -> None:
    assert server.command("default", name=name) == value


def request_line_of(size: int) -> bytes:
    """A request whose line without CRLF is `size` bytes."""
    return get("/hello?" + "x" * (size - len("GET /hello? HTTP/1.1")))


def headers_of(size: int) -> bytes:
    """A request whose field lines, the CRLFs between them counted, are `size` bytes."""
    padding = size - len("Host: a\r\nA: ")
    return get("/hello", "A: " + "x" * padding)


def headers_counted(count: int) -> bytes:
    """A request with `count` field lines."""
    return get("/hello", *("A: b" for _ in range(count - 1)))


def chunk_line_of(size: int) -> bytes:
    """A request with a chunk line of `size` bytes without CRLF."""
    return (
        get("/echo", "Transfer-Encoding: chunked", method="POST")
        + b"1;"
        + b"a" * (size - 2)
        + b"\r\nA\r\n0\r\n\r\n"
    )


def trailers_of(size: int) -> bytes:
    """A request whose trailer lines, CRLFs counted, are `size` bytes."""
    trailer = b"A: " + b"x" * (size - 5) + b"\r\n"
    return get("/echo", "Transfer-Encoding: chunked", method="POST") + b"1\r\nA\r\n0\r\n" + trailer + b"\r\n"


def form_with_fields(count: int) -> bytes:
    """A urlencoded form with `count` fields."""
    body = "&".join(f"k{i}=v" for i in range(count)).encode()
    return post("/form", body, "Content-Type: application/x-www-form-urlencoded")


def multipart(parts: list[bytes]) -> bytes:
    """A multipart form of ready parts."""
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return post("/form", body, "Content-Type: multipart/form-data; boundary=b")


def parts_counted(count: int) -> bytes:
    """A multipart form with `count` fields."""
    return multipart([b'Content-Disposition: form-data; name="k%d"\r\n\r\nv' % i for i in range(count)])


def part_headers_of(size: int) -> bytes:
    """A multipart form with one part whose headers are about `size` bytes."""
    head = b'Content-Disposition: form-data; name="k"\r\nA: '
    return multipart([head + b"x" * (size - len(head)) + b"\r\n\r\nv"])


EXACT = [
    ("maxRequestLine", 100, request_line_of, (414,)),
    ("maxRequestLine", 8190, request_line_of, (414,)),
    ("maxHeaderBytes", 500, headers_of, (431,)),
    ("maxHeaderBytes", 32768, headers_of, (431,)),
    ("maxHeaders", 5, headers_counted, (431,)),
    ("maxHeaders", 100, headers_counted, (431,)),
    ("maxBody", 10, lambda size: post("/echo", b"x" * size), (413,)),
    ("maxBody", 11, lambda size: post_chunked("/echo", [b"x" * (size - 1), b"x"]), (413,)),
    ("maxBody", 200_000, lambda size: post("/echo", b"x" * size), (413,)),
    ("maxChunkLine", 50, chunk_line_of, (400,)),
    ("maxChunkLine", 1024, chunk_line_of, (400,)),
    ("maxTrailerBytes", 60, trailers_of, (400, 431)),
    ("maxTrailerBytes", 8192, trailers_of, (400, 431)),
    ("maxFormFields", 3, form_with_fields, (413,)),
    ("maxFormFields", 1000, form_with_fields, (413,)),
    ("maxFormFields", 1000, parts_counted, (413,)),
]


@pytest.mark.parametrize(("name", "limit", "request_of", "codes"), EXACT)
def test_server_accepts_at_limit_and_refuses_one_above(
    open_site: OpenSite, name: str, limit: int, request_of: Any, codes: tuple[int, ...]
) -> None:
    live = open_site({name: limit})
    assert ask(live.port, request_of(limit)).code == 200
    assert len(live.take_events()) == 1
    assert ask(live.port, request_of(limit + 1)).code in codes


@pytest.mark.parametrize(("name", "limit", "request_of", "codes"), EXACT[:13])
def test_server_refuses_before_program_is_asked(
    open_site: OpenSite, name: str, limit: int, request_of: Any, codes: tuple[int, ...]
) -> None:
    live = open_site({name: limit})
    with Wire(live.port) as wire:
        wire.send_bytewise(request_of(limit + 1)[:40_000])
        assert wire.response().code in codes
    assert live.take_events() == []


def test_server_refuses_larger_part_headers(open_site: OpenSite) -> None:
    live = open_site({"maxPartHeaderBytes": 1000})
    assert ask(live.port, part_headers_of(950)).code == 200
    assert ask(live.port, part_headers_of(1010)).code == 400


def test_server_refuses_larger_form_in_memory(open_site: OpenSite) -> None:
    live = open_site({"maxFormMemory": 100_000})
    part = b'Content-Disposition: form-data; name="k"\r\n\r\n'
    assert ask(live.port, multipart([part + b"v" * 90_000])).code == 200
    assert ask(live.port, multipart([part + b"v" * 100_001])).code == 413
    assert ask(live.port, multipart([part + b"v" * 60_000] * 2)).code == 413


def test_server_holds_number_of_connections(open_site: OpenSite) -> None:
    """At the limit a newcomer waits or is sent away; when one leaves, the next is served."""
    live = open_site({"maxConnections": 2})
    with Wire(live.port) as first, Wire(live.port) as second:
        for wire in (first, second):
            wire.send(get("/hello"))
            assert wire.response().body == b"hello"
        with Wire(live.port) as third:
            third.send(get("/hello"))
            if third.readable(0.3):
                assert third.read_to_end()[:12] in (b"", b"HTTP/1.1 503")
        first.send(get("/hello"))
        assert first.response().body == b"hello"
    # The server may accept the next one before it has noticed that these have left.
    for _ in range(50):
        with Wire(live.port) as wire:
            wire.send(get("/hello", "Connection: close"))
            if wire.read_to_end()[:12] == b"HTTP/1.1 200":
                return
    pytest.fail("nobody was served after two had left")


def test_site_takes_none_for_no_limit(open_site: OpenSite) -> None:
    live = open_site({"maxBody": None})
    with Wire(live.port) as wire:
        wire.send(get("/echo", f"Content-Length: {65 << 20}", "Expect: 100-continue", method="POST"))
        assert wire.head().startswith(b"HTTP/1.1 100 ")


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("value", [-1, "many", [1]])
def test_site_refuses_senseless_limit(site: LiveSite, name: str, value: object) -> None:
    """With an error that names the option; the limit stays as it was."""
    raised = site.set_limit(name, value)
    assert raised is not None
    assert raised.startswith(("ValueError", "TypeError"))
    assert name in raised


def test_limit_can_be_changed_while_serving(open_site: OpenSite) -> None:
    live = open_site()
    assert ask(live.port, post("/echo", b"x" * 100)).code == 200
    assert live.set_limit("maxBody", 50) is None
    assert ask(live.port, post("/echo", b"x" * 100)).code == 413
    assert live.set_limit("maxBody", 200) is None
    assert ask(live.port, post("/echo", b"x" * 100)).code == 200


def test_limits_of_one_site_are_not_those_of_another(open_site: OpenSite) -> None:
    small, large = open_site({"maxBody": 10}), open_site({"maxBody": 20})
    assert ask(small.port, post("/echo", b"x" * 15)).code == 413
    assert ask(large.port, post("/echo", b"x" * 15)).code == 200


def test_server_drains_up_to_limit(open_site: OpenSite) -> None:
    """`maxDrain`: an unread body up to it is thrown away and the connection kept; a longer one ends it."""
    live = open_site({"maxDrain": 1000})
    for length, kept in ((1000, True), (1001, False)):
        with Wire(live.port) as wire:
            wire.send(get("/refuse", f"Content-Length: {length}", method="POST"))
            assert wire.response("POST").closes is not kept
            wire.send(b"x" * length + get("/hello"))
            if kept:
                assert wire.response().body == b"hello"
            else:
                assert wire.wait_for_end()
    assert len(live.events("hello")) == 1


@pytest.mark.parametrize("high_water", [1000, 1 << 20])
def test_server_pauses_producer_at_high_water(open_site: OpenSite, high_water: int) -> None:
    """Nothing is paused below `writeHighWater`, whatever the kernel takes besides."""
    live = open_site({"writeHighWater": high_water, "writeLowWater": high_water // 4})
    with Wire(live.port, receive_buffer=4096) as wire:
        wire.send(get("/push?64000000"))
        assert live.wait_for_event("paused")[0]["written"] >= high_water
        wire.read_fast()
        assert len(wire.response(timeout=20).body) == 64_000_000


@pytest.mark.parametrize("size", [50, 51, 5000])
def test_program_gets_whole_body_on_either_side_of_memory_limit(open_site: OpenSite, size: int) -> None:
    """`bodyInMemory`: above it the body is in a file, and the program doesn't notice."""
    live = open_site({"bodyInMemory": 50})
    assert ask(live.port, post("/echo", b"x" * size)).body == b"x" * size
    assert ask(live.port, post_chunked("/echo", [b"x" * (size - 1), b"x"])).body == b"x" * size
