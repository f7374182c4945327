"""Scenario `stream`: an iterator of 64 chunks. `python sennit_stream.py PORT`."""

import sys
from collections.abc import Iterator

from benchmarks.programs.pages import CHUNKS
from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Request, Site


class Stream(Resource):
    def render_GET(self, request: Request) -> Iterator[bytes]:
        yield from CHUNKS


root = Resource()
root.putChild("stream", Stream())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
