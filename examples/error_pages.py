"""Error pages of one's own: for one code, and for all the others.

Run it with `python examples/error_pages.py [PORT]`.
"""

import sys
from html import escape

from sennit.internet import reactor
from sennit.web import error, http
from sennit.web.resource import Resource
from sennit.web.server import Site


class Teapot(Resource):
    def render_GET(self, request):
        raise error.Error(http.IM_A_TEAPOT, "Short and stout")


class Lost(Resource):
    """What answers instead of the usual 404 page; a resource like any other."""

    isLeaf = True

    def render(self, request):
        request.setHeader("Content-Type", "text/html; charset=utf-8")
        return f"<h1>You are lost</h1><p>There is no {escape(request.path.decode())} here.</p>"


def plain(request, code, brief, detail):
    """One line for every other code."""
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    return f"{code} {brief}\n"


root = Resource()
root.putChild("teapot", Teapot())
site = Site(root)
site.errorPages[http.NOT_FOUND] = Lost()
site.errorPages[None] = plain
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, site)
reactor.run()
