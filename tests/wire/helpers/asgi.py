"""The ASGI application under test: what it does is the last segment of the path."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PIECE = b"x" * 10_000

told: list[str] = []


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await _ACTIONS[scope["path"].rpartition("/")[2]](receive, send)


async def _start(send: Send, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})


async def _piece(send: Send, data: bytes, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def _hello(receive: Receive, send: Send) -> None:
    await _start(send, (b"content-type", b"text/plain"))
    await _piece(send, b"hello")


async def _echo(receive: Receive, send: Send) -> None:
    await _start(send)
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await _piece(send, message["body"], more)


async def _wait(receive: Receive, send: Send) -> None:
    await receive()
    told.append((await receive())["type"])


async def _flood(receive: Receive, send: Send) -> None:
    await _start(send)
    count = 0
    try:
        while True:
            await _piece(send, PIECE, True)
            count += 1
            if count == 1:
                told.append("flooding")
    except OSError as error:
        told.append(type(error).__name__)


async def _told(receive: Receive, send: Send) -> None:
    await _start(send)
    await _piece(send, " ".join(told).encode())
    told.clear()


async def _inject(receive: Receive, send: Send) -> None:
    await _start(send, (b"x-a", b"1\r\nx-evil: 1"))
    await _piece(send, b"never")


async def _cut(receive: Receive, send: Send) -> None:
    await _start(send)
    await _piece(send, b"half", True)
    await asyncio.sleep(0)
    raise ValueError("the flaw")


_ACTIONS = {
    "hello": _hello,
    "echo": _echo,
    "wait": _wait,
    "flood": _flood,
    "told": _told,
    "inject": _inject,
    "cut": _cut,
}
