import sys

from twisted.internet import endpoints, reactor
from twisted.web import script, server, static

root = static.File(sys.argv[2])
root.processors = {".rpy": script.ResourceScript}
root.ignoreExt(".rpy")
site = server.Site(root)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(site)
reactor.run()
