"""A response made while it is being sent: whatever a render method yields goes out piece by piece.

The next piece is asked for when the client has taken enough of those before, so that a response of any length
needs little memory. `GET /squares?upto=N`, and `GET /ticks` with one line every tenth of a second.

Run it with `python examples/streamed_response.py [PORT]`.
"""

import asyncio
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site


class Squares(Resource):
    def render_GET(self, request):
        request.setHeader("Content-Type", "text/plain")
        upto = int(request.args.get(b"upto", [b"1000"])[0])
        return (f"{n * n}\n" for n in range(1, upto + 1))


class Ticks(Resource):
    async def render_GET(self, request):
        request.setHeader("Content-Type", "text/plain")
        return self.ticks()

    async def ticks(self):
        for n in range(5):
            yield f"tick {n}\n"
            await asyncio.sleep(0.1)


root = Resource()
root.putChild("squares", Squares())
root.putChild("ticks", Ticks())
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
