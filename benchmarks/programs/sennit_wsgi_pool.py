"""Scenario `wsgi-pool`: in the reactor's threads. `python sennit_wsgi_pool.py PORT`."""

import sys

from benchmarks.programs import wsgi_apps
from sennit.internet import reactor
from sennit.web.server import Site
from sennit.web.wsgi import WSGIResource

resource = WSGIResource(reactor, reactor.getThreadPool(), wsgi_apps.wsgi_pool)
reactor.listenTCP(int(sys.argv[1]), Site(resource))
reactor.run()
