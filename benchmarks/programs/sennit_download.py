"""Scenario `download`: a body of 1 GiB from an iterator of blocks. `python sennit_download.py PORT`."""

import sys
from collections.abc import Iterator

from benchmarks.programs.pages import BLOCK, BLOCK_COUNT
from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Request, Site


class Download(Resource):
    def render_GET(self, request: Request) -> Iterator[bytes]:
        for _ in range(BLOCK_COUNT):
            yield BLOCK


root = Resource()
root.putChild("download", Download())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
