"""The strict reader that the other tests trust: it must find what is wrong with a response."""

import pytest

from .helpers.http1 import BadResponse, NeedMore, parse_all, parse_response

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "method", "body", "framing"),
    [
        (OK + b"Content-Length: 2\r\n\r\nab", "GET", b"ab", "length"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "GET", b"ab", "chunked"),
        (OK + b"\r\nab", "GET", b"ab", "close"),
        (OK + b"Content-Length: 2\r\n\r\n", "HEAD", b"", "none"),
        (b"HTTP/1.1 204 \r\n\r\n", "GET", b"", "none"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "GET", b"", "none"),
        (b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", "GET", b"", "length"),
    ],
)
def test_reader_reads_response(data: bytes, method: str, body: bytes, framing: str) -> None:
    (response,) = parse_all(data, [method])
    assert (response.body, response.framing) == (body, framing)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"junk" + OK + b"\r\n",
        OK + b"A : b\r\n\r\n",
        OK + b"A: b\rc\r\n\r\n",
        OK + b"A: b\n\r\n\r\n",
        OK + b" A: b\r\n\r\n",
        OK + b"novalue\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        OK + b"Content-Length: +1\r\n\r\na",
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1;a\r\na\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\nbody",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + OK + b"\r\n",
        OK + b"Content-Length: 1\r\n\r\nab",
    ],
    ids=repr,
)
def test_reader_refuses_malformed_response(data: bytes) -> None:
    with pytest.raises(BadResponse):
        parse_all(data, ["GET"])


def test_reader_wants_more_at_every_cut() -> None:
    data = b"HTTP/1.1 100 C\r\n\r\n" + OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: u\r\n\r\n"
    for end in range(len(data)):
        with pytest.raises(NeedMore):
            parse_response(data[:end], 0, "GET", ended=True)
    assert parse_all(data, ["GET"])[0].trailers == [(b"t", b"u")]
