"""Comparison of entity tags (RFC 9110 section 8.8.3.2) and reading of conditional headers."""

import time

import pytest

from sennit.web._conditional import matchesStrongly, matchesWeakly, parseDate, parseEntityTags


@pytest.mark.parametrize(
    ("headers", "tags"),
    [
        ([b'"a"'], [b'"a"']),
        ([b'"a", "b"'], [b'"a"', b'"b"']),
        ([b'"a","b,c"'], [b'"a"', b'"b,c"']),
        ([b'W/"a"', b'"b"'], [b'W/"a"', b'"b"']),
        ([b"*"], [b"*"]),
        ([b"plain, W/odd"], [b"plain", b"W/odd"]),
        ([b" , ,"], []),
    ],
)
def test_entity_tags_are_parsed(headers: list[bytes], tags: list[bytes]) -> None:
    assert parseEntityTags(headers) == tags


# The table of RFC 9110 section 8.8.3.2.
@pytest.mark.parametrize(
    ("first", "second", "strong", "weak"),
    [
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'"1"', True, True),
    ],
)
def test_comparison_follows_table(first: bytes, second: bytes, strong: bool, weak: bool) -> None:
    assert matchesStrongly(first, [second]) is strong
    assert matchesWeakly(first, [second]) is weak


def test_star_matches_everything() -> None:
    assert matchesWeakly(b'W/"x"', [b"*"])
    assert matchesStrongly(b'W/"x"', [b"*"])


@pytest.mark.parametrize(
    "header", [b"," * 40_000, b'"' + b"a" * 40_000, b"W/" * 20_000, b" \t" * 20_000 + b'"']
)
def test_entity_tags_take_linear_time(header: bytes) -> None:
    began = time.perf_counter()
    parseEntityTags([header])
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        (b"no date", None),
        (b"Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        (b"Sun, 06 Nov 1994 08:49:37 GMT; length=5", 784111777),
    ],
)
def test_date_is_parsed_or_ignored(header: bytes | None, seconds: int | None) -> None:
    assert parseDate(header) == seconds
