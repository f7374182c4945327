"""Starting and stopping a site inside a running event loop."""

import asyncio
import math
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sennit.web.server import Site


class Starting:
    """A site about to listen: awaited, it gives the port; as an async context manager, it stops the site at
    the end."""

    def __init__(self, site: "Site", port: int, interface: str, backlog: int) -> None:
        self._site = site
        self._port = port
        self._interface = interface
        self._backlog = backlog

    def __await__(self) -> Generator[Any, None, Any]:
        return self._listen().__await__()

    async def __aenter__(self) -> Any:
        return await self._listen()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._site.stop()

    async def _listen(self) -> Any:
        # Imported when needed: a site that is only driven by a test client has no use for a reactor.
        from sennit.internet import reactor

        port = reactor.listenTCP(self._port, self._site, backlog=self._backlog, interface=self._interface)
        self._site.ports.append(port)
        return port


async def stopSite(site: "Site", grace: float | None) -> None:
    """Stop what `Site.start` started: no new connections, idle ones closed, running requests get `grace`
    seconds (None: all the time they need)."""
    ports, site.ports = site.ports, []
    await asyncio.gather(*(port.drain(math.inf if grace is None else grace) for port in ports))
