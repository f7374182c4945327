"""The client that checks every server before it is measured."""

import gzip

import pytest

from benchmarks.answers import Answer, Incomplete, WrongAnswer, parse, verify
from benchmarks.scenarios import LOADS, Scenario, by_name

FIXED = b"HTTP/1.1 402 Payment Required\r\nContent-Length: 4\r\n\r\nnope"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\nall of it"


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (FIXED, 402, b"nope"),
        (CHUNKED, 200, b"abc0123456789"),
        (FIXED.replace(b"Content", b"content"), 402, b"nope"),
    ],
)
def test_answer_is_read_to_its_end_and_no_further(data: bytes, status: int, body: bytes) -> None:
    assert parse(data + b"HTTP/1.1 500 Next") == Answer(status, body, data)


@pytest.mark.parametrize("data", [FIXED, CHUNKED])
def test_every_shorter_piece_is_incomplete(data: bytes) -> None:
    for end in range(len(data)):
        with pytest.raises(Incomplete):
            parse(data[:end])


def test_body_without_length_ends_with_the_connection() -> None:
    with pytest.raises(Incomplete):
        parse(UNTIL_CLOSE)
    assert parse(UNTIL_CLOSE, at_end=True).body == b"all of it"


def test_coded_answer_is_compared_after_decoding() -> None:
    scenario = by_name("gzip64k")
    assert b"Accept-Encoding: gzip\r\n" in scenario.request(80)
    body = scenario.body or b""
    verify(Answer(200, gzip.compress(body), b""), scenario)
    for wrong in (body, gzip.compress(body[:-1]), gzip.compress(body)[:-1], b"other"):
        with pytest.raises(WrongAnswer):
            verify(Answer(200, wrong, b""), scenario)


def test_what_is_not_http_is_refused() -> None:
    with pytest.raises(WrongAnswer, match="no status line"):
        parse(b"SSH-2.0-x\r\n\r\n")


@pytest.mark.parametrize("scenario", LOADS, ids=lambda scenario: scenario.name)
def test_typical_answer_passes_the_check(scenario: Scenario) -> None:
    raw = scenario.typical_answer()
    answer = parse(raw)
    verify(answer, scenario)
    assert answer.raw == raw


@pytest.mark.parametrize(
    ("name", "answer", "complaint"),
    [
        ("buy", Answer(200, b"Please swipe your credit card.", b""), "status 200 instead of 402"),
        ("buy", Answer(402, b"Please swipe", b""), "a body of 12 bytes that differs from the 30 expected"),
        ("missing", Answer(404, b"", b""), "an empty body"),
    ],
)
def test_wrong_answer_is_named(name: str, answer: Answer, complaint: str) -> None:
    with pytest.raises(WrongAnswer, match=complaint):
        verify(answer, by_name(name))
