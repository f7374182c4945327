"""Scenario `sleep0`: the 402 page after a turn of the loop. `python sennit_sleep0.py PORT`."""

import asyncio
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Request, Site


class PaymentRequired(Resource):
    async def render_GET(self, request: Request) -> str:
        await asyncio.sleep(0)
        request.setResponseCode(402)
        return "Please swipe your credit card."


root = Resource()
root.putChild("buy", PaymentRequired())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
