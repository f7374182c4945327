"""Scenario `missing`: two levels are there, the third is not. `python sennit_missing.py PORT`."""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site

root = Resource()
first = Resource()
root.putChild("a", first)
first.putChild("b", Resource())
reactor.listenTCP(int(sys.argv[1]), Site(root))
reactor.run()
