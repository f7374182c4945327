"""Small ASGI applications for the tests."""

from collections.abc import Awaitable, Callable
from typing import Any

from sennit.web.asgi import ASGIResource
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import TestClient

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


def start(status: int = 200, headers: Any = (), **more: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: bytes = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def readBody(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise RuntimeError(message["type"])
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


def sending(*messages: dict[str, Any]) -> App:
    """An application that sends just these."""

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def siteOf(app: App, path: str = "", **options: Any) -> Site:
    """A site with an application below `path`, or at its root."""
    leaf = ASGIResource(app, **options)
    if not path:
        return Site(leaf)
    root = here = Resource()
    *before, last = path.split("/")
    for name in before:
        child = Resource()
        here.putChild(name, child)
        here = child
    here.putChild(last, leaf)
    return Site(root)


def clientOf(app: App, path: str = "", **options: Any) -> TestClient:
    return TestClient(siteOf(app, path, **options))


def scopeOf(method: str, target: str, path: str = "", headers: Any = (), **options: Any) -> dict[str, Any]:
    """The scope that an application is called with."""
    scopes: list[dict[str, Any]] = []

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send(start())
        await send(body())

    with clientOf(app, path, **options) as client:
        assert client.request(method, target, headers=headers).code == 200
    return scopes[0]
