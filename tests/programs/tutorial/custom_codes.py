import sys

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Site


class Teapot(Resource):
    def render_GET(self, request):
        request.setResponseCode(418, b"Short and stout")
        return b"<html><body>No coffee here.</body></html>"


root = Resource()
root.putChild(b"coffee", Teapot())
factory = Site(root)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
