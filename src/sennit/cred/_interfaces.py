# Interface methods have no `self`, and zope.interface is not typed.
# mypy: disable-error-code="misc,no-untyped-def,no-untyped-call,no-redef"
"""The interfaces by which the parts of a login know each other; the public modules have them under their
names."""

from zope.interface import Attribute, Interface


class ICredentials(Interface):
    """What somebody shows to be let in."""


class IAnonymous(ICredentials):
    """Nothing was shown: the visitor wants to be let in as nobody in particular."""


class IUsernamePassword(ICredentials):
    """A name and a password in the clear."""

    username = Attribute("The name, bytes.")
    password = Attribute("The password, bytes.")

    def checkPassword(password):
        """Return whether `password` (bytes or str), the right one, is the one shown; or a Deferred of
        that."""


class IUsernameHashedPassword(ICredentials):
    """A name, and something by which a password can be checked that was not shown itself."""

    username = Attribute("The name, bytes.")

    def checkPassword(password):
        """Return whether `password` (bytes or str), the right one, is the one meant; or a Deferred of
        that."""


class IUsernameDigestHash(ICredentials):
    """A name, and a digest that can be checked by the hash of name, realm and password."""

    username = Attribute("The name, bytes.")

    def checkHash(digestHash):
        """Return whether the digest was made with `digestHash`: H(name:realm:password) in hexadecimal, bytes
        or str; or a Deferred of that."""


class ICredentialsChecker(Interface):
    """Tells who it is that shows some credentials."""

    credentialInterfaces = Attribute("The interfaces of the credentials that it can check, a sequence.")

    def requestAvatarId(credentials):
        """Return the avatar id (bytes, or `checkers.ANONYMOUS`), or a Deferred or another awaitable of it.

        Raises `error.UnauthorizedLogin`, or fails with it, if the credentials are wrong.
        """


class IRealm(Interface):
    """Gives those who have been let in what they get to see."""

    def requestAvatar(avatarId, mind, *interfaces):
        """Return (interface, avatar, logout), or a Deferred or another awaitable of it.

        `interface` is one of `interfaces`, and `avatar` provides it; NotImplementedError if there is none for
        any of them. `logout` is called without arguments, once, when the avatar is needed no more. `mind` is
        what was given to `Portal.login`, None for a request.
        """


class ICredentialFactory(Interface):
    """One scheme of HTTP authentication (RFC 9110 section 11): makes challenges, and credentials of what
    clients answer to them."""

    scheme = Attribute("The name of the scheme, bytes.")

    def getChallenge(request):
        """Return the parameters of a challenge: a dict of str to bytes or str, not quoted."""

    def decode(response, request):
        """Return the credentials in `response` (bytes), which is what follows the scheme in Authorization.

        Raises `error.LoginFailed` for what can't be understood.
        """
