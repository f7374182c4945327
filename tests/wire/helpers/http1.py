"""A strict reader of HTTP/1 responses, made for tests: what RFC 9112 doesn't allow raises `BadResponse`.

It shares no code with Sennit and corrects nothing, so that a sloppy answer fails the test that received it.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})")
_BODILESS = frozenset([204, 304])


class BadResponse(AssertionError):
    """The server sent something that is not a well-formed response."""


class NeedMore(Exception):
    """The response isn't complete yet."""


@dataclass
class Head:
    """A status line and its fields, names in lower case."""

    version: bytes
    code: int
    reason: bytes
    fields: list[tuple[bytes, bytes]]

    def values(self, name: str) -> list[bytes]:
        """All values of a field, in wire order."""
        wanted = name.lower().encode("ascii")
        return [value for key, value in self.fields if key == wanted]

    def value(self, name: str) -> bytes | None:
        """The one value of a field, None if it is absent; more than one is an error of the test."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} stands there {len(values)} times: {values}"
        return values[0] if values else None


@dataclass
class Response(Head):
    """A whole response: `framing` is none, length, chunked or close; `interim` the 1xx heads before it."""

    body: bytes = b""
    framing: str = "none"
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    interim: list[Head] = field(default_factory=list)
    chunks: int = 0

    @property
    def closes(self) -> bool:
        """Whether the response says that the connection ends after it."""
        options = [
            option.strip().lower() for value in self.values("connection") for option in value.split(b",")
        ]
        if b"close" in options or self.framing == "close":
            return True
        return self.version == b"1.0" and b"keep-alive" not in options

    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


def parse_head(data: bytes, start: int) -> tuple[Head, int]:
    """Read one status line and its fields at `start`; returns the head and where it ends."""
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        first = data[start : start + 5]
        if not b"HTTP/".startswith(first) and first != b"HTTP/":
            raise BadResponse(f"not the beginning of a response: {data[start : start + 60]!r}")
        raise NeedMore
    lines = data[start:end].split(b"\r\n")
    status = _STATUS_LINE.fullmatch(lines[0])
    if status is None:
        raise BadResponse(f"status line {lines[0]!r}")
    fields = []
    for line in lines[1:]:
        found = _FIELD_LINE.fullmatch(line)
        if found is None:
            raise BadResponse(f"header line {line!r}")
        fields.append((found[1].lower(), found[2]))
    return Head(status[1], int(status[2]), status[3], fields), end + 4


def parse_response(data: bytes, start: int, method: str, ended: bool) -> tuple[Response, int]:
    """Read the response to a `method` request at `start` of `data`; `ended`: the server has closed its side.

    Returns the response and where it ends. Raises NeedMore while it is incomplete, BadResponse if wrong.
    """
    interim: list[Head] = []
    head, at = parse_head(data, start)
    while head.code < 200:
        _check_interim(head)
        interim.append(head)
        head, at = parse_head(data, at)
    response = Response(head.version, head.code, head.reason, head.fields, interim=interim)
    if interim and head.version == b"1.0":
        raise BadResponse("an interim response to HTTP/1.0")
    _check_single(response)
    lengths, codings = response.values("content-length"), response.values("transfer-encoding")
    if head.code == 204 and (lengths or codings):
        raise BadResponse("204 with Content-Length or Transfer-Encoding (RFC 9110 section 8.6, RFC 9112 6.1)")
    if head.code in _BODILESS or method == "HEAD":
        return response, at
    if codings:
        if codings != [b"chunked"] or lengths or head.version == b"1.0":
            raise BadResponse(
                f"Transfer-Encoding {codings} with Content-Length {lengths} on {head.version!r}"
            )
        response.framing = "chunked"
        return response, _read_chunks(data, at, response)
    if lengths:
        response.framing = "length"
        end = at + int(lengths[0])
        if len(data) < end:
            raise NeedMore
        response.body = data[at:end]
        return response, end
    response.framing = "close"
    if not ended:
        raise NeedMore
    response.body = data[at:]
    return response, len(data)


def _check_interim(head: Head) -> None:
    if head.values("content-length") or head.values("transfer-encoding"):
        raise BadResponse("an interim response with framing fields")


def _check_single(response: Response) -> None:
    for name in ("content-length", "content-type", "date", "server", "location", "etag", "last-modified"):
        if len(response.values(name)) > 1:
            raise BadResponse(f"{name} more than once: {response.values(name)}")
    for length in response.values("content-length"):
        if not length.isdigit():
            raise BadResponse(f"Content-Length {length!r}")


def _read_chunks(data: bytes, at: int, response: Response) -> int:
    pieces = []
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            raise NeedMore
        found = _CHUNK_LINE.fullmatch(data, at, end)
        if found is None:
            raise BadResponse(f"chunk line {data[at:end]!r}")
        size, at = int(found[1], 16), end + 2
        if size == 0:
            break
        if len(data) < at + size + 2:
            raise NeedMore
        if data[at + size : at + size + 2] != b"\r\n":
            raise BadResponse("chunk data not followed by CRLF")
        pieces.append(data[at : at + size])
        response.chunks += 1
        at += size + 2
    response.body = b"".join(pieces)
    return _read_trailers(data, at, response)


def _read_trailers(data: bytes, at: int, response: Response) -> int:
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            raise NeedMore
        if end == at:
            return end + 2
        found = _FIELD_LINE.fullmatch(data, at, end)
        if found is None:
            raise BadResponse(f"trailer line {data[at:end]!r}")
        response.trailers.append((found[1].lower(), found[2]))
        at = end + 2


def parse_all(data: bytes, methods: list[str], ended: bool = True) -> list[Response]:
    """Read one response per method; bytes left over are an error."""
    responses, at = [], 0
    for method in methods:
        response, at = parse_response(data, at, method, ended)
        responses.append(response)
    if at != len(data):
        raise BadResponse(f"{len(data) - at} bytes after the last response: {data[at : at + 80]!r}")
    return responses
