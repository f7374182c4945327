"""The event loop, deferred results and listening sockets: Twisted's interface as a thin face over asyncio."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sennit.internet._reactor import Reactor

    # The module `reactor` replaces itself with this object when it is imported.
    reactor: Reactor
