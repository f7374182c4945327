"""What is shown to be let in: a name and a password, a digest of them, or nothing."""

from zope.interface import implementer

from sennit.cred._comparing import sameSecret
from sennit.cred._digest import DigestCredentialFactory, DigestedCredentials
from sennit.cred._interfaces import (
    IAnonymous,
    ICredentials,
    IUsernameDigestHash,
    IUsernameHashedPassword,
    IUsernamePassword,
)

__all__ = [
    "Anonymous",
    "DigestCredentialFactory",
    "DigestedCredentials",
    "IAnonymous",
    "ICredentials",
    "IUsernameDigestHash",
    "IUsernameHashedPassword",
    "IUsernamePassword",
    "UsernamePassword",
]


@implementer(IUsernamePassword)
class UsernamePassword:
    """A name and a password in the clear, bytes (text is taken as UTF-8 where they are compared)."""

    def __init__(self, username: bytes | str, password: bytes | str) -> None:
        self.username = username
        self.password = password

    def checkPassword(self, password: bytes | str) -> bool:
        """Whether this is the password, in a time that doesn't depend on how much of it is right."""
        return sameSecret(self.password, password)


@implementer(IAnonymous)
class Anonymous:
    """Nothing was shown."""
