"""Bodies of the requests that test clients send."""

import json as jsonModule
import os
import secrets
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

Text = bytes | str
Body = Text | Iterable[Text] | AsyncIterable[Text] | None


class RequestContent:
    """What follows a request's head: `whole` bytes, or `pieces` to be sent chunked; and the `fields` that
    describe it."""

    def __init__(
        self,
        whole: bytes | None = None,
        kind: bytes | None = None,
        pieces: Iterable[Text] | AsyncIterable[Text] | None = None,
    ) -> None:
        self.whole = whole
        self.pieces = pieces
        self.fields: list[tuple[bytes, bytes]] = []
        if kind is not None:
            self.fields.append((b"Content-Type", kind))
        if pieces is not None:
            self.fields.append((b"Transfer-Encoding", b"chunked"))
        elif whole is not None:
            self.fields.append((b"Content-Length", b"%d" % len(whole)))


def encodeBody(
    body: Body = None,
    json: Any = None,
    form: Mapping[str, Any] | None = None,
    files: Mapping[str, Any] | None = None,
) -> RequestContent:
    """The content for the one of these that is given (`form` and `files` may be together)."""
    given = [
        name for name, value in (("body", body), ("json", json), ("form", form or files)) if value is not None
    ]
    if len(given) > 1:
        raise TypeError(f"a request has one body, not {' and '.join(given)}")
    if files:
        return _multipart(form or {}, files)
    if form is not None:
        return RequestContent(
            urlencode(form, doseq=True).encode("ascii"), b"application/x-www-form-urlencoded"
        )
    if json is not None:
        return RequestContent(jsonModule.dumps(json).encode("utf-8"), b"application/json")
    if body is None:
        return RequestContent()
    if isinstance(body, bytes | str):
        return RequestContent(_bytes(body))
    return RequestContent(pieces=body)


def _multipart(form: Mapping[str, Any], files: Mapping[str, Any]) -> RequestContent:
    boundary = secrets.token_hex(16).encode("ascii")
    parts: list[bytes] = []
    for name, values in form.items():
        for value in [values] if isinstance(values, str | bytes | int | float) else values:
            disposition = b'form-data; name="%b"' % _quoted(name)
            parts.append(_part(boundary, disposition, None, _bytes(value)))
    for name, given in files.items():
        for one in given if isinstance(given, list) else [given]:
            filename, content, kind = _fileOf(name, one)
            disposition = b'form-data; name="%b"; filename="%b"' % (_quoted(name), _quoted(filename))
            parts.append(_part(boundary, disposition, kind, content))
    body = b"".join(parts) + b"--" + boundary + b"--\r\n"
    return RequestContent(body, b"multipart/form-data; boundary=" + boundary)


def _part(boundary: bytes, disposition: bytes, kind: bytes | None, content: bytes) -> bytes:
    head = b"--" + boundary + b"\r\nContent-Disposition: " + disposition + b"\r\n"
    if kind is not None:
        head += b"Content-Type: " + kind + b"\r\n"
    return head + b"\r\n" + content + b"\r\n"


def _fileOf(name: str, given: Any) -> tuple[str, bytes, bytes]:
    if not isinstance(given, tuple):
        given = (os.path.basename(str(getattr(given, "name", name))), given)
    filename, content, *rest = given
    if hasattr(content, "read"):
        content = content.read()
    return filename, _bytes(content), _bytes(rest[0]) if rest else b"application/octet-stream"


def _quoted(name: str) -> bytes:
    # As browsers do it: HTML, section "multipart/form-data encoding algorithm".
    escaped = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    return escaped.encode("utf-8")


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")
