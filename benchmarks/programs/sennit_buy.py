"""Scenario `buy`: the seed's program. `python sennit_buy.py PORT`."""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Request, Site


class PaymentRequired(Resource):
    def render_GET(self, request: Request) -> str:
        request.setResponseCode(402)
        return "Please swipe your credit card."


root = Resource()
root.putChild("buy", PaymentRequired())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
