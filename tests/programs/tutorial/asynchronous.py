import sys

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class Slow(Resource):
    isLeaf = True

    def _answer(self, request):
        request.write(b"<p>Sorry to keep ")
        request.write(b"you waiting.</p>")
        request.finish()

    def render_GET(self, request):
        reactor.callLater(0.1, self._answer, request)
        return NOT_DONE_YET


factory = Site(Slow())
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
