"""fastpysgi: `python run_fastpysgi.py PORT PROGRAM wsgi|asgi`."""
# mypy: disable-error-code="import-not-found,import-untyped"

import importlib
import sys

import fastpysgi

apps = importlib.import_module(f"benchmarks.programs.{sys.argv[3]}_apps")
server = fastpysgi.server
server.backlog = 8192
# Without it a streamed answer waits for the client's delayed acknowledgements.
server.tcp_nodelay = 1
server.max_content_length = 2 << 30
server.init(getattr(apps, sys.argv[2]), "127.0.0.1", int(sys.argv[1]), fastpysgi.LL_FATAL_ERROR)
server.run()
