"""Starting and stopping a site inside a running event loop."""

import math
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sennit.python._later import asyncio, logging

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

        site = self._site
        isFirst = site.around is None
        if isFirst:
            around = site.around = Around(site.resource)
            try:
                await around.begin()
            except BaseException:
                site.around = None
                raise
        try:
            port = reactor.listenTCP(self._port, site, backlog=self._backlog, interface=self._interface)
        except BaseException:
            if isFirst:
                await endAround(site)
            raise
        site.ports.append(port)
        return port


async def stopSite(site: "Site", grace: float | None) -> None:
    """Stop what `Site.start` started: no new connections, idle ones closed, running requests get `grace`
    seconds (None: all the time they need)."""
    ports, site.ports = site.ports, []
    try:
        await asyncio.gather(*(port.drain(math.inf if grace is None else grace) for port in ports))
    finally:
        await endAround(site)


class Around:
    """What has to run around the serving of a site: the resources of its tree that say so.

    Such a resource has `announceServing()`, called as soon as the site listens without having waited for it,
    and the async methods `beforeServing()` and `afterServing()`. Only those are found that the tree has at
    that time, in places where no program code need be called to find them.
    """

    def __init__(self, root: Any) -> None:
        self._resources = [one for one in _reachable(root) if hasattr(one, "beforeServing")]
        self._begun: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._resources)

    def announce(self) -> None:
        """Tell all that there may be requests before they have begun."""
        for resource in self._resources:
            resource.announceServing()

    async def begin(self) -> None:
        """Begin one after the other. What one of them raises ends those before it, and is raised."""
        try:
            for resource in self._resources:
                await resource.beforeServing()
                self._begun.append(resource)
        except BaseException:
            await self.end()
            raise

    async def end(self) -> None:
        """End those that have begun, the last one first; what they raise is logged."""
        while self._begun:
            resource = self._begun.pop()
            try:
                await resource.afterServing()
            except Exception:
                logging.getLogger("sennit.web").exception("Unhandled error while ending %r", resource)


def _reachable(root: Any) -> Iterator[Any]:
    """A resource and those that it is known to lead to."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        own = getattr(one, "__dict__", {})
        for name in ("children", "hosts"):
            if isinstance(below := own.get(name), dict):
                waiting += below.values()
        waiting += [own.get(name) for name in ("default", "resource", "original")]


def beginWithReactor(site: "Site") -> None:
    """For a site that listens without having been waited for: begin as soon as the reactor runs, and end when
    it stops."""
    around = Around(site.resource)
    if site.around is not None or not around:
        return
    site.around = around
    reactor = site.reactor

    async def begin() -> None:
        try:
            await around.begin()
        except Exception:
            logging.getLogger("sennit.web").critical("The site can't be served", exc_info=True)
            site.around = None
            reactor.stop()
        else:
            reactor.addSystemEventTrigger("during", "shutdown", endAround, site)

    around.announce()
    reactor.callWhenRunning(begin)


async def endAround(site: "Site") -> None:
    """End what was begun for a site."""
    around, site.around = site.around, None
    if around is not None:
        await around.end()
