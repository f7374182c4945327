"""Children made on the spot: `GET /2031` is that year's calendar, `GET /2031/5` its May.

Run it with `python examples/calendar_pages.py [PORT]`.
"""

import calendar
import sys

from sennit.internet import reactor
from sennit.web import error, http
from sennit.web.resource import Resource
from sennit.web.server import Site


def number(name, highest):
    """The path segment `name` as a number from 1 to `highest`; anything else is a page that is not there."""
    if not name.isdigit() or not 1 <= int(name) <= highest:
        raise error.Error(http.NOT_FOUND)
    return int(name)


class Month(Resource):
    isLeaf = True

    def __init__(self, year, month):
        super().__init__()
        self.year = year
        self.month = month

    def render_GET(self, request):
        return "<pre>" + calendar.month(self.year, self.month) + "</pre>"


class Year(Resource):
    def __init__(self, year):
        super().__init__()
        self.year = year

    def getChild(self, name, request):
        return Month(self.year, number(name, 12))

    def render_GET(self, request):
        return "<pre>" + calendar.calendar(self.year) + "</pre>"


class Years(Resource):
    def getChild(self, name, request):
        return Year(number(name, 9999))


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(Years()))
reactor.run()
