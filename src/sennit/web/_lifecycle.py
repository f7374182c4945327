"""The end of a request as something to wait for."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from sennit.python._later import asyncio

if TYPE_CHECKING:
    from sennit.web.http import Request


class Disconnected:
    """Whether the client has left: `if request.disconnected`, or `await request.disconnected`.

    Awaiting it returns when the request is over: True if the client left first, False if the response was
    finished.
    """

    def __init__(self, request: Request) -> None:
        self._request = request

    def __bool__(self) -> bool:
        return self._request.disconnected_early

    def __await__(self) -> Generator[Any, None, bool]:
        if not (self._request.finished or self._request.disconnected_early):
            yield from _wakened(self._onEnd).__await__()
        return bool(self)

    def _onEnd(self, wake: Callable[[], None]) -> None:
        def ended(result: object) -> None:
            # Taking the failure here keeps it from being logged as unhandled.
            wake()

        self._request.notifyFinish().addBoth(ended)


async def _wakened(register: Callable[[Callable[[], None]], None]) -> None:
    """Wait until the function given to `register` is called."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    register(wake)
    await future


async def bodyChanged(request: Request) -> None:
    """Wait until `request.read_body` has something new to say."""
    try:
        await _wakened(request.on_body)
    finally:
        request.on_body(None)


async def drained(request: Request) -> None:
    """Wait until what was written has been sent far enough, or the client has left."""
    while request.write_blocked and not request.disconnected_early:
        try:
            await _wakened(request.on_drain)
        finally:
            request.on_drain(None)
