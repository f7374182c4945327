"""Random conversations with a `Channel`: no panic, well-formed answers, and the same ones at any cut."""

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .helpers.client import get, post, post_chunked
from .helpers.http1 import parse_response
from .test_channel import Bench

FRAGMENTS = [
    get("/hello"),
    get("/nothing-here"),
    get("/code/204"),
    get("/code/304/stream"),
    get("/hello", "Connection: close"),
    get("/hello", "Connection: keep-alive", version="1.0"),
    post("/echo", b"0123456789"),
    post("/ignore", b"0123456789"),
    post_chunked("/echo", [b"01234", b"56789"]),
    get("/echo", "Transfer-Encoding: chunked", method="POST"),
    get("/echo", "Content-Length: 7", method="POST"),
    *(
        b"GET ",
        b"POST /echo ",
        b"HTTP/1.1",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b" ",
        b":",
        b"\t",
        b"\x00",
        b"\xff",
    ),
    *(
        b"Host: a\r\n",
        b"Content-Length: ",
        b"Transfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
        b"5\r\nabcde\r\n",
        b"5;x=y\r\n",
    ),
    *(b"0", b"5", b"f", b"A: b\r\n", b"Expect: 100-continue\r\n", b"x" * 300, b"/" * 9000, b"A: b\r\n" * 101),
]
_INTERIM = re.compile(rb"HTTP/1\.1 100 Continue\r\n(?:[^\r]+\r\n)*\r\n")


def conversations() -> st.SearchStrategy[bytes]:
    """Fragments of requests in any order, some with a byte changed."""
    whole = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=8).map(b"".join)
    return st.one_of(
        whole, st.tuples(whole, st.integers(0, 1 << 16), st.integers(0, 255)).map(_with_changed_byte)
    )


def _with_changed_byte(given_values: tuple[bytes, int, int]) -> bytes:
    data, at, byte = given_values
    at %= len(data)
    return data[:at] + bytes([byte]) + data[at + 1 :]


def count_responses(data: bytes) -> int:
    """How many whole responses `data` is made of; BadResponse or NeedMore if it is anything else."""
    at = count = 0
    while at < len(data):
        _, at = parse_response(data, at, "GET", ended=True)
        count += 1
    return count


@pytest.fixture(scope="module")
def bench() -> Bench:
    """One site for all conversations."""
    return Bench()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=conversations(), cuts=st.lists(st.integers(0, 1 << 16), max_size=6))
def test_channel_answers_well_formed_and_alike(bench: Bench, data: bytes, cuts: list[int]) -> None:
    # Only HEAD has bodiless answers that the reader would misread; a changed byte can make no HEAD of a GET.
    bench.recorder.events = []
    whole, closed = bench.answer(data)
    events = bench.recorder.events
    count_responses(whole)
    places = [*sorted({cut % len(data) for cut in cuts} | {0}), len(data)]
    bench.recorder.events = []
    pieces = [data[start:end] for start, end in pairwise(places)]
    cut_up, ended = bench.answer(*pieces)
    assert (_INTERIM.sub(b"", cut_up), ended) == (_INTERIM.sub(b"", whole), closed)
    assert bench.recorder.events == events
