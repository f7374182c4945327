"""Twisted Web: `python run_twisted.py PORT PROGRAM`. The same tree of resources as Sennit's programs."""
# mypy: disable-error-code="import-not-found,import-untyped", allow-subclassing-any

import os
import sys

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.web.proxy import ReverseProxyResource
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from twisted.web.static import File

from benchmarks.files import FOLDER
from benchmarks.programs.pages import CHUNKS, PAGE


class Buy(Resource):
    """The 402 page."""

    def render_GET(self, request: Request) -> bytes:
        request.setResponseCode(402)
        return PAGE


class NoWait(Resource):
    """The 402 page by a coroutine that doesn't wait."""

    def render_GET(self, request: Request) -> int:
        ensureDeferred(self._answer(request))
        return NOT_DONE_YET  # type: ignore[no-any-return,unused-ignore]

    async def _answer(self, request: Request) -> None:
        request.setResponseCode(402)
        request.write(PAGE)
        request.finish()


class Sleep0(NoWait):
    """The 402 page by a coroutine that waits for a turn of the reactor."""

    async def _answer(self, request: Request) -> None:
        await deferLater(reactor, 0)
        await super()._answer(request)


class Echo(Resource):
    """Answers with the body of the request."""

    def render_POST(self, request: Request) -> bytes:
        return request.content.read()  # type: ignore[no-any-return,unused-ignore]


class User(Resource):
    """Answers with a text that has the user's number."""

    isLeaf = True

    def __init__(self, number: bytes) -> None:
        super().__init__()
        self.number = number

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", b"text/plain")
        return b"user " + self.number


class Users(Resource):
    """Makes a child per number."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        return User(path)


class Stream(Resource):
    """Answers with 64 chunks, one by one."""

    def render_GET(self, request: Request) -> int:
        for chunk in CHUNKS:
            request.write(chunk)
        request.finish()
        return NOT_DONE_YET  # type: ignore[no-any-return,unused-ignore]


def build_tree(program: str) -> Resource:
    """Return the root resource of a scenario's program."""
    root = Resource()
    if program == "static":
        root.putChild(b"static", File(str(FOLDER)))
        return root
    if program == "proxy":
        return ReverseProxyResource("127.0.0.1", int(os.environ["UPSTREAM_PORT"]), b"")
    if program == "missing":
        child = Resource()
        child.putChild(b"b", Resource())
        root.putChild(b"a", child)
        return root
    name, resource = {
        "buy": (b"buy", Buy),
        "nowait": (b"buy", NoWait),
        "sleep0": (b"buy", Sleep0),
        "echo": (b"echo", Echo),
        "dynamic": (b"user", Users),
        "stream": (b"stream", Stream),
    }[program]
    root.putChild(name, resource())
    return root


site = Site(build_tree(sys.argv[2]), timeout=600)
reactor.listenTCP(int(sys.argv[1]), site, backlog=8192, interface="127.0.0.1")
reactor.run()
