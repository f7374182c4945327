import sys
import time

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Site


class Clock(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"<p>" + time.ctime().encode("ascii") + b"</p>"


factory = Site(Clock())
endpoint = endpoints.serverFromString(reactor, "tcp:%s" % sys.argv[1])
endpoint.listen(factory)
reactor.run()
