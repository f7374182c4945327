"""Clients that leave before their response is there, and how a program notices.

`GET /coroutine` is cancelled, `GET /deferred` is told by `notifyFinish`; `GET /events` says what happened.

Run it with `python examples/interrupted.py [PORT]`.
"""

import asyncio
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Site

events = []


class ByCoroutine(Resource):
    async def render_GET(self, request):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            events.append("coroutine: cancelled")
            raise
        return "done\n"


class ByDeferred(Resource):
    def render_GET(self, request):
        call = reactor.callLater(30, self.answer, request)
        request.notifyFinish().addErrback(self.left, call)
        return NOT_DONE_YET

    def left(self, reason, call):
        call.cancel()
        events.append("deferred: the client left")

    def answer(self, request):
        request.write("done\n")
        request.finish()


class Events(Resource):
    def render_GET(self, request):
        return "".join(f"{event}\n" for event in sorted(events))


root = Resource()
root.putChild("coroutine", ByCoroutine())
root.putChild("deferred", ByDeferred())
root.putChild("events", Events())
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
