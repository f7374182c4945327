"""Sessions: what a site remembers of a visitor between requests, in memory."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sennit.python.components import Componentized

if TYPE_CHECKING:
    from sennit.web.server import Site


class Session(Componentized):
    """One visitor's session. Adapt it to an interface of yours (`IBasket(session)`) to keep things in it.

    It expires `sessionTimeout` seconds after the last request that asked for it. The cookie with its id can't
    be read by scripts, isn't sent with other sites' forms, and over TLS never in the clear; the attributes
    below change that, on a subclass (see `Site.sessionFactory`) or an instance.
    """

    sessionTimeout: float = 900
    cookieHttpOnly = True
    # lax, strict, none, or None for no SameSite attribute.
    cookieSameSite: str | None = "lax"
    # None: as the request is; True and False: always and never.
    cookieSecure: bool | None = None
    cookiePath = "/"
    cookieDomain: str | None = None
    # Seconds that browsers keep the cookie; None: until they are closed.
    cookieMaxAge: int | None = None

    _expiryCall: Any = None

    def __init__(self, site: "Site", uid: bytes, reactor: Any = None) -> None:
        super().__init__()
        self.site = site
        self.uid = uid
        self._reactor = site.reactor if reactor is None else reactor
        self.expireCallbacks: list[Callable[[], object]] = []
        self.sessionNamespaces: dict[Any, Any] = {}
        self.lastModified: float = self._reactor.seconds()

    def startCheckingExpiration(self) -> None:
        """Start the timer; `Site.makeSession` does it."""
        self._expiryCall = self._reactor.callLater(self.sessionTimeout, self._checkExpiration)

    def touch(self) -> None:
        """Put the end off: the session now has its whole time before it again."""
        self.lastModified = self._reactor.seconds()

    def notifyOnExpire(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called when the session expires, by time or by `expire`."""
        self.expireCallbacks.append(callback)

    def expire(self) -> None:
        """End the session: the site forgets it, and the callbacks are called. KeyError if it has ended
        already."""
        del self.site.sessions[self.uid]
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
            self._expiryCall = self._reactor.callLater(left, self._checkExpiration)
        elif self.uid in self.site.sessions:
            self.expire()
