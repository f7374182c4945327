"""A push and a pull producer that note how they are treated."""

import asyncio
from collections.abc import Callable

from zope.interface import implementer

from sennit.internet.interfaces import IPullProducer, IPushProducer
from sennit.web.server import Request

PUSH = "push"
PULL = "pull"
_PIECE = b"p" * 65536


class _Counting:
    """What both have: the bytes still to write and those written."""

    def __init__(self, request: Request, total: int, note: Callable[..., None]) -> None:
        self.request = request
        self.left = total
        self.written = 0
        self.note = note

    def write_piece(self) -> None:
        """Write the next piece; ends the response with the last one."""
        piece = _PIECE[: self.left]
        self.left -= len(piece)
        self.written += len(piece)
        self.request.write(piece)
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        """The client has left."""
        self.left = 0
        self.note("stopped", written=self.written)


@implementer(IPushProducer)
class Fountain(_Counting):
    """Writes a piece per turn of the loop until told to pause."""

    def __init__(self, request: Request, total: int, note: Callable[..., None]) -> None:
        super().__init__(request, total, note)
        self.flowing = False

    def resumeProducing(self) -> None:
        """Go on writing."""
        self.note("resumed", written=self.written)
        if not self.flowing:
            self.flowing = True
            asyncio.get_running_loop().call_soon(self._turn)

    def pauseProducing(self) -> None:
        """Stop writing until resumed."""
        self.note("paused", written=self.written)
        self.flowing = False

    def _turn(self) -> None:
        if self.flowing and self.left:
            self.write_piece()
            asyncio.get_running_loop().call_soon(self._turn)


@implementer(IPullProducer)
class Countdown(_Counting):
    """Writes a piece each time it is asked."""

    def resumeProducing(self) -> None:
        """Write one piece."""
        if self.left:
            self.write_piece()
