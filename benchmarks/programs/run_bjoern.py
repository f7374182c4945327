"""bjoern: `python run_bjoern.py PORT PROGRAM`."""
# mypy: disable-error-code="import-not-found,import-untyped"

import sys

import bjoern

from benchmarks.programs import wsgi_apps

bjoern.run(getattr(wsgi_apps, sys.argv[2]), "127.0.0.1", int(sys.argv[1]), listen_backlog=8192)
