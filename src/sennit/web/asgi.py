"""ASGI 3 applications as resources.

    root = Resource()
    root.putChild("shop", ASGIResource(app))

The application sees what is below the resource as its own: the segments that led to it are its `root_path`.
Its coroutine runs in the event loop's thread, in a task that is started at once (from Python 3.12 on).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias
from urllib.parse import quote

from sennit._engine import ASGIApplication
from sennit.web._accesslog import escapeForLog
from sennit.web._asgilifespan import Lifespan, LifespanFailed
from sennit.web.error import Error
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.iweb import ResourceLike
    from sennit.web.server import Request

__all__ = ["ASGIResource", "ClientDisconnected", "Lifespan", "LifespanFailed"]

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]

_logger = logging.getLogger("sennit.web")


class ClientDisconnected(ConnectionError):
    """What `send` raises in an application that streams to a client that has left."""


class ASGIResource(Resource):
    """Answers every request, there and below, with an ASGI 3 application.

    `rootPath` is the part of the address that a proxy in front of the server has taken away: it is put before
    `root_path`, `path` and `raw_path`. `lifespan` is the application's, where it is run already, or by
    somebody else; by default the resource has one of its own, which a site runs while it listens.
    """

    isLeaf = True
    # The engine may look for the application in `render` of an instance.
    _hasApplication = True
    # The application reads the body while it is still being sent.
    streamsBody = True
    # The application is told by `receive`, or by `send`, that its client has left. If this is true, its task
    # is cancelled as well.
    cancelOnDisconnect = False

    def __init__(self, app: Application, *, rootPath: str = "", lifespan: Lifespan | None = None) -> None:
        super().__init__()
        self.app = app
        self.lifespan = Lifespan(app) if lifespan is None else lifespan
        rootPath = rootPath.rstrip("/")
        if rootPath and not rootPath.startswith("/"):
            raise ValueError(f"rootPath begins with a slash: {rootPath!r}")
        raw = quote(rootPath, safe="/%:@!$&'()*+,;=~").encode("ascii")
        self._application = ASGIApplication(app, self, self.lifespan.state, rootPath, raw)
        self._started = asyncio.Event()
        self._renderWith(self._application)

    def getChildWithDefault(self, path: bytes, request: "Request") -> NoReturn:
        """The application answers for everything below itself: raises RuntimeError."""
        raise RuntimeError("an ASGIResource has no children: its application sees the rest of the path")

    def putChild(self, path: bytes | str, child: "ResourceLike") -> None:
        """There can't be children: raises RuntimeError."""
        raise RuntimeError("an ASGIResource can't have children: put them beside it")

    def render(self, request: "Request") -> Any:
        """Call the application. A request for a WebSocket is answered with 501."""
        return self._application(request)

    def _renderWith(self, function: Callable[["Request"], Any]) -> None:
        if type(self).render is ASGIResource.render:
            # The engine finds it here, and calls the application itself.
            self.render = function  # type: ignore[method-assign, assignment]

    # Called by a site that the resource is below

    def announceServing(self) -> None:
        """There may be requests before the application has started: they wait for it."""
        self._renderWith(self._renderLater)

    async def beforeServing(self) -> None:
        """Start the application. Raises LifespanFailed."""
        try:
            await self.lifespan.startup()
        finally:
            self._started.set()
        self._renderWith(self._application)

    async def afterServing(self) -> None:
        """End the application. Raises LifespanFailed."""
        self._started.clear()
        await self.lifespan.shutdown()

    async def _renderLater(self, request: "Request") -> Any:
        await self._started.wait()
        if self.lifespan.isRunning:
            return self._application(request)
        raise Error(503)


# Called by the engine


async def _awaited(awaitable: Awaitable[Any]) -> None:
    await awaitable


def _logDeparture(request: "Request", exception: BaseException) -> None:
    """Note what an application raised because, or at least after, its client had left."""
    _logger.info(
        "%s %s: the client had left when the application raised %s",
        escapeForLog(request.method),
        escapeForLog(request.uri),
        repr(exception),
    )
