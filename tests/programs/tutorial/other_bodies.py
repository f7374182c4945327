import sys
from pprint import pprint

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Site


class Body(Resource):
    def render_POST(self, request):
        pprint(request.__dict__)
        content = request.content.read()
        return b"%d bytes: " % len(content) + content


root = Resource()
root.putChild(b"body", Body())
factory = Site(root)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
