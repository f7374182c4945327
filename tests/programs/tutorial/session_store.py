import sys

from zope.interface import Attribute, Interface, implementer

from twisted.internet import endpoints, reactor
from twisted.python.components import registerAdapter
from twisted.web.resource import Resource
from twisted.web.server import Session, Site


class IVisits(Interface):
    value = Attribute("An int value which counts up once per page view.")


@implementer(IVisits)
class Visits(object):
    def __init__(self, session):
        self.value = 0


registerAdapter(Visits, Session, IVisits)


class Page(Resource):
    isLeaf = True

    def render_GET(self, request):
        session = request.getSession()
        visits = IVisits(session)
        visits.value += 1
        return b"Visit #%d for you!" % (visits.value,)


factory = Site(Page())
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
