"""The ASGI scenarios: `python sennit_asgi.py PORT PROGRAM`."""

import sys

from benchmarks.programs import asgi_apps
from sennit.internet import reactor
from sennit.web.asgi import ASGIResource
from sennit.web.server import Site

port, program = int(sys.argv[1]), sys.argv[2]
site = Site(ASGIResource(getattr(asgi_apps, program)))
reactor.listenTCP(port, site)
reactor.run()
