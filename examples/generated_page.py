"""A page made at each request: `GET /` tells the time, and what browser it was asked by.

Run it with `python examples/generated_page.py [PORT]`.
"""

import sys
from datetime import UTC, datetime
from html import escape

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site


class Clock(Resource):
    isLeaf = True

    def render_GET(self, request):
        request.setHeader("Content-Type", "text/html; charset=utf-8")
        request.setHeader("Cache-Control", "no-store")
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        browser = request.getHeader("User-Agent") or "unknown"
        return f"<!DOCTYPE html><title>Clock</title><p>It is {now}.</p><p>You use {escape(browser)}.</p>"


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(Clock()))
reactor.run()
