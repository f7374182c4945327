import sys

from twisted.internet import endpoints, reactor
from twisted.web.server import Site
from twisted.web.static import File

resource = File(".")
factory = Site(resource)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
