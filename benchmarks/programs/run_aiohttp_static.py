"""aiohttp's static files under uvloop: `python run_aiohttp_static.py PORT`."""
# mypy: disable-error-code="import-not-found,import-untyped"

import asyncio
import sys

import uvloop
from aiohttp import web

from benchmarks.files import FOLDER


async def main() -> None:
    """Serve the folder until killed."""
    application = web.Application()
    application.router.add_static("/static", FOLDER)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=600)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]), backlog=8192).start()
    await asyncio.Event().wait()


uvloop.run(main())
