"""Sessions: what a site remembers of a visitor between requests."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sennit.python.components import Componentized

if TYPE_CHECKING:
    from sennit.web._sessionkeeper import Holding
    from sennit.web.server import Site


class Session(Componentized):
    """One visitor's session. Keep things in `data`, or adapt it to an interface of yours
    (`IBasket(session)`).

    It expires `sessionTimeout` seconds after the last request that asked for it. What the cookie with its id
    is like, the site says: `Site.sessionCookie`.

    Without a `Site.sessionStore` it lives in this process's memory, and can hold anything. With one, `data`
    is what is kept: a dict of str to values that JSON has; see `sennit.web.sessions`.
    """

    sessionTimeout: float = 900

    _expiryCall: Any = None
    # How it is kept in the site's store; None without one.
    _holding: "Holding | None" = None

    def __init__(self, site: "Site", uid: bytes, reactor: Any = None) -> None:
        super().__init__()
        self.site = site
        self.uid = uid
        self._reactor = site.reactor if reactor is None else reactor
        self.data: dict[str, Any] = {}
        self.expireCallbacks: list[Callable[[], object]] = []
        self.sessionNamespaces: dict[Any, Any] = {}
        self.lastModified: float = self._reactor.seconds()

    def startCheckingExpiration(self) -> None:
        """Start the timer; `Site.makeSession` does it, and with a store `notifyOnExpire`."""
        self._expiryCall = self._reactor.callLater(self.sessionTimeout, self._checkExpiration)

    def touch(self) -> None:
        """Put the end off: the session now has its whole time before it again."""
        self.lastModified = self._reactor.seconds()

    def notifyOnExpire(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called when the session expires, by time or by `expire`.

        It is called in this process, once. With a store the session goes on when this process ends, and the
        callback goes with the process.
        """
        self.expireCallbacks.append(callback)
        if self._expiryCall is None and self._holding is not None:
            self.startCheckingExpiration()

    def expire(self) -> None:
        """End the session: the site forgets it, and the callbacks are called. KeyError if it has ended
        already."""
        del self.site.sessions[self.uid]
        if self._holding is not None:
            self._holding.remove()
        self._end()

    async def save(self) -> None:
        """Write what has changed to the site's store, if there is one. Requests do that by themselves, before
        their responses go out: this is for changes made outside of one. Raises what the store raises."""
        if self._holding is not None:
            await self._holding.save()

    def _end(self) -> None:
        call, self._expiryCall = self._expiryCall, None
        if call is not None and call.active():
            call.cancel()
        callbacks, self.expireCallbacks = self.expireCallbacks, []
        for callback in callbacks:
            callback()

    def _checkExpiration(self) -> None:
        # One timer for the session rather than a new one at each visit: it is set again for what is left.
        left = self.lastModified + self.sessionTimeout - self._reactor.seconds()
        if left > 0:
            self._checkAgain(left)
        elif self.site.sessions.get(self.uid) is self:
            if self._holding is None:
                self.expire()
            else:
                # Other processes may have seen the visitor since.
                self._holding.checkExpiration()

    def _checkAgain(self, seconds: float) -> None:
        self._expiryCall = self._reactor.callLater(seconds, self._checkExpiration)
