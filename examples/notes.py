"""Bodies that are no forms: a store of JSON notes. `PUT /NAME`, `GET /NAME`, `DELETE /NAME`.

Run it with `python examples/notes.py [PORT]`, and then
`curl --json '{"text": "Buy milk"}' -X PUT http://localhost:8880/milk`.
"""

import json
import sys

from sennit.internet import reactor
from sennit.web import error, http
from sennit.web.resource import Resource
from sennit.web.server import Site


class Note(Resource):
    """One note; it is made for each request, and the notes are kept by name in a dictionary."""

    isLeaf = True
    maxBody = 10_000

    def __init__(self, notes, name):
        super().__init__()
        self.notes = notes
        self.name = name

    def render_GET(self, request):
        if self.name not in self.notes:
            raise error.Error(http.NOT_FOUND)
        request.setHeader("Content-Type", "application/json")
        return json.dumps(self.notes[self.name]) + "\n"

    def render_PUT(self, request):
        if request.getHeader("Content-Type") != "application/json":
            raise error.Error(http.UNSUPPORTED_MEDIA_TYPE, "Notes are JSON")
        try:
            note = json.load(request.content)
        except ValueError:
            raise error.Error(http.BAD_REQUEST, "That is not JSON") from None
        request.setResponseCode(http.NO_CONTENT if self.name in self.notes else http.CREATED)
        self.notes[self.name] = note
        return ""

    def render_DELETE(self, request):
        if self.notes.pop(self.name, None) is None:
            raise error.Error(http.NOT_FOUND)
        request.setResponseCode(http.NO_CONTENT)
        return ""


class Notes(Resource):
    def __init__(self):
        super().__init__()
        self.notes = {}

    def getChild(self, name, request):
        return Note(self.notes, name)


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(Notes()))
reactor.run()
