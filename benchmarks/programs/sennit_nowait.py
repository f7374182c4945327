"""Scenario `async`: the 402 page by a coroutine that doesn't wait. `python sennit_nowait.py PORT`."""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Request, Site


class PaymentRequired(Resource):
    async def render_GET(self, request: Request) -> str:
        request.setResponseCode(402)
        return "Please swipe your credit card."


root = Resource()
root.putChild("buy", PaymentRequired())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
