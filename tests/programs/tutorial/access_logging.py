import sys

from twisted.internet import endpoints, reactor
from twisted.web import http, resource, server, static

root = resource.Resource()
root.putChild(b"", static.Data(b"front", "text/plain"))
site = server.Site(root, logPath=sys.argv[2].encode(), logFormatter=http.proxiedLogFormatter)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(site)
reactor.run()
