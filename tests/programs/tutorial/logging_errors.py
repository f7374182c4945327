import sys

from twisted.internet import endpoints, reactor
from twisted.internet.task import deferLater
from twisted.python import log
from twisted.python.log import err
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class Slow(Resource):
    isLeaf = True

    def _answer(self, request):
        raise ValueError("this is what went wrong")

    def render_GET(self, request):
        d = deferLater(reactor, 0.05, lambda: request)
        d.addCallback(self._answer)
        d.addErrback(err, "the answer could not be made")
        d.addErrback(lambda ignored: None)
        d.addCallback(lambda ignored: request.finish())
        request.notifyFinish().addErrback(err, "the client left")
        return NOT_DONE_YET


log.startLogging(sys.stdout)
factory = Site(Slow())
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
