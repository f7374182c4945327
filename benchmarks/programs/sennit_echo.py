"""Scenarios `echo1k` and `echo64k`: a POST is answered with its body. `python sennit_echo.py PORT`."""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Request, Site


class Echo(Resource):
    def render_POST(self, request: Request) -> bytes:
        assert request.content is not None
        return request.content.read()


root = Resource()
root.putChild("echo", Echo())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
