"""Reads HTTP/1 responses from bytes: the client's half of RFC 9112, strict, for `sennit.web.testing`."""

import re
from collections.abc import Generator

from sennit.web.http_headers import Headers

_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]+)(?:;[\t\x20-\x7e]*)?")


class BrokenResponse(Exception):
    """What came is not an HTTP response, or ended before it was whole."""


class Head:
    """Status line and headers: `version` and `reason` are bytes, `code` an int, `headers` a `Headers`."""

    def __init__(self, version: bytes, code: int, reason: bytes, headers: Headers) -> None:
        self.version = version
        self.code = code
        self.reason = reason
        self.headers = headers


class ResponseReader:
    """The response to one request, from the bytes given to `receive`, up to its end.

    `interim` are the heads of 1xx responses; `head` the final one, None until it is there; `takeBody` gives
    what has come of the body. `complete` is true at the end; what `receive` was given beyond it raises
    BrokenResponse.
    """

    def __init__(self, method: bytes) -> None:
        self.interim: list[Head] = []
        self.head: Head | None = None
        self.trailers = Headers()
        self.complete = False
        # Whether the connection can be used for another request.
        self.reusable = False
        self._method = method
        self._buffer = bytearray()
        self._body: list[bytes] = []
        self._untilClose = False
        self._steps = self._read()
        next(self._steps)

    def receive(self, data: bytes) -> None:
        """Take what has come from the server."""
        if self.complete and data:
            raise BrokenResponse(f"bytes after the end of the response: {data[:100]!r}")
        self._buffer += data
        self._advance()

    def receiveEnd(self) -> None:
        """The server has closed the connection."""
        if self._untilClose:
            self.complete = True
        elif not self.complete:
            where = "its body" if self.head is not None else "its head"
            raise BrokenResponse(f"the connection was closed within the response, in {where}")

    def takeBody(self) -> bytes:
        """The part of the body that has come since the last call."""
        body, self._body = b"".join(self._body), []
        return body

    def _advance(self) -> None:
        try:
            next(self._steps)
        except StopIteration:
            self.complete = True
            if self._buffer:
                raise BrokenResponse(
                    f"bytes after the end of the response: {bytes(self._buffer[:100])!r}"
                ) from None

    def _read(self) -> Generator[None, None, None]:
        """The steps of reading a response; each yield waits for more bytes."""
        yield
        while True:
            head = yield from self._readHead()
            if head.code >= 200:
                break
            self.interim.append(head)
        self.head = head
        yield from self._readBody(head)
        connection = b",".join(head.headers.getRawHeaders(b"connection", []))
        options = {option.strip().lower() for option in connection.split(b",")}
        self.reusable = head.version == b"HTTP/1.1" and b"close" not in options and not self._untilClose

    def _readHead(self) -> Generator[None, None, Head]:
        line = yield from self._readLine()
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise BrokenResponse(f"not a status line: {line!r}")
        headers = yield from self._readFields()
        return Head(found[1], int(found[2]), found[3], headers)

    def _readFields(self) -> Generator[None, None, Headers]:
        headers = Headers()
        while line := (yield from self._readLine()):
            found = _FIELD.fullmatch(line)
            if found is None:
                raise BrokenResponse(f"not a header line: {line!r}")
            headers.addRawHeader(found[1], found[2].rstrip(b" \t"))
        return headers

    def _readLine(self) -> Generator[None, None, bytes]:
        while (end := self._buffer.find(b"\r\n")) < 0:
            yield
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _readBody(self, head: Head) -> Generator[None, None, None]:
        lengths = head.headers.getRawHeaders(b"content-length", [])
        codings = head.headers.getRawHeaders(b"transfer-encoding", [])
        if lengths and (len(lengths) > 1 or codings or not lengths[0].isdigit()):
            raise BrokenResponse(f"the length of the body is said twice or wrongly: {lengths + codings!r}")
        # RFC 9112 section 6.3: these never have a body, whatever their headers say.
        if self._method == b"HEAD" or head.code in (204, 304):
            return
        if codings:
            if codings != [b"chunked"]:
                raise BrokenResponse(f"an unknown transfer coding: {codings!r}")
            yield from self._readChunks()
        elif lengths:
            yield from self._readBytes(int(lengths[0]))
        else:
            self._untilClose = True
            while True:
                self._body.append(bytes(self._buffer))
                self._buffer.clear()
                yield

    def _readChunks(self) -> Generator[None, None, None]:
        while True:
            line = yield from self._readLine()
            found = _CHUNK_LINE.fullmatch(line)
            if found is None:
                raise BrokenResponse(f"not the size of a chunk: {line!r}")
            size = int(found[1], 16)
            if size == 0:
                break
            yield from self._readBytes(size)
            if (yield from self._readLine()):
                raise BrokenResponse("a chunk is longer than its size")
        self.trailers = yield from self._readFields()

    def _readBytes(self, count: int) -> Generator[None, None, None]:
        while count > 0:
            if self._buffer:
                piece = bytes(self._buffer[:count])
                del self._buffer[: len(piece)]
                self._body.append(piece)
                count -= len(piece)
            else:
                yield
