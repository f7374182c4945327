"""The scenarios as hand-written ASGI applications, for Sennit and the ASGI servers."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.programs.pages import BLOCK, BLOCK_COUNT, CHUNKS, HELLO, NOT_FOUND, PAGE, SLEEP_SECONDS

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BINARY = [(b"content-type", b"application/octet-stream")]


def _whole(content_type: bytes, body: bytes, status: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two messages of an answer that is always the same."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


PAGE_START, PAGE_BODY = _whole(b"text/html", PAGE, 402)
MISSING_START, MISSING_BODY = _whole(b"text/html", NOT_FOUND, 404)
STREAM_START = {"type": "http.response.start", "status": 200, "headers": BINARY}


HELLO_START, HELLO_BODY = _whole(b"text/plain", HELLO, 200)


async def missing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 404, whatever is asked for."""
    await send(MISSING_START)
    await send(MISSING_BODY)


async def buy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the 402 page at /buy."""
    if scope["path"] != "/buy":
        await missing(scope, receive, send)
        return
    await send(PAGE_START)
    await send(PAGE_BODY)


nowait = buy


async def sleep0(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the 402 page at /buy after a turn of the loop."""
    if scope["path"] != "/buy":
        await missing(scope, receive, send)
        return
    await asyncio.sleep(0)
    await send(PAGE_START)
    await send(PAGE_BODY)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a POST to /echo with its body."""
    if scope["path"] != "/echo":
        await missing(scope, receive, send)
        return
    message = await receive()
    body = message.get("body", b"")
    if message.get("more_body", False):
        parts = [body]
        while message.get("more_body", False):
            message = await receive()
            parts.append(message.get("body", b""))
        body = b"".join(parts)
    elif type(body) is not bytes:
        body = bytes(body)  # fastpysgi gives a memoryview and can't send one
    headers = [*BINARY, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def dynamic(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer /user/NUMBER with a text that has the number."""
    path: str = scope["path"]
    if not path.startswith("/user/"):
        await missing(scope, receive, send)
        return
    start, end = _whole(b"text/plain", b"user " + path[6:].encode(), 200)
    await send(start)
    await send(end)


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer /stream with 64 chunks, one by one."""
    if scope["path"] != "/stream":
        await missing(scope, receive, send)
        return
    await send(STREAM_START)
    for chunk in CHUNKS:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a POST to /upload with the number of bytes it had."""
    if scope["path"] != "/upload":
        await missing(scope, receive, send)
        return
    count = 0
    more = True
    while more:
        message = await receive()
        count += len(message.get("body", b""))
        more = message.get("more_body", False)
    start, end = _whole(b"text/plain", b"%d" % count, 200)
    await send(start)
    await send(end)


async def download(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer /download with 1 GiB in blocks."""
    if scope["path"] != "/download":
        await missing(scope, receive, send)
        return
    await send(STREAM_START)
    for _ in range(BLOCK_COUNT):
        await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def asgi_hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a greeting."""
    await send(HELLO_START)
    await send(HELLO_BODY)


async def asgi_sleep(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a greeting after a hundredth of a second."""
    await asyncio.sleep(SLEEP_SECONDS)
    await send(HELLO_START)
    await send(HELLO_BODY)


asgi_stream = stream


def __getattr__(name: str) -> Any:
    # Loaded where they are asked for: not every interpreter has the frameworks.
    if name in {"starlette", "fastapi"}:
        return getattr(importlib.import_module("benchmarks.programs.framework_apps"), name)
    raise AttributeError(name)
