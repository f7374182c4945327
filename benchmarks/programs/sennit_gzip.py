"""Scenario `gzip64k`: JSON that is compressed for each request. `python sennit_gzip.py PORT`."""

import sys

from benchmarks.files import DOCUMENT, document
from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site, standardEncoders

BODY = document()


class Document(Resource):
    isLeaf = True

    def render_GET(self, request):
        request.setHeader(b"Content-Type", b"application/json")
        return BODY


folder = Resource()
folder.putChild(DOCUMENT, Document())
root = Resource()
root.putChild("gzip", folder)
reactor.listenTCP(int(sys.argv[1]), Site(root, encoders=standardEncoders()))
reactor.run()
