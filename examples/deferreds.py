"""Responses that come by way of a Deferred, in the three ways that there are.

`GET /returned` returns a Deferred of the body, `GET /awaited` awaits one, `GET /written` writes and finishes
when one fires; each takes `?fail` to see what happens when it fails instead.

Run it with `python examples/deferreds.py [PORT]`.
"""

import sys

from sennit.internet import reactor, task
from sennit.web import error, http
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Site


def look(request):
    """Stands for a question to another server: fires with a text, or fails."""

    def answer():
        if b"fail" in request.uri:
            raise LookupError("it is not there")
        return "Here it is.\n"

    return task.deferLater(reactor, 0.05, answer)


class Returned(Resource):
    def render_GET(self, request):
        found = look(request)
        found.addCallback(str.upper)
        found.addErrback(self.tell)
        return found

    def tell(self, failure):
        failure.trap(LookupError)
        raise error.Error(http.NOT_FOUND, failure.getErrorMessage())


class Awaited(Resource):
    async def render_GET(self, request):
        try:
            return await look(request)
        except LookupError:
            raise error.Error(http.NOT_FOUND, "it is not there") from None


class Written(Resource):
    def render_GET(self, request):
        found = look(request)
        found.addCallback(request.write)
        found.addErrback(lambda failure: request.setResponseCode(http.NOT_FOUND))
        found.addCallback(lambda done: request.finish())
        return NOT_DONE_YET


root = Resource()
root.putChild("returned", Returned())
root.putChild("awaited", Awaited())
root.putChild("written", Written())
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
