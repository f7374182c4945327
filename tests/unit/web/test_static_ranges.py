"""Ranges, as functions of header values (RFC 9110 section 14)."""

import time

import pytest

from sennit.web._dates import datetimeToString
from sennit.web._static_ranges import Unsatisfiable, contentRange, holdsIfRange, parseRange

ETAG = b'"tag"'


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        (b"bytes=0-0", [(0, 1)]),
        (b"bytes=2-5", [(2, 4)]),
        (b"bytes=2-", [(2, 8)]),
        (b"bytes=2-99", [(2, 8)]),
        (b"bytes=-3", [(7, 3)]),
        (b"bytes=-99", [(0, 10)]),
        (b"Bytes = 1 - 2", [(1, 2)]),
        (b"bytes=0-1,4-5", [(0, 2), (4, 2)]),
        (b"bytes=4-5, 0-1", [(4, 2), (0, 2)]),
        (b"bytes=0-1,2-3", [(0, 2), (2, 2)]),
        (b"bytes=,0-1,,", [(0, 2)]),
        (b"bytes=0-1,50-60", [(0, 2)]),
        (b"bytes=-0,0-1", [(0, 2)]),
        (b"bytes=0-9223372036854775807", [(0, 10)]),
    ],
)
def test_ranges_are_found(header: bytes, spans: list[tuple[int, int]]) -> None:
    assert parseRange(header, 10, 8) == spans


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"bytes",
        b"bytes=",
        b"bytes=,",
        b"bytes=-",
        b"bytes=x",
        b"bytes=5-2",
        b"bytes=1-2x",
        b"bytes=1-2-3",
        b"bytes=--1",
        b"bytes=+1-2",
        b"bytes=0x1-2",
        b"bytes=1_0-",
        b"bytes=\xb2-",
        b"lines=0-1",
        b"0-1",
        b"bytes=0-1;2-3",
        b"bytes=0-1,x",
        b"bytes=-99999999999999999999",
        b"bytes=99999999999999999999-",
        b"bytes=0-5,5-9",
        b"bytes=5-9,0-5",
        b"bytes=0-,-1",
        b"bytes=0-0,0-0",
    ],
)
def test_malformed_or_overlapping_ranges_are_ignored(header: bytes) -> None:
    assert parseRange(header, 10, 8) is None


@pytest.mark.parametrize("header", [b"bytes=10-", b"bytes=10-20", b"bytes=-0", b"bytes=99-,10-11"])
def test_ranges_outside_are_refused(header: bytes) -> None:
    with pytest.raises(Unsatisfiable):
        parseRange(header, 10, 8)


def test_empty_file_has_no_ranges() -> None:
    assert parseRange(b"bytes=-5", 0, 8) is None
    for header in (b"bytes=0-", b"bytes=0-0", b"bytes=-0"):
        with pytest.raises(Unsatisfiable):
            parseRange(header, 0, 8)


def test_number_of_ranges_is_bounded() -> None:
    ranges = [b"%d-%d" % (number * 2, number * 2) for number in range(10_000)]
    assert parseRange(b"bytes=" + b",".join(ranges[:32]), 100_000, 32) is not None
    assert parseRange(b"bytes=" + b",".join(ranges[:33]), 100_000, 32) is None
    for header in (b",".join(ranges), b"," * 100_000, b"0-0," * 10_000, b" \t" * 50_000, b"1" * 100_000):
        start = time.perf_counter()
        assert parseRange(b"bytes=" + header, 100_000, 32) is None
        assert time.perf_counter() - start < 0.05


@pytest.mark.parametrize(
    ("header", "holds"),
    [
        (ETAG, True),
        (b' "tag" ', True),
        (b'W/"tag"', False),
        (b'"other"', False),
        (b'"tag", "other"', False),
        (datetimeToString(1000), True),
        (datetimeToString(1001), False),
        (datetimeToString(999), False),
        (b"tag", False),
        (b"", False),
    ],
)
def test_if_range_means_this_very_file(header: bytes, holds: bool) -> None:
    assert holdsIfRange(header, ETAG, 1000) is holds


def test_if_range_does_not_trust_fresh_date() -> None:
    """RFC 9110 section 8.8.2.2: the file may change again within the second."""
    now = int(time.time()) + 1
    assert not holdsIfRange(datetimeToString(now), ETAG, now)


def test_weak_tag_never_allows_part() -> None:
    assert not holdsIfRange(b'W/"tag"', b'W/"tag"', 1000)


def test_content_range_names_both_ends() -> None:
    assert contentRange((2, 4), 10) == b"bytes 2-5/10"
