"""Scenario `upload`: a body of 1 GiB, counted as it comes in. `python sennit_upload.py PORT`."""

import math
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Request, Site


class Upload(Resource):
    maxBody = math.inf
    streamsBody = True

    async def render_POST(self, request: Request) -> str:
        count = 0
        async for piece in request.stream():
            count += len(piece)
        return str(count)


root = Resource()
root.putChild("upload", Upload())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
