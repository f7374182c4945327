"""Scenario `proxy`: a server behind. `UPSTREAM_PORT=N python sennit_proxy.py PORT`."""

import os
import sys

from sennit.internet import reactor
from sennit.web.proxy import ReverseProxyResource
from sennit.web.server import Site

site = Site(ReverseProxyResource("127.0.0.1", int(os.environ["UPSTREAM_PORT"]), b""))
reactor.listenTCP(int(sys.argv[1]), site)
reactor.run()
