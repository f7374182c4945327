"""Serves one of the ASGI applications below /app: `python -m tests.programs.frameworks.serve NAME LOOP PORT`.

It is put beside other resources in a tree, in a loop of the kind LOOP, and serves until SIGTERM.
"""

import asyncio
import importlib
import signal
import sys

from sennit.internet import _engines
from sennit.web.asgi import ASGIResource
from sennit.web.resource import Resource
from sennit.web.server import Site


async def main(name: str, port: int) -> None:
    module = importlib.import_module(f"tests.programs.frameworks.{name}")
    root = Resource()
    root.putChild("app", ASGIResource(module.app))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with Site(root).start(port):
        print("this process serves now", flush=True)
        await ended.wait()


def makeLoop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return _engines.newEventLoop() if kind == "engine" else asyncio.new_event_loop()


with asyncio.Runner(loop_factory=lambda: makeLoop(sys.argv[2])) as runner:
    runner.run(main(sys.argv[1], int(sys.argv[3])))
