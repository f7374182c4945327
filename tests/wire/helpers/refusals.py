"""Tables of bytes that must be refused, each with the probe of the security history it comes from.

Each entry ends with a hidden `GET /evil`. The tests send them to a live server, whole and byte by byte, and
to a `Channel`, cut at every offset.
"""

from dataclasses import dataclass

from .client import EVIL

H = b"Host: a\r\n"


@dataclass(frozen=True)
class Refusal:
    """Bytes to send, and the codes that are right answers to them."""

    name: str
    data: bytes
    codes: tuple[int, ...] = (400,)

    def __str__(self) -> str:
        return self.name


def _line(name: str, line: bytes, codes: tuple[int, ...] = (400,)) -> Refusal:
    return Refusal(name, line + b"\r\n" + H + b"\r\n" + EVIL, codes)


def _fields(name: str, fields: bytes, codes: tuple[int, ...] = (400,), tail: bytes = b"") -> Refusal:
    return Refusal(name, b"POST /echo HTTP/1.1\r\n" + H + fields + b"\r\n" + tail + EVIL, codes)


def _chunked(name: str, body: bytes) -> Refusal:
    return _fields(name, b"Transfer-Encoding: chunked\r\n", tail=body)


REQUEST_LINES = [
    _line("P13-relative-target", b"GET a HTTP/1.1"),
    _line("P13-relative-evil", b"GET evil HTTP/1.1"),
    _line("P13-star-with-get", b"GET * HTTP/1.1"),
    _line("P13-authority-with-get", b"GET a:1 HTTP/1.1"),
    _line("P13-space-in-target", b"GET /a b HTTP/1.1"),
    _line("P13-two-spaces", b"GET  / HTTP/1.1"),
    _line("P13-tab-for-space", b"GET\t/ HTTP/1.1"),
    _line("P13-trailing-space", b"GET / HTTP/1.1 "),
    _line("P13-leading-space", b" GET / HTTP/1.1"),
    _line("P13-two-digit-minor", b"GET / HTTP/1.10"),
    _line("P13-two-digit-major", b"GET / HTTP/01.1"),
    _line("P13-lower-case-version", b"GET / http/1.1"),
    _line("P13-no-minor", b"GET / HTTP/1"),
    _line("P13-other-protocol", b"GET / ICY/1.1"),
    _line("P13-http-2", b"GET / HTTP/2.0", (505, 400)),
    _line("P13-http-0.9", b"GET / HTTP/0.9", (505, 400)),
    _line("P13-http-3.7", b"GET / HTTP/3.7", (505, 400)),
    _line("P13-no-version", b"GET /"),
    _line("P13-method-only", b"GET"),
    _line("P13-empty-target", b"GET  HTTP/1.1"),
    _line("P13-method-not-a-token", b"G@T / HTTP/1.1"),
    _line("P13-method-with-colon", b"GET: / HTTP/1.1"),
    _line("P13-fragment", b"GET /a#b HTTP/1.1"),
    _line("P13-absolute-ftp", b"GET ftp://a/evil HTTP/1.1"),
    _line("P13-absolute-no-host", b"GET http:///evil HTTP/1.1"),
    _line("P13-connect-with-path", b"CONNECT /evil HTTP/1.1"),
    _line("P35-raw-high-byte-in-path", b"GET /\x80\xff HTTP/1.1"),
    _line("P35-raw-high-byte-in-query", b"GET /?\x80\xff HTTP/1.1"),
    _line("P35-delete-in-path", b"GET /\x7f HTTP/1.1"),
    _line("P35-nul-in-path", b"GET /\x00 HTTP/1.1"),
    _line("P35-high-byte-in-method", b"G\xc9T / HTTP/1.1"),
    _line("P09-bare-cr-in-line", b"GET /\r HTTP/1.1"),
    Refusal("P09-only-bare-lf", b"GET / HTTP/1.1\nHost: a\n\n" + EVIL.replace(b"\r", b"")),
    Refusal("P09-bare-lf-after-line", b"GET / HTTP/1.1\nHost: a\r\n\r\n" + EVIL),
    Refusal("P09-bare-lf-first", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL),
    Refusal("P13-two-empty-lines-first", b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL),
    Refusal(
        "P13-tls-hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 64 + b"\r\n\r\n" + EVIL
    ),
    Refusal("P13-http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + EVIL, (505, 400)),
]

HEADERS = [
    Refusal("P09-bare-lf-after-header", b"GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n" + EVIL),
    Refusal("P09-bare-lf-at-end", b"GET / HTTP/1.1\r\nHost: a\r\n\n" + EVIL),
    Refusal("P09-cr-cr-lf", b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n" + EVIL),
    _fields("P10-folded", b"A: 1\r\n B: 2\r\n"),
    _fields("P10-folded-with-tab", b"A: 1\r\n\tB: 2\r\n"),
    _fields("P10-folded-empty", b"A: 1\r\n \r\n"),
    _fields("P10-space-before-colon", b"Content-Length : 5\r\n"),
    _fields("P10-tab-before-colon", b"Content-Length\t: 5\r\n"),
    _fields("P10-empty-name", b": x\r\n"),
    _fields("P10-no-colon", b"novalue\r\n"),
    _fields("P10-space-in-name", b"A B: x\r\n"),
    Refusal("P10-first-header-with-space", b"GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n" + EVIL),
    _fields("P11-bare-cr-in-value", b"A: x\ry\r\n"),
    _fields("P11-nul-in-value", b"A: \x00\r\n"),
    _fields("P11-nul-in-name", b"A\x00: x\r\n"),
    _fields("P11-cr-in-name", b"A\rB: x\r\n"),
    _fields("P11-escape-in-value", b"A: \x1b[31m\r\n"),
    _fields("P11-delete-in-value", b"A: \x7f\r\n"),
    _fields("P11-vertical-tab-in-value", b"A: x\x0by\r\n"),
    _fields("P11-bracket-in-name", b"A[]: x\r\n"),
    _fields("P35-high-byte-in-name", b"\x80\xff: x\r\n"),
    _fields("P12-two-hosts", b"Host: b\r\n"),
    _fields("P12-two-equal-hosts", b"Host: a\r\n"),
    Refusal("P12-no-host", b"GET / HTTP/1.1\r\nA: b\r\n\r\n" + EVIL),
    Refusal("P12-no-fields", b"GET / HTTP/1.1\r\n\r\n" + EVIL),
    *(
        Refusal(f"P12-host-{name}", b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n" + EVIL)
        for name, value in [
            ("with-path", b"a/login?x"),
            ("with-query", b"a?x"),
            ("with-userinfo", b"a@b"),
            ("with-fragment", b"a#"),
            ("of-two-words", b"a b"),
            ("with-comma", b"a, b"),
            ("with-letters-as-port", b"a:b"),
            ("with-two-ports", b"a:1:2"),
            ("with-backslash", b"a\\b"),
            ("with-tag", b"<script>"),
            ("with-quote", b'a"b'),
            ("with-open-bracket", b"[::1"),
            ("with-high-byte", b"a\xffb"),
        ]
    ),
]

_TEN = b"A" * 10

FRAMING = [
    _fields("P01-two-lengths", b"Content-Length: 5\r\nContent-Length: 0\r\n", tail=b"AAAAA"),
    _fields("P01-two-equal-lengths", b"Content-Length: 5\r\nContent-Length: 5\r\n", tail=b"AAAAA"),
    _fields("P01-two-lengths-apart", b"Content-Length: 5\r\nA: b\r\ncontent-length: 0\r\n", tail=b"AAAAA"),
    _fields("P01-length-list", b"Content-Length: 5, 5\r\n", tail=b"AAAAA"),
    _fields("P01-length-list-differing", b"Content-Length: 5, 0\r\n", tail=b"AAAAA"),
    _fields(
        "P02-length-and-coding", b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", tail=b"0\r\n\r\nX"
    ),
    _fields(
        "P02-coding-and-length", b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", tail=b"0\r\n\r\nX"
    ),
    _fields(
        "P02-bad-length-and-coding", b"Transfer-Encoding: chunked\r\nContent-Length: x\r\n", tail=b"0\r\n\r\n"
    ),
    *(
        _fields(f"P03-coding-{name}", b"Transfer-Encoding: " + value + b"\r\n", codes, b"0\r\n\r\n")
        for name, value, codes in [
            ("xchunked", b"xchunked", (400, 501)),
            ("chunked-identity", b"chunked, identity", (400, 501)),
            ("chunked-chunked", b"chunked, chunked", (400, 501)),
            ("gzip-chunked", b"gzip, chunked", (400, 501)),
            ("twice", b"chunked\r\nTransfer-Encoding: chunked", (400,)),
            ("twice-differing", b"chunked\r\nTransfer-Encoding: identity", (400, 501)),
            ("vertical-tab", b"\x0bchunked", (400,)),
            ("with-parameter", b"chunked;q=1", (400, 501)),
            ("gzip", b"gzip", (501,)),
            ("identity", b"identity", (400, 501)),
            ("empty", b"", (400, 501)),
            ("quoted", b'"chunked"', (400, 501)),
            ("with-comma", b"chunked,", (400, 501)),
            ("with-first-comma", b",chunked", (400, 501)),
        ]
    ),
    Refusal(
        "P03-coding-on-1.0",
        b"POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + EVIL,
        (400, 501),
    ),
    *(
        _fields(f"P04-length-{name}", b"Content-Length: " + value + b"\r\n", codes, b"AAAAA")
        for name, value, codes in [
            ("plus", b"+5", (400,)),
            ("minus", b"-1", (400,)),
            ("hexadecimal", b"0x5", (400,)),
            ("underscore", b"5_0", (400,)),
            ("two-words", b"5 5", (400,)),
            ("empty", b"", (400,)),
            ("arabic-digit", "\u0665".encode(), (400,)),
            ("thirty-digits", b"9" * 30, (400, 413)),
            ("over-64-bits", b"18446744073709551621", (400, 413)),
            ("point", b"5.0", (400,)),
            ("exponent", b"5e0", (400,)),
            ("semicolon", b"5;a", (400,)),
        ]
    ),
]

CHUNKS = [
    *(
        _chunked(f"P05-size-{name}", size + b"\r\nAAAAA\r\n0\r\n\r\n")
        for name, size in [
            ("hexadecimal-prefix", b"0x5"),
            ("plus", b"+5"),
            ("minus", b"-1"),
            ("leading-space", b" 5"),
            ("underscore", b"5_0"),
            ("empty", b""),
            ("over-64-bits", b"ffffffffffffffff1"),
            ("over-64-bits-to-five", b"10000000000000005"),
            # Servers of long ago padded the size with spaces. RFC 9112 section 7.1 has no such padding, and
            # not every reader skips it: refused.
            ("trailing-space", b"5 "),
            ("trailing-tab", b"5\t"),
            ("space-before-extension", b"5 ;a"),
            ("not-hexadecimal", b"g"),
            ("only-extension", b";a"),
        ]
    ),
    _chunked("P06-lf-in-extension", b"5;a\nX\r\nAAAAA\r\n0\r\n\r\n"),
    _chunked("P06-cr-in-extension", b"5;a\rb\r\nAAAAA\r\n0\r\n\r\n"),
    _chunked("P06-nul-in-extension", b"5;a\x00b\r\nAAAAA\r\n0\r\n\r\n"),
    _chunked("P06-bare-lf-line", b"5\nAAAAA\r\n0\r\n\r\n"),
    _chunked("P06-bare-cr-line", b"5\rAAAAA\r\n0\r\n\r\n"),
    _chunked("P06-cr-cr-lf-line", b"5\r\r\nAAAAA\r\n0\r\n\r\n"),
    _chunked("P07-two-bytes-too-many", b"5\r\nAAAAAXX0\r\n\r\n"),
    _chunked("P07-bytes-for-crlf", b"5\r\nAAAAAXX\r\n0\r\n\r\n"),
    _chunked("P07-bare-lf-after-data", b"5\r\nAAAAA\n0\r\n\r\n"),
    _chunked("P07-lf-cr-after-data", b"5\r\nAAAAA\n\r0\r\n\r\n"),
    _chunked("P08-bad-trailer", b"0\r\nA B: c\r\n\r\n"),
    _chunked("P08-folded-trailer", b"0\r\nA: b\r\n c\r\n\r\n"),
    _chunked("P08-nul-in-trailer", b"0\r\nA: \x00\r\n\r\n"),
    _chunked("P08-bare-lf-trailer", b"0\r\nA: b\n\r\n"),
    _chunked("P08-request-as-trailer", b"0\r\n"),
]

EVERYTHING = [*REQUEST_LINES, *HEADERS, *FRAMING, *CHUNKS]
