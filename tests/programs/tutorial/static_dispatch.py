import sys

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data, File

root = Resource()
root.putChild(b"here", File("."))
root.putChild(b"fixed", Data(b"fixed", "text/plain"))

factory = Site(root)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
