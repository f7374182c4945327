"""A session for each visitor: `GET /` tells its id and how old it is, `GET /leave` ends it.

Run it with `python examples/session_basics.py [PORT]`.
"""

import sys
import time

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Session, Site


class DatedSession(Session):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.made = time.time()


class Front(Resource):
    def render_GET(self, request):
        session = request.getSession()
        return f"{session.uid.decode()} is {time.time() - session.made:.1f} s old\n"


class Leave(Resource):
    def render_GET(self, request):
        request.getSession().expire()
        return "Good-bye\n"


root = Resource()
root.putChild("", Front())
root.putChild("leave", Leave())
site = Site(root)
site.sessionFactory = DatedSession
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, site)
reactor.run()
