"""What goes wrong is in the log, with its traceback: where nothing catches it, and where the program says so.

`GET /broken` raises an exception that nothing catches, `GET /backup` logs one and answers all the same.

Run it with `python examples/logging_errors.py [PORT]`.
"""

import logging
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
logger = logging.getLogger("shop")


def price(fruit):
    return {"apple": 3}[fruit]


class Broken(Resource):
    def render_GET(self, request):
        return f"{price('pear')}\n"


class Backup(Resource):
    def render_GET(self, request):
        try:
            return f"{price('pear')}\n"
        except KeyError:
            logger.exception("no price, from %s", request.getClientAddress().host)
            return "Ask at the counter.\n"


root = Resource()
root.putChild("broken", Broken())
root.putChild("backup", Backup())
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
