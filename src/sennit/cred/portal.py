"""Where checkers and realm meet."""

from typing import Any

from sennit.cred._comparing import resultOf
from sennit.cred._interfaces import IRealm
from sennit.cred.error import UnhandledCredentials
from sennit.internet.defer import Deferred, ensureDeferred

__all__ = ["IRealm", "Portal"]


class Portal:
    """Lets users of one realm in, if one of its checkers (`ICredentialsChecker`) says who they are.

    `realm` provides `IRealm`; `checkers` are registered for the credentials that they say they can check.
    """

    def __init__(self, realm: Any, checkers: Any = ()) -> None:
        self.realm = realm
        # Interfaces of credentials to their checkers.
        self.checkers: dict[Any, Any] = {}
        for checker in checkers:
            self.registerChecker(checker)

    def listCredentialsInterfaces(self) -> list[Any]:
        """The interfaces of the credentials that can be used to log in."""
        return list(self.checkers)

    def registerChecker(self, checker: Any, *credentialInterfaces: Any) -> None:
        """Have `checker` check credentials of these interfaces, by default those that it names itself; in
        place of the checker that did so before."""
        for interface in credentialInterfaces or checker.credentialInterfaces:
            self.checkers[interface] = checker

    def login(self, credentials: Any, mind: Any, *interfaces: Any) -> Deferred[Any]:
        """Log in: a Deferred of (interface, avatar, logout), as `IRealm.requestAvatar` gives it for one of
        `interfaces`.

        It fails with `error.UnhandledCredentials` if there is no checker for these credentials, and with
        whatever checker or realm raise.
        """
        return ensureDeferred(self._login(credentials, mind, interfaces))

    async def _login(self, credentials: Any, mind: Any, interfaces: tuple[Any, ...]) -> Any:
        for interface, checker in self.checkers.items():
            if interface.providedBy(credentials):
                avatarId = await resultOf(checker.requestAvatarId(credentials))
                return await resultOf(self.realm.requestAvatar(avatarId, mind, *interfaces))
        raise UnhandledCredentials(f"no checker for {type(credentials).__name__}")
