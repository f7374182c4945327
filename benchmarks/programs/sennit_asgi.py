"""The ASGI scenarios: `python sennit_asgi.py PORT PROGRAM`.

In the loop that is the quickest for each: Sennit's own, and uvloop where timers are what it is about.
"""

import asyncio
import sys

from benchmarks.programs import asgi_apps
from sennit.internet import reactor
from sennit.web.asgi import ASGIResource
from sennit.web.server import Site

port, program = int(sys.argv[1]), sys.argv[2]
site = Site(ASGIResource(getattr(asgi_apps, program)))


async def serve() -> None:
    async with site.start(port, backlog=8192):
        await asyncio.Event().wait()


if program == "asgi_sleep":
    import uvloop

    uvloop.run(serve())
reactor.listenTCP(port, site)
reactor.run()
