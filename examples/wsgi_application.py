"""A WSGI application as one resource among others: `GET /app/...` is the application's, `GET /` is not.

Run it with `python examples/wsgi_application.py [PORT]`.
"""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import Data
from sennit.web.wsgi import WSGIResource


def application(environ, start_response):
    """Flask's and Django's applications are functions like this one."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    yield f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}\n".encode()
    yield f"{len(body)} bytes\n".encode()


root = Resource()
root.putChild("", Data("Not the application's\n", "text/plain"))
root.putChild("app", WSGIResource(reactor, reactor.getThreadPool(), application))
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
