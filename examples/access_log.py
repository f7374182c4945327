"""Access logs: one site that logs in the combined format, and one with lines of its own.

Run it with `python examples/access_log.py [PORT [LOGFILE]]`; the log goes to the standard output without a
file. The second site, on a port of its own, logs only what went wrong.
"""

import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import Data


class ErrorsOnly(Site):
    """A site whose log has the requests that went wrong, and nothing else."""

    def log(self, request):
        if request.code >= 400:
            super().log(request)


def short(timestamp, request):
    return f"{timestamp} {request.code} {request.method.decode()} {request.uri!r}"


root = Resource()
root.putChild("", Data("Hello\n", "text/plain"))
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
path = sys.argv[2] if len(sys.argv) > 2 else "-"
reactor.listenTCP(port, Site(root, logPath=path))
second = reactor.listenTCP(0, ErrorsOnly(root, logPath=path, logFormatter=short), interface="127.0.0.1")
print(f"errors only: http://127.0.0.1:{second.getHost().port}", flush=True)
reactor.run()
