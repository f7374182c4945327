import html
import sys

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Site


class Form(Resource):
    def render_GET(self, request):
        return b'<form method="POST"><input name="word" type="text"></form>'

    def render_POST(self, request):
        args = request.args[b"word"][0].decode("utf-8")
        return ("<p>You said: %s</p>" % html.escape(args)).encode("utf-8")


root = Resource()
root.putChild(b"form", Form())
factory = Site(root)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(factory)
reactor.run()
