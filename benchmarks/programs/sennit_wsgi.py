"""Scenario `wsgi`: in the thread of the loop. `python sennit_wsgi.py PORT`."""

import sys

from benchmarks.programs import wsgi_apps
from sennit.internet import reactor
from sennit.web.server import Site
from sennit.web.wsgi import WSGIResource

resource = WSGIResource(reactor, None, wsgi_apps.wsgi)
reactor.listenTCP(int(sys.argv[1]), Site(resource))
reactor.run()
