"""Scenario `flask`, with the peers' Flask: in the thread of the loop. `python sennit_flask.py PORT`."""

import sys

from benchmarks.paths import PEERS
from benchmarks.programs import wsgi_apps
from sennit.internet import reactor
from sennit.web.server import Site
from sennit.web.wsgi import WSGIResource

sys.path += map(str, PEERS.glob("lib/python*/site-packages"))
resource = WSGIResource(reactor, None, wsgi_apps.flask)
reactor.listenTCP(int(sys.argv[1]), Site(resource))
reactor.run()
