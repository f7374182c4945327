"""The portal: which checker is asked, what the realm gives, and what may be async."""

from typing import Any

import pytest
from zope.interface import Interface, implementer

from sennit.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from sennit.cred.credentials import Anonymous, IAnonymous, IUsernamePassword, UsernamePassword
from sennit.cred.error import LoginDenied, LoginFailed, Unauthorized, UnauthorizedLogin, UnhandledCredentials
from sennit.cred.portal import IRealm, Portal
from sennit.internet.defer import Deferred, fail, succeed
from tests.unit.cred.outcomes import outcomeOf


class IDesk(Interface):  # type: ignore[misc]
    """What avatars are in these tests."""


def nothing() -> None:
    pass


@implementer(IRealm)
class Realm:
    def __init__(self, make: Any = lambda triple: triple) -> None:
        self.make = make

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        if IDesk not in interfaces:
            raise NotImplementedError
        return self.make((IDesk, (avatarId, mind), nothing))


async def awaited(value: Any) -> Any:
    return value


JOE = UsernamePassword(b"joe", b"secret")


def portalOf(realm: Any = None) -> Portal:
    return Portal(realm or Realm(), [InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret")])


class TestLogin:
    def test_gives_what_realm_gives(self) -> None:
        assert outcomeOf(portalOf().login(JOE, "mind", IDesk)) == (IDesk, (b"joe", "mind"), nothing)

    def test_fails_if_checker_refuses(self) -> None:
        with pytest.raises(UnauthorizedLogin):
            outcomeOf(portalOf().login(UsernamePassword(b"joe", b"guess"), None, IDesk))

    def test_fails_if_no_checker_takes_the_credentials(self) -> None:
        with pytest.raises(UnhandledCredentials, match="Anonymous"):
            outcomeOf(portalOf().login(Anonymous(), None, IDesk))

    def test_fails_if_realm_has_no_such_interface(self) -> None:
        with pytest.raises(NotImplementedError):
            outcomeOf(portalOf().login(JOE, None, Interface))

    @pytest.mark.parametrize("wrap", [succeed, awaited])
    def test_realm_may_be_async(self, wrap: Any) -> None:
        assert outcomeOf(portalOf(Realm(wrap)).login(JOE, None, IDesk))[1] == (b"joe", None)

    @pytest.mark.parametrize("wrap", [succeed, awaited])
    def test_checker_may_be_async(self, wrap: Any) -> None:
        class Checker:
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: Any) -> Any:
                return wrap(b"anyone")

        assert outcomeOf(Portal(Realm(), [Checker()]).login(JOE, None, IDesk))[1] == (b"anyone", None)

    def test_realm_may_take_its_time(self) -> None:
        later: Deferred[Any] = Deferred()
        login = portalOf(Realm(lambda triple: later)).login(JOE, None, IDesk)
        later.callback((IDesk, "late", nothing))
        assert outcomeOf(login)[1] == "late"

    def test_realm_may_deny(self) -> None:
        with pytest.raises(LoginDenied):
            outcomeOf(portalOf(Realm(lambda triple: fail(LoginDenied()))).login(JOE, None, IDesk))


class TestCheckers:
    def test_are_listed_by_what_they_check(self) -> None:
        portal = Portal(Realm(), [AllowAnonymousAccess()])
        assert portal.listCredentialsInterfaces() == [IAnonymous]

    def test_can_be_registered_for_other_credentials(self) -> None:
        portal = Portal(Realm())
        portal.registerChecker(AllowAnonymousAccess(), IUsernamePassword)
        assert portal.listCredentialsInterfaces() == [IUsernamePassword]
        assert outcomeOf(portal.login(JOE, None, IDesk))[1] == ((), None)

    def test_last_one_registered_counts(self) -> None:
        portal = portalOf()
        portal.registerChecker(InMemoryUsernamePasswordDatabaseDontUse(joe="new"))
        with pytest.raises(UnauthorizedLogin):
            outcomeOf(portal.login(JOE, None, IDesk))


@pytest.mark.parametrize("error", [UnauthorizedLogin, UnhandledCredentials, LoginDenied])
def test_errors_of_logins_are_failed_logins(error: type[Exception]) -> None:
    assert issubclass(error, LoginFailed)
    assert issubclass(error, Unauthorized) == (error is UnauthorizedLogin)
