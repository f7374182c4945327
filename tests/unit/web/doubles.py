"""Stand-ins: a request for units that need little of one and no engine; resources made of functions."""

from collections.abc import Callable
from typing import Any

from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import Response, TestClient


class Calls(Resource):
    """A leaf that answers every method with what a function of the request returns."""

    isLeaf = True

    def __init__(self, function: Callable[[Any], Any], **attributes: Any) -> None:
        super().__init__()
        self.function = function
        vars(self).update(attributes)

    def render(self, request: Any) -> Any:
        return self.function(request)


def clientOf(function: Callable[[Any], Any], **options: Any) -> TestClient:
    """A client of a site where every request is answered by a function."""
    return TestClient(Site(Calls(function)), **options)


def answered(function: Any, *, method: str = "GET", target: str = "/", **options: Any) -> Response:
    """The response to one request that is answered by a function."""
    with clientOf(function) as client:
        return client.request(method, target, **options)


class RequestDouble:
    """Remembers what a resource does to it."""

    def __init__(self, method: bytes = b"GET", path: list[bytes] | None = None, **headers: bytes) -> None:
        self.method = method
        self.uri = b"/"
        self.prepath: list[bytes] = []
        self.postpath = list(path or [])
        self.site: Any = None
        self.code = 200
        self.answerHeaders: dict[bytes, bytes] = {}
        self._headers = {name.encode().replace(b"_", b"-"): value for name, value in headers.items()}

    def getHeader(self, name: bytes) -> bytes | None:
        return self._headers.get(name)

    def setHeader(self, name: bytes, value: bytes) -> None:
        self.answerHeaders[name] = value

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        self.code = code

    def redirect(self, url: bytes | str) -> None:
        self.code = 302
        self.answerHeaders[b"Location"] = url if isinstance(url, bytes) else url.encode()
