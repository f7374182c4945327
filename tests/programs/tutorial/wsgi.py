import sys

from twisted.internet import endpoints, reactor
from twisted.web import server
from twisted.web.wsgi import WSGIResource


def application(environ, start_response):
    start_response("200 OK", [("Content-type", "text/plain")])
    return [b"Hello from WSGI, ", environ["PATH_INFO"].encode("latin-1")]


resource = WSGIResource(reactor, reactor.getThreadPool(), application)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(server.Site(resource))
reactor.run()
