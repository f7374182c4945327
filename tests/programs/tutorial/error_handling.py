import sys

from twisted.internet import endpoints, reactor
from twisted.web.pages import notFound
from twisted.web.resource import NoResource, Resource
from twisted.web.server import Site


class Square(Resource):
    def __init__(self, number):
        Resource.__init__(self)
        self.number = number

    def render_GET(self, request):
        return b"%d" % (self.number**2,)


class Numbers(Resource):
    def getChild(self, name, request):
        if name == b"old":
            return NoResource()
        try:
            number = int(name)
        except ValueError:
            return notFound()
        else:
            return Square(number)


factory = Site(Numbers())
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
