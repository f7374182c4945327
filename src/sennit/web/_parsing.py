"""Small parsers for what travels in requests: queries, addresses, chunks, ranges."""

import re
from typing import NamedTuple

_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_CONTENT_RANGE = re.compile(r"(\S+)[ \t]+(?:(\d+)-(\d+)|\*)/(\d+|\*)")

# Percent-encoding, both ways.
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNQUOTED = {b"%02X" % byte: bytes([byte]) for byte in range(256)}
_QUOTED = [b"%%%02X" % byte for byte in range(256)]
for _byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~":
    _QUOTED[_byte] = bytes([_byte])

# The longest line with the size of a chunk that `fromChunk` reads.
maxChunkSizeLineLength = 1024


class PotentialDataLoss(Exception):
    """A body of unknown length ended because the connection was closed: it may be incomplete."""


class ParsedURL(NamedTuple):
    """The six parts of an address, all bytes."""

    scheme: bytes
    netloc: bytes
    path: bytes
    params: bytes
    query: bytes
    fragment: bytes


def parse_qs(
    qs: bytes, keep_blank_values: bool | int = False, strict_parsing: bool | int = False
) -> dict[bytes, list[bytes]]:
    """The fields of a query or an urlencoded body: names to lists of values, all bytes, percent-decoded.

    Fields are separated by `&` or `;`. A field without `=` is left out, or raises ValueError with
    `strict_parsing`; one with an empty value is left out unless `keep_blank_values`.
    """
    fields: dict[bytes, list[bytes]] = {}
    if not qs:
        return fields
    for item in qs.replace(b";", b"&").split(b"&"):
        name, equals, value = item.partition(b"=")
        if not equals:
            if strict_parsing:
                raise ValueError(f"a field without a value: {item!r}")
        elif value or keep_blank_values:
            fields.setdefault(_unquotePlus(name), []).append(_unquotePlus(value))
    return fields


def _unquotePlus(text: bytes) -> bytes:
    if b"+" in text:
        text = text.replace(b"+", b" ")
    return unquote(text)


def unquote(quoted: bytes | str) -> bytes:
    """Decode percent-encoding to bytes; a `%` without two hex digits stays as it is."""
    text = quoted.encode("utf-8") if isinstance(quoted, str) else quoted
    return _ESCAPE.sub(_unescape, text) if b"%" in text else text


def quote(text: bytes) -> bytes:
    """Percent-encode all but letters, digits and `-._~` (RFC 3986 section 2.3)."""
    return b"".join([_QUOTED[byte] for byte in text])


def _unescape(found: re.Match[bytes]) -> bytes:
    return _UNQUOTED[found[1].upper()]


def urlparse(url: bytes | str) -> ParsedURL:
    """Split an address (bytes; TypeError for str) into scheme, netloc, path, params, query and fragment.

    Non-ASCII bytes, which don't belong in an address, are kept as they are.
    """
    if isinstance(url, str):
        raise TypeError("urlparse takes bytes")
    # Imported when needed: it is large, and servers have little use for it.
    from urllib.parse import urlsplit

    scheme, netloc, path, query, fragment = urlsplit(url.decode("latin-1"))
    lastSegment = path.rfind("/") + 1
    head, semicolon, params = path[lastSegment:].partition(";")
    if semicolon:
        path = path[:lastSegment] + head
    return ParsedURL(*(part.encode("latin-1") for part in (scheme, netloc, path, params, query, fragment)))


def toChunk(data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """The parts of one chunk of a chunked body (RFC 9112 section 7.1): size in hex, CRLF, data, CRLF."""
    return b"%x" % len(data), b"\r\n", data, b"\r\n"


def fromChunk(data: bytes) -> tuple[bytes, bytes]:
    """Split `data` into the content of its first chunk and the rest; ValueError without a whole chunk."""
    line, newline, rest = data.partition(b"\r\n")
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not newline or len(line) > maxChunkSizeLineLength or _CHUNK_SIZE.fullmatch(digits) is None:
        raise ValueError("not a chunk")
    size = int(digits, 16)
    if len(rest) < size + 2:
        raise ValueError("the chunk is not complete")
    if rest[size : size + 2] != b"\r\n":
        raise ValueError("the chunk's data doesn't end with CRLF")
    return rest[:size], rest[size + 2 :]


def parseContentRange(header: bytes | str) -> tuple[int | None, int | None, int | None]:
    """Start, end and total length (None where the header says `*`) of a Content-Range in bytes (RFC 9110
    section 14.4).

    ValueError for another unit or a malformed value.
    """
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    found = _CONTENT_RANGE.fullmatch(text.strip())
    if found is None or found[1].lower() != "bytes":
        raise ValueError(f"not a Content-Range in bytes: {text!r}")
    start = None if found[2] is None else int(found[2])
    end = None if found[3] is None else int(found[3])
    length = None if found[4] == "*" else int(found[4])
    return start, end, length
