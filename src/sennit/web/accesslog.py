"""Lines of the access log made of chosen fields: from a template with gunicorn's atoms, or as JSON."""

import json
import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import directlyProvides

from sennit.web._accesslog import escapeForLog
from sennit.web.iweb import IAccessLogFormatter

if TYPE_CHECKING:
    from sennit.web.http import Request

    LogFormatter = Callable[[str, Request], str]

_ATOM = re.compile(r"%\((?:\{([^}]+)\}([ioe])|([a-zA-Z]+))\)s|%%")


def accessLogTemplate(template: str) -> "LogFormatter":
    """A formatter for `Site(logFormatter=...)` that fills in a template.

    Its atoms are those of gunicorn: `%(h)s` the client's address, `%(u)s` the user of Basic authorization,
    `%(t)s` the time, `%(r)s` the request line, `%(m)s` the method, `%(U)s` the path, `%(q)s` the query,
    `%(H)s` the protocol, `%(s)s` the status, `%(b)s` and `%(B)s` the bytes of the body ("-" or 0 for none),
    `%(f)s` the referer, `%(a)s` the user agent, `%(D)s`, `%(M)s`, `%(L)s` and `%(T)s` the duration in
    microseconds, milliseconds, seconds with decimals and whole ones, `%(p)s` the process; `%({name}i)s` a
    header of the request, `%({name}o)s` one of the response, `%({name}e)s` a variable of the environment. And
    `%(id)s` is the request's id, `%(trace)s` that of its trace ("-" without one). Raises ValueError for
    another atom."""
    pieces: list[str | Callable[[str, Request], object]] = []
    end = 0
    for found in _ATOM.finditer(template):
        pieces.append(template[end : found.start()])
        pieces.append("%" if found[0] == "%%" else _field(found[3], found[1], found[2]))
        end = found.end()
    rest = template[end:]
    if "%" in "".join([piece for piece in pieces if isinstance(piece, str) and piece != "%"]) + rest:
        raise ValueError(f"{template!r} has an atom that isn't of the form %(name)s")
    pieces.append(rest)

    def format(timestamp: str, request: "Request") -> str:
        return "".join(
            [piece if isinstance(piece, str) else str(piece(timestamp, request)) for piece in pieces]
        )

    directlyProvides(format, IAccessLogFormatter)
    return format


def accessLogJSON(*names: str) -> "LogFormatter":
    """A formatter for `Site(logFormatter=...)` that makes JSON of chosen fields, in their order.

    Names are `time`, `client`, `user`, `method`, `target`, `path`, `query`, `protocol`, `status`, `bytes`,
    `referer`, `user_agent`, `duration_ms`, `id`, `trace_id`, `process`; `request.NAME` and `response.NAME`
    are headers. Raises ValueError for others."""
    fields: list[tuple[str, Callable[[str, Request], object]]] = []
    for name in names:
        if name.startswith(("request.", "response.")):
            side, _, header = name.partition(".")
            fields.append((name, _header(header, "i" if side == "request" else "o", None)))
        elif name in _IN_JSON:
            fields.append((name, _IN_JSON[name]))
        else:
            raise ValueError(f"the access log has no field {name!r}, but {', '.join(_IN_JSON)}")

    def format(timestamp: str, request: "Request") -> str:
        return json.dumps({name: field(timestamp, request) for name, field in fields}, separators=(",", ":"))

    directlyProvides(format, IAccessLogFormatter)
    return format


def _client(timestamp: str, request: "Request") -> str:
    return str(getattr(request.getClientAddress(), "host", "-"))


def _seconds(request: "Request") -> float:
    return request.duration or 0.0


def _path(request: "Request") -> bytes:
    return request.uri.partition(b"?")[0]


def _query(request: "Request") -> bytes:
    return request.uri.partition(b"?")[2]


def _isoTime(timestamp: str, request: "Request") -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _requestLine(request: "Request") -> str:
    return " ".join(escapeForLog(part) for part in (request.method, request.uri, request.clientproto))


def _header(name: str, side: str, missing: Any) -> "Callable[[str, Request], object]":
    """A header as text, which in a line has to be escaped; `missing` where there is none."""
    encoded = name.encode("latin-1")

    def field(timestamp: str, request: "Request") -> object:
        headers = request.requestHeaders if side == "i" else request.responseHeaders
        values = headers.getRawHeaders(encoded)
        if not values:
            return missing
        value = b", ".join(values)
        return escapeForLog(value) if missing == "-" else value.decode("latin-1")

    return field


def _field(atom: str | None, name: str | None, side: str | None) -> "Callable[[str, Request], object]":
    if atom is not None:
        if atom not in _ATOMS:
            raise ValueError(f"the access log has no atom %({atom})s")
        return _ATOMS[atom]
    assert name is not None
    assert side is not None
    if side == "e":
        return lambda timestamp, request: os.environ.get(name, "-")
    return _header(name, side, "-")


_ATOMS: "dict[str, Callable[[str, Request], object]]" = {
    "h": _client,
    "l": lambda timestamp, request: "-",
    "u": lambda timestamp, request: escapeForLog(request.getUser()) or "-",
    "t": lambda timestamp, request: timestamp,
    "r": lambda timestamp, request: _requestLine(request),
    "m": lambda timestamp, request: escapeForLog(request.method),
    "U": lambda timestamp, request: escapeForLog(_path(request)),
    "q": lambda timestamp, request: escapeForLog(_query(request)),
    "H": lambda timestamp, request: escapeForLog(request.clientproto),
    "s": lambda timestamp, request: request.code,
    "b": lambda timestamp, request: request.sentLength or "-",
    "B": lambda timestamp, request: request.sentLength,
    "f": _header("referer", "i", "-"),
    "a": _header("user-agent", "i", "-"),
    "D": lambda timestamp, request: round(_seconds(request) * 1e6),
    "M": lambda timestamp, request: round(_seconds(request) * 1e3),
    "L": lambda timestamp, request: f"{_seconds(request):.6f}",
    "T": lambda timestamp, request: int(_seconds(request)),
    "p": lambda timestamp, request: f"<{os.getpid()}>",
    "id": lambda timestamp, request: request.id,
    "trace": lambda timestamp, request: request._traceId() or "-",
}

_IN_JSON: "dict[str, Callable[[str, Request], object]]" = {
    "time": _isoTime,
    "client": _client,
    "user": lambda timestamp, request: request.getUser().decode("latin-1") or None,
    "method": lambda timestamp, request: request.method.decode("latin-1"),
    "target": lambda timestamp, request: request.uri.decode("latin-1"),
    "path": lambda timestamp, request: _path(request).decode("latin-1"),
    "query": lambda timestamp, request: _query(request).decode("latin-1"),
    "protocol": lambda timestamp, request: request.clientproto.decode("latin-1"),
    "status": lambda timestamp, request: request.code,
    "bytes": lambda timestamp, request: request.sentLength,
    "referer": _header("referer", "i", None),
    "user_agent": _header("user-agent", "i", None),
    "duration_ms": lambda timestamp, request: round(_seconds(request) * 1e3, 3),
    "id": lambda timestamp, request: request.id,
    "trace_id": lambda timestamp, request: request._traceId(),
    "process": lambda timestamp, request: os.getpid(),
}
