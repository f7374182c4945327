"""Scenario `dynamic`: a child made for each request. `python sennit_dynamic.py PORT`."""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Request, Site


class User(Resource):
    isLeaf = True

    def __init__(self, number: bytes) -> None:
        super().__init__()
        self.number = number

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("content-type", "text/plain")
        return b"user " + self.number


class Users(Resource):
    def getChild(self, path: bytes, request: Request) -> Resource:
        return User(path)


root = Resource()
root.putChild("user", Users())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
