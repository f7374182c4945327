"""Sessions that end half a second after the last visit: `GET /` begins one, `GET /ended` counts the ended.

Run it with `python examples/session_endings.py [PORT]`.
"""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Session, Site


class ShortSession(Session):
    sessionTimeout = 0.5  # seconds; 900 if nothing else is said


class Front(Resource):
    def __init__(self):
        super().__init__()
        self.known = set()
        self.ended = 0

    def render_GET(self, request):
        session = request.getSession()
        if session.uid in self.known:
            return "Welcome back\n"
        self.known.add(session.uid)
        session.notifyOnExpire(lambda: self.forget(session.uid))
        return "Welcome\n"

    def forget(self, uid):
        self.known.discard(uid)
        self.ended += 1


class Ended(Resource):
    def __init__(self, front):
        super().__init__()
        self.front = front

    def render_GET(self, request):
        return f"{self.front.ended}\n"


root = Resource()
front = Front()
root.putChild("", front)
root.putChild("ended", Ended(front))
site = Site(root)
site.sessionFactory = ShortSession
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, site)
reactor.run()
