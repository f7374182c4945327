"""Files that are whole responses."""

import os
import re
from typing import TYPE_CHECKING, Any

from sennit.web._static_body import OpenedFile
from sennit.web._static_names import look
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.server import Request

_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3})(?: (.*))?")
# The head of a response ends with an empty line, however the lines are ended.
_HEAD_END = re.compile(rb"\r?\n\r?\n")
# The head must be within the first so many bytes.
_MAX_HEAD = 64 << 10


class ASISProcessor(Resource):
    """Sends a file that is a whole response: status line, headers, an empty line, body.

    For `File.processors`. The engine still frames the response: a Content-Length or Transfer-Encoding in the
    file doesn't count. `Server` and `Date` are the file's, if it has them.
    """

    isLeaf = True

    def __init__(self, path: str, registry: Any = None) -> None:
        super().__init__()
        self.path = path
        self.registry = registry

    def render(self, request: "Request") -> Any:
        """Answer with what the file says; ValueError if that is no response."""
        if look(self.path, None) is None:
            from sennit.web.pages import notFound

            return notFound(message="File not found.").render(request)
        file = OpenedFile(self.path)
        try:
            size = file.info.st_size
            start = file.read(0, _MAX_HEAD)
            end = _HEAD_END.search(start)
            head = start[: end.start()] if end is not None else start if len(start) == size else None
            if head is None:
                raise ValueError(f"{self.path} has no end of the head in its first {_MAX_HEAD} bytes")
            bodyStart = end.end() if end is not None else size
            _announce(request, head, os.path.basename(self.path))
            request.setHeader(b"Content-Length", b"%d" % (size - bodyStart))
            return file.body(bodyStart, size - bodyStart)
        except BaseException:
            file.close()
            raise


def _announce(request: "Request", head: bytes, name: str) -> None:
    """Set code and headers as the head of a response has them."""
    status, *fields = head.splitlines() or [b""]
    found = _STATUS.fullmatch(status.rstrip())
    if found is None:
        raise ValueError(f"{name} doesn't begin with a status line but with {status[:80]!r}")
    request.setResponseCode(int(found[1]), found[2])
    headers: dict[bytes, list[bytes]] = {}
    for field in fields:
        fieldName, colon, value = field.partition(b":")
        if not colon:
            raise ValueError(f"{name} has a line in its head that is no header: {field[:80]!r}")
        headers.setdefault(fieldName.strip().lower(), []).append(value.strip())
    for fieldName, values in headers.items():
        if fieldName not in (b"content-length", b"transfer-encoding"):
            request.responseHeaders.setRawHeaders(fieldName, values)
    if b"content-type" not in headers:
        request.defaultContentType = None
