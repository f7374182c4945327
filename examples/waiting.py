"""Handlers that wait: `async def render_GET` and `async def getChild`, with any asyncio library.

`GET /slow` answers after a while, and notices when the client leaves first; `GET /cards/N` looks the
card N up before it is known whether there is such a page at all.

Run it with `python examples/waiting.py [PORT]`.
"""

import asyncio
import sys

from sennit.internet import reactor
from sennit.web import pages
from sennit.web.resource import Resource
from sennit.web.server import Site

OWNERS = {b"1": "Ada", b"2": "Grace"}


async def findOwner(number):
    """Stands for a question to a database."""
    await asyncio.sleep(0.01)
    return OWNERS.get(number)


class Slow(Resource):
    async def render_GET(self, request):
        try:
            await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            print("the client left", flush=True)
            raise
        return "It took a while.\n"


class Card(Resource):
    def __init__(self, owner):
        super().__init__()
        self.owner = owner

    def render_GET(self, request):
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        return f"This card is {self.owner}'s.\n"


class Cards(Resource):
    async def getChild(self, name, request):
        owner = await findOwner(name)
        if owner is None:
            return pages.notFound(message="There is no such card.")
        return Card(owner)


root = Resource()
root.putChild("slow", Slow())
root.putChild("cards", Cards())
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
