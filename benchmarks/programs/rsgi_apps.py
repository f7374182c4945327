"""The scenarios as hand-written RSGI applications, for granian."""

import asyncio
from typing import Any

from benchmarks.programs.pages import BLOCK, BLOCK_COUNT, CHUNKS, HELLO, NOT_FOUND, PAGE, SLEEP_SECONDS

HTML = [("content-type", "text/html")]
TEXT = [("content-type", "text/plain")]
BINARY = [("content-type", "application/octet-stream")]


async def missing(scope: Any, protocol: Any) -> None:
    """Answer 404, whatever is asked for."""
    protocol.response_bytes(404, HTML, NOT_FOUND)


async def buy(scope: Any, protocol: Any) -> None:
    """Answer the 402 page at /buy."""
    if scope.path == "/buy":
        protocol.response_bytes(402, HTML, PAGE)
    else:
        await missing(scope, protocol)


nowait = buy


async def sleep0(scope: Any, protocol: Any) -> None:
    """Answer the 402 page at /buy after a turn of the loop."""
    if scope.path == "/buy":
        await asyncio.sleep(0)
        protocol.response_bytes(402, HTML, PAGE)
    else:
        await missing(scope, protocol)


async def echo(scope: Any, protocol: Any) -> None:
    """Answer a POST to /echo with its body."""
    if scope.path == "/echo":
        protocol.response_bytes(200, BINARY, await protocol())
    else:
        await missing(scope, protocol)


async def dynamic(scope: Any, protocol: Any) -> None:
    """Answer /user/NUMBER with a text that has the number."""
    path: str = scope.path
    if path.startswith("/user/"):
        protocol.response_str(200, TEXT, "user " + path[6:])
    else:
        await missing(scope, protocol)


async def stream(scope: Any, protocol: Any) -> None:
    """Answer /stream with 64 chunks, one by one."""
    if scope.path != "/stream":
        await missing(scope, protocol)
        return
    transport = protocol.response_stream(200, BINARY)
    for chunk in CHUNKS:
        await transport.send_bytes(chunk)


async def upload(scope: Any, protocol: Any) -> None:
    """Answer a POST to /upload with the number of bytes it had."""
    if scope.path != "/upload":
        await missing(scope, protocol)
        return
    count = 0
    async for piece in protocol:
        count += len(piece)
    protocol.response_str(200, TEXT, str(count))


async def download(scope: Any, protocol: Any) -> None:
    """Answer /download with 1 GiB in blocks."""
    if scope.path != "/download":
        await missing(scope, protocol)
        return
    transport = protocol.response_stream(200, BINARY)
    for _ in range(BLOCK_COUNT):
        await transport.send_bytes(BLOCK)


async def asgi_hello(scope: Any, protocol: Any) -> None:
    """Answer with a greeting."""
    protocol.response_bytes(200, TEXT, HELLO)


async def asgi_sleep(scope: Any, protocol: Any) -> None:
    """Answer with a greeting after a hundredth of a second."""
    await asyncio.sleep(SLEEP_SECONDS)
    protocol.response_bytes(200, TEXT, HELLO)


asgi_stream = stream
