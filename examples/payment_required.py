"""The first program, with Sennit's own names: `GET /buy` is a 402.

Run it with `python examples/payment_required.py [PORT]`.
"""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site


class PaymentRequired(Resource):
    def render_GET(self, request):
        request.setResponseCode(402)
        return "Please swipe your credit card."


root = Resource()
root.putChild("buy", PaymentRequired())
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
