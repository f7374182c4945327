import sys

from twisted.internet import endpoints, reactor
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class Slow(Resource):
    isLeaf = True

    def _answer(self, request):
        request.write(b"<p>After a while.</p>")
        request.finish()

    def render_GET(self, request):
        d = deferLater(reactor, 0.1, lambda: request)
        d.addCallback(self._answer)
        return NOT_DONE_YET


factory = Site(Slow())
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
