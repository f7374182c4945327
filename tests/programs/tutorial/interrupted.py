import sys

from twisted.internet import endpoints, reactor
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class Slow(Resource):
    isLeaf = True

    def _answer(self, request):
        request.write(b"late")
        request.finish()

    def _interrupted(self, failure, d):
        print("interrupted by", failure.type.__name__, failure.getErrorMessage())
        d.cancel()

    def render_GET(self, request):
        d = deferLater(reactor, 30, lambda: request)
        d.addCallbacks(self._answer, lambda ignored: None)
        request.notifyFinish().addErrback(self._interrupted, d)
        return NOT_DONE_YET


factory = Site(Slow())
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
