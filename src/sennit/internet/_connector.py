"""One connection that the reactor makes: Twisted's client factories over asyncio's connections."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from sennit.internet import error
from sennit.internet._transport import ProtocolAdapter
from sennit.python import log
from sennit.python.failure import Failure

Connect = Callable[[asyncio.AbstractEventLoop, Callable[[], asyncio.Protocol]], Awaitable[Any]]


class _Adapter(ProtocolAdapter):
    """Drives a protocol of a client factory, and tells the connector of the end."""

    def __init__(self, connector: "Connector") -> None:
        super().__init__(connector.factory.buildProtocol, connector._adapters)
        self._connector = connector

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        reason = error.ConnectionDone() if exc is None else error.ConnectionLost(exc)
        self._connector._lost(Failure(reason))


class Connector:
    """An attempt to connect, and then the connection. `factory` hears of failure and loss, and may call
    `connect` again.
    """

    state: Literal["disconnected", "connecting", "connected"] = "disconnected"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        factory: Any,
        destination: Any,
        timeout: float | None,
        connect: Connect,
    ) -> None:
        self.factory = factory
        self._loop = loop
        self._destination = destination
        self._timeout = timeout
        self._connect = connect
        self._adapters: set[ProtocolAdapter] = set()
        self._attempt: asyncio.Task[None] | None = None
        self._given = False

    def connect(self) -> None:
        """Try (again). RuntimeError while it is connecting or connected."""
        if self.state != "disconnected":
            raise RuntimeError("can't connect in this state")
        self.state = "connecting"
        if not self._given:
            self._given = True
            self.factory.doStart()
        self.factory.startedConnecting(self)
        self._attempt = self._loop.create_task(self._try())

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._connect(self._loop, lambda: _Adapter(self))
        except TimeoutError:
            self._fail(error.TimeoutError())
        except OSError as problem:
            self._fail(error.ConnectError(problem.errno, problem.strerror or str(problem)))
        else:
            if self.state == "connecting":
                self.state = "connected"

    def _fail(self, problem: Exception) -> None:
        self.state = "disconnected"
        self._tell(self.factory.clientConnectionFailed, Failure(problem))

    def _lost(self, reason: Failure) -> None:
        self.state = "disconnected"
        self._tell(self.factory.clientConnectionLost, reason)

    def _tell(self, method: Callable[..., object], reason: Failure) -> None:
        try:
            method(self, reason)
        except Exception:
            log.err()
        if self.state == "disconnected" and self._given:
            self._given = False
            self.factory.doStop()

    def stopConnecting(self) -> None:
        """Give the attempt up. NotConnectingError if there is none."""
        if self.state != "connecting" or self._attempt is None:
            raise error.NotConnectingError("we're not trying to connect")
        self._attempt.cancel()
        self._fail(error.UserError())

    def disconnect(self) -> None:
        """Give the attempt up, or close the connection."""
        if self.state == "connecting":
            self.stopConnecting()
        else:
            for adapter in list(self._adapters):
                adapter.end()

    def getDestination(self) -> Any:
        """The IAddress that it connects to."""
        return self._destination
