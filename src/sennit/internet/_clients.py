"""Connections that the reactor makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sennit.internet._reactor_base import LoopChooser
from sennit.internet.address import IPv4Address, UNIXAddress

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from sennit.internet._connector import Connect, Connector


class ReactorClients(LoopChooser):
    """The reactor's connections to other servers."""

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float | None = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> Connector:
        """Connect `factory` (a ClientFactory) to a TCP port; its `clientConnectionFailed` tells if that
        fails or takes more than `timeout` seconds. Returns the IConnector.
        """

        def connect(loop: asyncio.AbstractEventLoop, make: Callable[[], asyncio.Protocol]) -> Awaitable[Any]:
            return loop.create_connection(make, host, port, local_addr=bindAddress)

        return self._begin(factory, IPv4Address("TCP", host, port), timeout, connect)

    def connectUNIX(
        self, address: str | bytes, factory: Any, timeout: float | None = 30, checkPID: bool = False
    ) -> Connector:
        """Connect `factory` to a UNIX socket; `checkPID` is not needed: nobody listens at a stale socket."""
        path = address.decode() if isinstance(address, bytes) else address

        def connect(loop: asyncio.AbstractEventLoop, make: Callable[[], asyncio.Protocol]) -> Awaitable[Any]:
            return loop.create_unix_connection(make, path)

        return self._begin(factory, UNIXAddress(path), timeout, connect)

    def _begin(self, factory: Any, destination: Any, timeout: float | None, connect: Connect) -> Connector:
        # Imported when needed, as asyncio is.
        from sennit.internet._connector import Connector

        connector = Connector(self._loop(), factory, destination, timeout, connect)
        connector.connect()
        return connector
