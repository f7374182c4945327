"""A form and what is posted with it: `GET /` shows the guest book, `POST /` adds a line to it.

Run it with `python examples/guest_book.py [PORT]`.
"""

import sys
from html import escape

from sennit.internet import reactor
from sennit.web import error, http
from sennit.web.resource import Resource
from sennit.web.server import Site

PAGE = """<!DOCTYPE html>
<title>Guest book</title>
<ul>{lines}</ul>
<form method="post"><input name="line" maxlength="80"> <button>Sign</button></form>
"""


class GuestBook(Resource):
    isLeaf = True
    maxBody = 10_000

    def __init__(self):
        super().__init__()
        self.lines = []

    def render_GET(self, request):
        request.setHeader("Content-Type", "text/html; charset=utf-8")
        return PAGE.format(lines="".join(f"<li>{escape(line)}</li>" for line in self.lines))

    def render_POST(self, request):
        line = request.getArg("line")
        if not line or len(line) > 80:
            raise error.Error(http.BAD_REQUEST, "A line has 1 to 80 characters")
        self.lines.append(line)
        # See other: a reload of the page that comes does not post the form again.
        request.setResponseCode(http.SEE_OTHER)
        request.setHeader("Location", "/")
        return ""


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(GuestBook()))
reactor.run()
