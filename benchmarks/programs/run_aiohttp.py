"""aiohttp's low-level server under uvloop: `python run_aiohttp.py PORT PROGRAM`."""
# mypy: disable-error-code="import-not-found,import-untyped"

import asyncio
import sys

import uvloop
from aiohttp import web

from benchmarks.programs.pages import BLOCK, BLOCK_COUNT, CHUNKS, NOT_FOUND, PAGE


def _missing() -> web.Response:
    return web.Response(status=404, body=NOT_FOUND, content_type="text/html")


async def missing(request: web.BaseRequest) -> web.StreamResponse:
    """Answer 404, whatever is asked for."""
    return _missing()


async def buy(request: web.BaseRequest) -> web.StreamResponse:
    """Answer the 402 page at /buy."""
    if request.path != "/buy":
        return _missing()
    return web.Response(status=402, body=PAGE, content_type="text/html")


nowait = buy


async def sleep0(request: web.BaseRequest) -> web.StreamResponse:
    """Answer the 402 page at /buy after a turn of the loop."""
    await asyncio.sleep(0)
    return await buy(request)


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    """Answer a POST to /echo with its body."""
    if request.path != "/echo":
        return _missing()
    return web.Response(body=await request.content.read())


async def dynamic(request: web.BaseRequest) -> web.StreamResponse:
    """Answer /user/NUMBER with a text that has the number."""
    if not request.path.startswith("/user/"):
        return _missing()
    return web.Response(body=b"user " + request.path[6:].encode(), content_type="text/plain")


async def stream(request: web.BaseRequest) -> web.StreamResponse:
    """Answer /stream with 64 chunks, one by one."""
    if request.path != "/stream":
        return _missing()
    response = web.StreamResponse()
    await response.prepare(request)
    for chunk in CHUNKS:
        await response.write(chunk)
    await response.write_eof()
    return response


async def upload(request: web.BaseRequest) -> web.StreamResponse:
    """Answer a POST to /upload with the number of bytes it had."""
    count = 0
    async for piece in request.content.iter_any():
        count += len(piece)
    return web.Response(text=str(count))


async def download(request: web.BaseRequest) -> web.StreamResponse:
    """Answer /download with 1 GiB in blocks."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(BLOCK_COUNT):
        await response.write(BLOCK)
    await response.write_eof()
    return response


async def main() -> None:
    """Serve the program named on the command line until killed."""
    server = web.Server(globals()[sys.argv[2]], access_log=None, keepalive_timeout=600)
    loop = asyncio.get_running_loop()
    await loop.create_server(server, "127.0.0.1", int(sys.argv[1]), backlog=8192)
    await asyncio.Event().wait()


uvloop.run(main())
