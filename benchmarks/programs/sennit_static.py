"""Scenarios `static…`: a directory of files. `python sennit_static.py PORT`."""

import sys

from benchmarks.files import FOLDER
from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import File

root = Resource()
root.putChild("static", File(FOLDER))
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
