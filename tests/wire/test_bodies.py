"""Bodies of requests: chunks, streams, sizes, 100 Continue (P05-P07, P17, P19, P45, P56)."""

import gzip
import hashlib
import time
from itertools import repeat

import pytest

from .conftest import OpenSite
from .helpers.checks import assert_refused
from .helpers.client import EVIL, MODES, Wire, ask, get, post, post_chunked
from .helpers.http1 import parse_all
from .helpers.latency import GoodClient, tried_again_if_slow
from .helpers.refusals import CHUNKS, Refusal
from .helpers.server import LiveSite

CHUNKED = get("/echo", "Transfer-Encoding: chunked", method="POST")
MIB = 1 << 20


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("refusal", CHUNKS, ids=str)
def test_server_refuses_chunks(site: LiveSite, refusal: Refusal, mode: str) -> None:
    assert_refused(site, refusal, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nAAAAA\r\n0\r\n\r\n",
        b"2\r\nAA\r\n3\r\nAAA\r\n0\r\n\r\n",
        b"0005\r\nAAAAA\r\n000\r\n\r\n",
        b"5;a\r\nAAAAA\r\n0;b\r\n\r\n",
        b'5;a=b;c="d e";f\r\nAAAAA\r\n0\r\n\r\n',
        b"5\r\nAAAAA\r\n0\r\nA: b\r\nC: \r\n\r\n",
    ],
    ids=repr,
)
def test_server_reads_chunks(site: LiveSite, body: bytes, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(mode, CHUNKED + body + get("/hello"))
        assert (wire.response().body, wire.response().body) == (b"AAAAA", b"hello")


def test_server_reads_chunk_size_in_both_cases(site: LiveSite) -> None:
    body = b"x" * 0xAB
    with Wire(site.port) as wire:
        for size in (b"ab", b"AB", b"aB"):
            wire.send(CHUNKED + size + b"\r\n" + body + b"\r\n0\r\n\r\n")
            assert wire.response().body == body


@pytest.mark.parametrize("mode", MODES)
def test_server_passes_all_bytes(site: LiveSite, mode: str) -> None:
    body = bytes(range(256)) * 8
    with Wire(site.port) as wire:
        wire.send_as(
            mode, post("/echo", body) + post_chunked("/echo", [body[:100], body[100:101], body[101:]])
        )
        assert (wire.response().body, wire.response().body) == (body, body)


def test_server_refuses_endless_trailers(site: LiveSite) -> None:
    """P17: a hundred thousand trailers, dripped."""
    before = site.server.resident_bytes()
    with Wire(site.port) as wire:
        wire.send(CHUNKED + b"0\r\n")
        wire.send_pieces(repeat(b"A: b\r\n" * 100, 1000))
        wire.send(b"\r\n" + EVIL)
        assert parse_all(wire.read_to_end(), ["POST"])[0].code in (400, 431)
    assert site.take_events() == []
    assert site.server.resident_bytes() - before < 2 * MIB


def test_server_refuses_endless_chunk_extension(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(CHUNKED + b"5;")
        wire.send_pieces(repeat(b"a" * 100, 1000))
        assert parse_all(wire.read_to_end(), ["POST"])[0].code == 400
    assert site.take_events() == []


@tried_again_if_slow
def test_server_reads_one_byte_chunks_in_linear_time(site: LiveSite) -> None:
    """P19: ten megabytes in chunks of one byte, while another client goes on being served."""
    count = 10_000_000
    with GoodClient(site.port) as good, Wire(site.port) as wire:
        before = site.server.cpu_seconds()
        wire.send(get("/length", "Transfer-Encoding: chunked", method="POST"))
        wire.send_pieces(repeat(b"1\r\nA\r\n" * 10_000, count // 10_000))
        wire.send(b"0\r\n\r\n")
        assert wire.response(timeout=20).body == b"%d" % count
        used = site.server.cpu_seconds() - before
    good.assert_served_quickly()
    assert used < 10, "more than a microsecond a chunk"


@tried_again_if_slow
def test_server_spools_large_upload_without_stalling_others(site: LiveSite) -> None:
    """P45: 200 MB go to disk while another client goes on being served, and memory stays flat."""
    piece, count = b"u" * MIB, 200
    before = site.server.resident_bytes()
    with GoodClient(site.port) as good, Wire(site.port) as wire:
        wire.send(get("/length", f"Content-Length: {count * MIB}", method="POST"))
        wire.send_pieces(repeat(piece, count))
        assert site.server.resident_bytes() - before < 16 * MIB
        assert wire.response(timeout=30).body == b"%d" % (count * MIB)
    good.assert_served_quickly()


@pytest.mark.parametrize("size", [99_999, 100_000, 100_001, 1_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_program_gets_whole_body_in_memory_or_on_disk(site: LiveSite, size: int, chunked: bool) -> None:
    body = hashlib.shake_128(b"sennit").digest(size)
    request = (
        post_chunked("/digest", [body[:7], body[7:80_000], body[80_000:]])
        if chunked
        else post("/digest", body)
    )
    assert ask(site.port, request).json() == {"length": size, "sha256": hashlib.sha256(body).hexdigest()}


def test_server_leaves_compressed_body_alone(site: LiveSite) -> None:
    """P56: no decoding is offered, so nothing can expand."""
    body = gzip.compress(b"\0" * 1_000_000)
    response = ask(site.port, post("/echo", body, "Content-Encoding: gzip"))
    assert response.body == body


@pytest.mark.parametrize("mode", MODES)
def test_streaming_program_gets_chunked_and_measured_bodies(site: LiveSite, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(
            mode, post("/upload", b"A" * 500) + post_chunked("/upload", [b"A" * 499, b"A"]) + get("/hello")
        )
        assert [wire.response().json()["length"] for _ in range(2)] == [500, 500]
        assert wire.response().body == b"hello"


def test_streaming_program_starts_before_body_has_arrived(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/upload", "Content-Length: 6", method="POST") + b"abc")
        site.wait_for_event("upload started")
        wire.send(b"def")
        assert wire.response().json()["length"] == 6


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 1_000_000, 5_000_000])
@pytest.mark.parametrize("wait", [0, 0.1])
def test_streaming_program_sees_end_of_body(site: LiveSite, size: int, wait: float) -> None:
    """Also when the last bytes came while the program had more than enough to read."""
    for request in (
        post(f"/upload?{wait}", b"x" * size),
        post_chunked(f"/upload?{wait}", [b"x" * (size - 1), b"x"]),
    ):
        with Wire(site.port) as wire:
            wire.send(request)
            assert wire.response(timeout=2).json()["length"] == size


def test_streaming_program_holds_back_client(site: LiveSite) -> None:
    """A program that doesn't read stops the client: a large upload isn't gathered in memory."""
    before = site.server.resident_bytes()
    size = 100 * MIB
    with Wire(site.port) as wire:
        wire.send(get("/upload?1.5", f"Content-Length: {size}", method="POST"))
        deadline = time.monotonic() + 1.0
        sent = 0
        while time.monotonic() < deadline and sent < size:
            sent += wire.send_nowait(b"s" * 65536)
            time.sleep(0.0001)
        assert sent < size, "the server read on although the program didn't"
        assert site.server.resident_bytes() - before < 4 * MIB
        wire.send_pieces(_rest_of(size - sent))
        assert wire.response().json()["length"] == size
    assert site.server.resident_bytes() - before < 8 * MIB


def _rest_of(size: int) -> list[bytes]:
    return [b"s" * MIB] * (size // MIB) + [b"s" * (size % MIB)]


def test_streaming_program_sees_malformed_chunk_as_error(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/upload", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n")
        site.wait_for_event("upload started")
        wire.send(b"x\r\n\r\n" + EVIL)
        assert wire.response("POST").code == 400
        assert wire.wait_for_end()
    (ended,) = site.wait_for_event("upload ended")
    assert ended["error"] is not None
    assert site.events("evil") == []


@pytest.mark.parametrize("mode", MODES)
def test_streaming_program_sees_body_over_limit_as_error(site: LiveSite, mode: str) -> None:
    """Declared, it never begins; chunked, it is cut off at the limit. Either way the answer is 413."""
    with Wire(site.port) as wire:
        wire.send_as(mode, post("/small-upload", b"x" * 11))
        assert wire.response("POST").code == 413
    with Wire(site.port) as wire:
        wire.send_as(mode, post_chunked("/small-upload", [b"x" * 6, b"y" * 5]))
        assert wire.response("POST").code == 413
        assert wire.wait_for_end()
    assert all(event["error"] is not None for event in site.events("upload ended"))


def test_streaming_program_sees_client_leave_as_error(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get("/upload", "Content-Length: 6", method="POST") + b"abc")
        site.wait_for_event("upload started")
        wire.reset()
    (ended,) = site.wait_for_event("upload ended")
    assert ended["error"] is not None


def test_server_answers_early_413_to_client_that_is_still_sending(open_site: OpenSite) -> None:
    """Lingering close: the refusal comes before the body, and can be read by one who looks only later."""
    live = open_site({"maxBody": 1000})
    with Wire(live.port) as wire:
        wire.send(get("/echo", "Content-Length: 4000000", method="POST"))
        wire.send_pieces(repeat(b"x" * 10_000, 400))
        time.sleep(0.05)
        response = wire.response("POST")
        assert response.code == 413
        assert response.closes
        assert wire.wait_for_end()
        assert not wire.was_reset
    assert live.take_events() == []


def test_server_refuses_chunked_body_at_limit(open_site: OpenSite) -> None:
    live = open_site({"maxBody": 1000})
    with Wire(live.port) as wire:
        wire.send(get("/echo", "Transfer-Encoding: chunked", method="POST"))
        wire.send_pieces(repeat(b"10\r\n" + b"x" * 16 + b"\r\n", 63))
        assert wire.response("POST").code == 413
        assert wire.wait_for_end()
    assert live.take_events() == []


def test_server_refuses_declared_length_before_buffering(site: LiveSite) -> None:
    before = site.server.resident_bytes()
    for length in (64 * MIB + 1, 1 << 40, (1 << 63) - 1):
        assert ask(site.port, get("/echo", f"Content-Length: {length}", method="POST"), "POST").code == 413
    assert site.server.resident_bytes() - before < 2 * MIB
    assert site.take_events() == []


def test_resource_has_body_limit_of_its_own(site: LiveSite) -> None:
    assert ask(site.port, post("/small", b"x" * 10)).body == b"x" * 10
    assert ask(site.port, post("/small", b"x" * 11), "POST").code == 413
    assert ask(site.port, post_chunked("/small", [b"x" * 6, b"x" * 5]), "POST").code == 413
    assert [event["length"] for event in site.events("echo")] == [10]
