"""Queries, addresses, chunks and ranges."""

import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sennit.web._parsing import fromChunk, parse_qs, parseContentRange, quote, toChunk, unquote, urlparse


@pytest.mark.parametrize(
    ("query", "args"),
    [
        (b"", {}),
        (b"a=1", {b"a": [b"1"]}),
        (b"a=1&a=2", {b"a": [b"1", b"2"]}),
        (b"a=1;b=2", {b"a": [b"1"], b"b": [b"2"]}),
        (b"a=", {b"a": [b""]}),
        (b"a", {}),
        (b"a=b=c", {b"a": [b"b=c"]}),
        (b"a+b=c+d", {b"a b": [b"c d"]}),
        (b"%61=%e4%2B", {b"a": [b"\xe4+"]}),
        (b"a=%zz", {b"a": [b"%zz"]}),
        (b"&&a=1&", {b"a": [b"1"]}),
    ],
)
def test_parse_qs_reads_fields(query: bytes, args: dict[bytes, list[bytes]]) -> None:
    assert parse_qs(query, keep_blank_values=True) == args


def test_parse_qs_leaves_out_blank_values_by_default() -> None:
    assert parse_qs(b"a=&b=1") == {b"b": [b"1"]}


def test_parse_qs_refuses_field_without_value_when_strict() -> None:
    with pytest.raises(ValueError, match="without a value"):
        parse_qs(b"a", strict_parsing=True)


def test_unquote_decodes_to_bytes() -> None:
    assert unquote(b"a%2Fb%e4") == b"a/b\xe4"


@given(st.binary())
def test_unquote_undoes_quote(text: bytes) -> None:
    quoted = quote(text)
    assert unquote(quoted) == text
    assert quoted == urllib.parse.quote_from_bytes(text, safe="").encode()


@given(st.binary() | st.text("%aF0x+"))
def test_unquote_agrees_with_standard_library(text: bytes | str) -> None:
    assert unquote(text) == urllib.parse.unquote_to_bytes(text)


def test_urlparse_splits_into_six_parts() -> None:
    assert urlparse(b"http://a:80/b/c;d?e#f") == (b"http", b"a:80", b"/b/c", b"d", b"e", b"f")


def test_urlparse_refuses_str() -> None:
    with pytest.raises(TypeError):
        urlparse("http://a/")


def test_to_chunk_gives_four_parts() -> None:
    assert toChunk(b"x" * 26) == (b"1a", b"\r\n", b"x" * 26, b"\r\n")


@given(st.binary(), st.binary())
def test_from_chunk_undoes_to_chunk(data: bytes, rest: bytes) -> None:
    assert fromChunk(b"".join(toChunk(data)) + rest) == (data, rest)


def test_from_chunk_skips_extensions() -> None:
    assert fromChunk(b"3;a=b\r\nabc\r\n") == (b"abc", b"")


@pytest.mark.parametrize(
    "data", [b"", b"3", b"3\r\nab", b"3\r\nabcXX", b"+3\r\nabc\r\n", b"0x3\r\nabc\r\n", b"-1\r\n", b" \r\n"]
)
def test_from_chunk_refuses_malformed(data: bytes) -> None:
    with pytest.raises(ValueError):
        fromChunk(data)


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        (b"bytes 0-9/100", (0, 9, 100)),
        ("bytes 0-9/*", (0, 9, None)),
        (b"bytes */100", (None, None, 100)),
        (b"Bytes 5-6/7", (5, 6, 7)),
    ],
)
def test_content_range_is_parsed(header: bytes | str, parts: tuple[int | None, ...]) -> None:
    assert parseContentRange(header) == parts


@pytest.mark.parametrize("header", [b"", b"lines 0-9/100", b"bytes 0-9", b"bytes a-b/c", b"bytes 0-/5"])
def test_content_range_refuses_others(header: bytes) -> None:
    with pytest.raises(ValueError):
        parseContentRange(header)


def test_parse_qs_is_linear() -> None:
    began = time.perf_counter()
    parse_qs(b"a=1&" * 100_000 + b"%" * 100_000, keep_blank_values=True)
    assert time.perf_counter() - began < 2
