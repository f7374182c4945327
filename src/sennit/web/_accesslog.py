"""Lines of the access log. The engine writes the combined and JSON forms itself; these make the same lines in
Python.

A formatter is a function of a timestamp (str, as `http.datetimeToLogString` makes it) and a finished request;
it returns the line as str without newline. Whatever the client sent is escaped, so that one request is one
line.
"""

import time
from typing import TYPE_CHECKING

from zope.interface import directlyProvides

from sennit.web.iweb import IAccessLogFormatter

if TYPE_CHECKING:
    from sennit.web.http import Request

# As Python's repr has them, but for the quote.
_ESCAPED = [chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in range(256)]
for _special, _escape in {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}.items():
    _ESCAPED[ord(_special)] = _escape


def combinedLogFormatter(timestamp: str, request: "Request") -> str:
    """A line in the combined log format, with the address quoted as Twisted has it."""
    return _combined(_clientIP(request), timestamp, request)


def proxiedLogFormatter(timestamp: str, request: "Request") -> str:
    """As `combinedLogFormatter`, with the first address of the first X-Forwarded-For in place of the
    client's.

    Anyone can send that header: of use only behind a proxy that sets it anew.
    """
    forwarded = request.requestHeaders.getRawHeaders(b"x-forwarded-for", [b"-"])[0]
    return _combined(escapeForLog(forwarded.split(b",")[0].strip()), timestamp, request)


def jsonLogFormatter(timestamp: str, request: "Request") -> str:
    """A line with one JSON object; bytes are read as ISO-8859-1, so that nothing is lost.

    The engine's own lines of this form have a `duration_ms` as well.
    """
    import json

    def header(name: bytes) -> str | None:
        value: bytes | None = request.getHeader(name)
        return None if value is None else value.decode("latin-1")

    ip = _clientIP(request)
    line = {
        "time": _isoTime(timestamp),
        "client": None if ip == "-" else ip,
        "method": request.method.decode("latin-1"),
        "target": request.uri.decode("latin-1"),
        "protocol": request.clientproto.decode("latin-1"),
        "status": request.code,
        "bytes": request.sentLength,
        "referer": header(b"referer"),
        "user_agent": header(b"user-agent"),
    }
    return json.dumps(line, separators=(",", ":"))


def _isoTime(timestamp: str) -> str:
    try:
        moment = time.strptime(timestamp, "[%d/%b/%Y:%H:%M:%S +0000]")
    except ValueError:
        return timestamp
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)


def escapeForLog(text: bytes) -> str:
    """What a client sent as harmless text: quotes and backslashes with a backslash, other bytes as Python
    escapes."""
    return "".join([_ESCAPED[byte] for byte in text])


def _clientIP(request: "Request") -> str:
    host = getattr(request.getClientAddress(), "host", None)
    return host if isinstance(host, str) else "-"


def _combined(ip: str, timestamp: str, request: "Request") -> str:
    referer = escapeForLog(request.getHeader(b"referer") or b"-")
    agent = escapeForLog(request.getHeader(b"user-agent") or b"-")
    line = " ".join(escapeForLog(part) for part in (request.method, request.uri, request.clientproto))
    return f'"{ip}" - - {timestamp} "{line}" {request.code} {request.sentLength or "-"} "{referer}" "{agent}"'


for _formatter in (combinedLogFormatter, proxiedLogFormatter, jsonLogFormatter):
    directlyProvides(_formatter, IAccessLogFormatter)
del _formatter
