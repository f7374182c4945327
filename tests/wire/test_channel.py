"""The same bytes through `_engine.Channel`, without sockets: every cut of the input gives one answer."""

import re

import pytest

from sennit._engine import Channel
from sennit.web.server import Site

from .helpers.app import Recorder, build
from .helpers.client import EVIL, get, post, post_chunked
from .helpers.http1 import parse_all
from .helpers.refusals import EVERYTHING, Refusal

_DATE = re.compile(rb"\r\nDate: [^\r]*", re.IGNORECASE)


class Bench:
    """A site without sockets."""

    def __init__(self, **limits: float) -> None:
        self.recorder = Recorder()
        self.site = Site(build(self.recorder))
        for name, value in limits.items():
            setattr(self.site, name, value)

    def channel(self) -> Channel:
        """A new connection to it."""
        return Channel(self.site.engineService())

    def answer(self, *pieces: bytes) -> tuple[bytes, bool]:
        """What a new connection says to these pieces, without dates, and whether it closes."""
        channel = self.channel()
        out = []
        for piece in pieces:
            channel.receive(piece)
            out.append(channel.data_to_send())
        return _DATE.sub(b"", b"".join(out)), channel.closed


def is_closed(channel: Channel) -> bool:
    """The property, asked in a way that a type checker doesn't take for settled."""
    return channel.closed


@pytest.fixture
def bench() -> Bench:
    """A site with default settings."""
    return Bench()


@pytest.mark.parametrize("refusal", EVERYTHING, ids=str)
def test_channel_refuses_at_every_cut(bench: Bench, refusal: Refusal) -> None:
    whole, closed = bench.answer(refusal.data)
    (response,) = parse_all(whole, ["GET"])
    assert response.code in refusal.codes
    assert closed
    for cut in range(1, len(refusal.data)):
        assert bench.answer(refusal.data[:cut], refusal.data[cut:]) == (whole, True), f"cut at {cut}"
    assert bench.answer(*(bytes([byte]) for byte in refusal.data)) == (whole, True)
    assert bench.recorder.events == []


GOOD = {
    "get": get("/hello"),
    "head": get("/hello", method="HEAD"),
    "missing": get("/nothing-here"),
    "post": post("/echo", b"A" * 50 + EVIL),
    "chunked": post_chunked("/echo", [b"A", b"B" * 20, EVIL]),
    "extensions": get("/echo", "Transfer-Encoding: chunked", method="POST")
    + b'3;a="b"\r\nABC\r\n0;c\r\nT: u\r\n\r\n',
    "expect": post("/echo", b"AAAAA", "Expect: 100-continue"),
    "ignored": post("/ignore", EVIL),
    "http-1.0": get("/hello", "Connection: keep-alive", version="1.0"),
    "empty-line": b"\r\n" + get("/hello"),
    "absolute": get("http://a/hello"),
    "closing": get("/hello", "Connection: close"),
    "written": get("/code/200/stream"),
}


@pytest.mark.parametrize("request_bytes", GOOD.values(), ids=list(GOOD))
def test_channel_answers_alike_at_every_cut(bench: Bench, request_bytes: bytes) -> None:
    data = request_bytes + get("/kilo")
    whole, closed = bench.answer(data)
    events = bench.recorder.events
    assert whole.count(b"HTTP/1.1 ") + whole.count(b"HTTP/1.0 ") >= 1
    interim = re.compile(rb"HTTP/1\.1 100 [^\r]*\r\n\r\n")
    for pieces in [(data[:cut], data[cut:]) for cut in range(1, len(data))] + [
        [bytes([byte]) for byte in data]
    ]:
        bench.recorder.events = []
        answer, ended = bench.answer(*pieces)
        assert (interim.sub(b"", answer), ended) == (interim.sub(b"", whole), closed)
        assert bench.recorder.events == events
    assert all(event["name"] != "evil" for event in events)


def test_channel_says_when_it_is_closed(bench: Bench) -> None:
    channel = bench.channel()
    channel.receive(get("/hello"))
    assert not is_closed(channel)
    assert parse_all(channel.data_to_send(), ["GET"])[0].body == b"hello"
    channel.receive(get("/hello", "Connection: close") + EVIL)
    assert parse_all(channel.data_to_send(), ["GET"])[0].closes
    assert is_closed(channel)
    channel.receive(EVIL)
    assert channel.data_to_send() == b""
    assert [event["name"] for event in bench.recorder.events] == ["hello", "hello"]


def test_channel_gives_each_byte_once(bench: Bench) -> None:
    channel = bench.channel()
    channel.receive(get("/hello"))
    assert channel.data_to_send() != b""
    assert channel.data_to_send() == b""


def test_channel_answers_what_came_before_end_of_input(bench: Bench) -> None:
    channel = bench.channel()
    channel.receive(get("/hello") * 3)
    channel.receive_eof()
    assert len(parse_all(channel.data_to_send(), ["GET"] * 3)) == 3
    assert is_closed(channel)


@pytest.mark.parametrize("data", [b"GET", get("/echo", "Content-Length: 5", method="POST") + b"AAA"])
def test_channel_serves_nothing_cut_off_by_end_of_input(bench: Bench, data: bytes) -> None:
    channel = bench.channel()
    channel.receive(data)
    channel.receive_eof()
    rest = channel.data_to_send()
    assert rest == b"" or parse_all(rest, ["GET"])[0].code == 400
    assert is_closed(channel)
    assert bench.recorder.events == []


def test_channel_ends_slow_head_when_time_passes() -> None:
    bench = Bench(headerTimeout=15)
    channel = bench.channel()
    channel.receive(b"GET / HTTP/1.1\r\n")
    channel.tick(14)
    assert channel.data_to_send() == b""
    channel.receive(b"Host: a\r\n")
    channel.tick(2)
    assert parse_all(channel.data_to_send(), ["GET"])[0].code == 408
    assert is_closed(channel)


def test_channel_closes_silently_when_idle() -> None:
    channel = Bench(timeOut=60).channel()
    channel.receive(get("/hello"))
    assert channel.data_to_send()
    channel.tick(59)
    assert not is_closed(channel)
    channel.tick(2)
    assert (channel.data_to_send(), channel.closed) == (b"", True)


def test_channel_tells_program_that_client_left(bench: Bench) -> None:
    channel = bench.channel()
    channel.receive(get("/held"))
    channel.disconnect()
    assert [event["name"] for event in bench.recorder.events] == ["held", "lost"]
    assert is_closed(channel)


def test_channel_stops_reading_pipeline_while_output_waits(bench: Bench) -> None:
    """Responses that nobody takes stop the requests behind them."""
    channel = bench.channel()
    channel.receive(get("/kilo") * 1000)
    served = len(bench.recorder.events)
    assert 0 < served < 100
    total = len(channel.data_to_send())
    for _ in range(1000):
        if len(bench.recorder.events) == 1000:
            break
        channel.receive(b"")
        total += len(channel.data_to_send())
    total += len(channel.data_to_send())
    assert len(bench.recorder.events) == 1000
    assert total > 10_000_000
