"""Objects in a session, found by interface: `POST /` puts a thing into a basket, `GET /` shows what is in it.

Run it with `python examples/session_objects.py [PORT]`.
"""

import sys

from zope.interface import Attribute, Interface, implementer

from sennit.internet import reactor
from sennit.python.components import registerAdapter
from sennit.web.resource import Resource
from sennit.web.server import Session, Site


class IBasket(Interface):
    """What a visitor is about to buy."""

    things = Attribute("names, a list of str")


@implementer(IBasket)
class Basket:
    def __init__(self, session):
        self.things = []


# From here on, IBasket(session) is the session's basket: made when it is first asked for, then kept.
registerAdapter(Basket, Session, IBasket)


class Shop(Resource):
    isLeaf = True

    def render_GET(self, request):
        basket = request.getSession(IBasket)
        return f"You have: {', '.join(basket.things) or 'nothing'}\n"

    def render_POST(self, request):
        basket = IBasket(request.getSession())
        basket.things.append(request.getArg("thing") or "something")
        return f"{len(basket.things)}\n"


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(Shop()))
reactor.run()
