"""fastwsgi: `python run_fastwsgi.py PORT PROGRAM`."""
# mypy: disable-error-code="import-not-found,import-untyped"

import sys

import fastwsgi

from benchmarks.programs import wsgi_apps

fastwsgi.server.backlog = 8192
# Without it a streamed answer waits for the client's delayed acknowledgements.
fastwsgi.server.tcp_nodelay = 1
fastwsgi.server.init(getattr(wsgi_apps, sys.argv[2]), "127.0.0.1", int(sys.argv[1]), fastwsgi.LL_FATAL_ERROR)
fastwsgi.server.run()
