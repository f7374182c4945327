"""One connection of a test client to the engine, and the small parts of a client around it."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from sennit import _engine
from sennit.web._dates import stringToDatetime
from sennit.web._requestbodies import RequestContent, Text, _bytes
from sennit.web._responses import BrokenResponse, Head, ResponseReader
from sennit.web.http_headers import Headers

# The host that requests are for unless they say something else.
_HOST = b"localhost"
# What may stand in a target as it is; all else is sent percent-encoded.
_TARGET_SAFE = "/?&=;:@!$'()*+,%#[]~|\"<>\\^`{}"

# How long to sleep while the site is busy elsewhere: at first not at all, then longer and longer.
_FIRST_PAUSES = 20
_SHORTEST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.01


class Connection:
    """A connection to a service, driven from here: what a client sends goes in, what the server sends comes
    out."""

    def __init__(
        self, service: _engine.Service, peer: Any, host: Any, secure: bool, *, timeout: float
    ) -> None:
        self._channel = _engine.Channel(service, peer, host, secure)
        self._timeout = timeout
        self._gone = False

    @property
    def closed(self) -> bool:
        """Whether it can't be used for another request."""
        return self._gone or self._channel.closed

    def disconnect(self) -> None:
        """Go away."""
        if not self._gone:
            self._gone = True
            self._channel.disconnect()

    async def send(self, head: bytes, content: RequestContent, reader: ResponseReader) -> None:
        """Send a request; a body in pieces goes on only as long as the server hasn't closed."""
        if content.pieces is None:
            self._channel.receive(head + (content.whole or b""))
            return
        self._channel.receive(head)
        async for piece in _eachPiece(content.pieces):
            await asyncio.sleep(0)
            self._collect(reader)
            if self.closed or reader.complete:
                return
            if piece:
                data = _bytes(piece)
                self._channel.receive(b"%x\r\n%b\r\n" % (len(data), data))
        self._channel.receive(b"0\r\n\r\n")

    async def waitForHead(self, reader: ResponseReader) -> Head:
        """Wait for the head of the final response."""
        pauses = _Pauses(self._timeout)
        while reader.head is None:
            if not self._collect(reader):
                await pauses.pause(f"no response within {self._timeout} s")
        return reader.head

    async def nextPiece(self, reader: ResponseReader) -> bytes:
        """Wait for more of the body; b"" at its end."""
        pauses = _Pauses(self._timeout)
        while not (piece := reader.takeBody()) and not reader.complete:
            if self._gone:
                raise BrokenResponse("the client has gone away itself")
            if not self._collect(reader):
                await pauses.pause(f"nothing more of the body within {self._timeout} s")
        return piece

    def _collect(self, reader: ResponseReader) -> bool:
        """Hand the server's bytes to the reader; whether there were any."""
        data = self._channel.data_to_send()
        if data:
            reader.receive(data)
            return True
        if self._channel.closed and not reader.complete:
            reader.receiveEnd()
            return True
        return False


class _Pauses:
    """Waits that get longer, up to a time-out: a channel doesn't tell when it has something."""

    def __init__(self, timeout: float) -> None:
        self._end = time.monotonic() + timeout
        self._count = 0
        self._length = _SHORTEST_PAUSE

    async def pause(self, complaint: str) -> None:
        self._count += 1
        if self._count <= _FIRST_PAUSES:
            await asyncio.sleep(0)
            return
        if time.monotonic() > self._end:
            raise TimeoutError(complaint)
        await asyncio.sleep(self._length)
        self._length = min(self._length * 1.5, _LONGEST_PAUSE)


class CookieJar(dict[str, str]):
    """Names to values of the cookies to send.

    Those that came with a response go to their path only, and to a secure site only if they say so; those
    that a test puts in go everywhere. Domains are not looked at: there is one site.
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[str, tuple[str, str, bool]] = {}

    def learn(self, headers: Headers, target: str) -> None:
        """Keep, change or drop what the Set-Cookie headers of the response for `target` say."""
        for header in headers.getRawHeaders("set-cookie", []):
            pair, *attributes = [part.strip() for part in header.split(";")]
            name, _, value = pair.partition("=")
            known = {
                key.strip().lower(): text.strip() for key, _, text in (a.partition("=") for a in attributes)
            }
            if _isOver(known):
                self.pop(name, None)
                self._places.pop(name, None)
            else:
                path = known.get("path", "")
                path = path if path.startswith("/") else _defaultPath(target)
                self[name] = value
                self._places[name] = (value, path, "secure" in known)

    def fields(self, target: str, *, secure: bool) -> list[tuple[bytes, bytes]]:
        """The Cookie header of a request for `target`, if there is to be one."""
        sent = [
            f"{name}={value}" for name, value in self.items() if self._goesTo(name, value, target, secure)
        ]
        return [(b"Cookie", "; ".join(sent).encode("utf-8"))] if sent else []

    def _goesTo(self, name: str, value: str, target: str, secure: bool) -> bool:
        learned, path, needsSecurity = self._places.get(name, (None, "/", False))
        # RFC 6265 section 5.4.
        return learned != value or (
            _matchesPath(urlsplit(target).path, path) and (secure or not needsSecurity)
        )


def _defaultPath(target: str) -> str:
    # RFC 6265 section 5.1.4.
    return urlsplit(target).path.rpartition("/")[0] or "/"


def _matchesPath(path: str, cookiePath: str) -> bool:
    # RFC 6265 section 5.1.4.
    return path == cookiePath or path.startswith(cookiePath if cookiePath.endswith("/") else cookiePath + "/")


def _isOver(values: Mapping[str, str]) -> bool:
    """Whether a cookie's attributes say that it has expired: Max-Age goes before Expires (RFC 6265 section
    5.3)."""
    try:
        if "max-age" in values:
            return int(values["max-age"]) <= 0
        return "expires" in values and stringToDatetime(values["expires"]) <= time.time()
    except ValueError:
        return False


def toFields(headers: Any) -> list[tuple[bytes, bytes]]:
    """Headers in any form that clients take, as pairs."""
    if isinstance(headers, Headers):
        return [(name, value) for name, values in headers.getAllRawHeaders() for value in values]
    fields: list[tuple[bytes, bytes]] = []
    for name, given in headers.items() if isinstance(headers, Mapping) else headers:
        values = [given] if isinstance(given, str | bytes) else given
        fields += [(_headerName(name), _bytes(value)) for value in values]
    return fields


def requestHead(method: str, target: str, version: str, fields: list[tuple[bytes, bytes]]) -> bytes:
    """The request line and headers. Of several values for Host or Content-Type, the last one counts."""
    address = quote(target, safe=_TARGET_SAFE).encode("ascii")
    lines = [b"%b %b HTTP/%b" % (method.encode("ascii"), address, version.encode("ascii"))]
    single = {name.lower(): value for name, value in fields if name.lower() in (b"host", b"content-type")}
    lines.append(b"Host: " + single.pop(b"host", _HOST))
    if b"content-type" in single:
        lines.append(b"Content-Type: " + single[b"content-type"])
    lines += [b"%b: %b" % field for field in fields if field[0].lower() not in (b"host", b"content-type")]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def redirection(response: Any, method: str) -> tuple[str, str, bool] | None:
    """Method, target and whether to send the body again for a redirect that can be followed, else None."""
    location = response.header("Location")
    if location is None or response.code not in (301, 302, 303, 307, 308):
        return None
    here = urlsplit(urljoin("http://localhost/", response.target))
    there = urlsplit(urljoin(here.geturl(), location))
    if there.hostname not in (here.hostname, None):
        return None
    target = there.path or "/"
    target += f"?{there.query}" if there.query else ""
    if response.code in (307, 308) or method in ("GET", "HEAD"):
        return method, target, True
    return "GET", target, False


async def _eachPiece(pieces: Any) -> AsyncIterator[Text]:
    if hasattr(pieces, "__aiter__"):
        async for piece in pieces:
            yield piece
    else:
        for piece in pieces:
            yield piece


def _headerName(name: Text) -> bytes:
    return name.encode("latin-1") if isinstance(name, str) else name
