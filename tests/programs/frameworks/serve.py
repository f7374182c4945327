"""Serves one of the applications below /app: `python -m tests.programs.frameworks.serve NAME [LOOP]`.

Prints the number of its port, and serves until its input ends.
"""

import asyncio
import importlib
import sys

from sennit.internet import _engines
from sennit.web.asgi import ASGIResource
from sennit.web.resource import Resource
from sennit.web.server import Site


async def main(name: str) -> None:
    module = importlib.import_module(f"tests.programs.frameworks.{name}_app")
    leaf = ASGIResource(module.app)
    root = Resource()
    root.putChild("app", leaf)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    async with Site(root).start() as port:
        print(port.getHost().port, flush=True)
        await ended.wait()


def makeLoop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return _engines.newEventLoop() if kind == "engine" else asyncio.new_event_loop()


with asyncio.Runner(loop_factory=lambda: makeLoop(sys.argv[2])) as runner:
    runner.run(main(sys.argv[1]))
