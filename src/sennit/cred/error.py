"""Why a login fails. `Unauthorized` and `LoginFailed`, and what is derived from them, are answered with
401."""

__all__ = [
    "LoginDenied",
    "LoginFailed",
    "StaleNonce",
    "Unauthorized",
    "UnauthorizedLogin",
    "UnhandledCredentials",
]


class Unauthorized(Exception):
    """Whoever asks may not do this."""


class LoginFailed(Exception):
    """The login has failed, for whatever reason."""


class UnauthorizedLogin(LoginFailed, Unauthorized):
    """The credentials are wrong."""


class UnhandledCredentials(LoginFailed):
    """No checker of the portal knows what to do with credentials of this kind."""


class LoginDenied(LoginFailed):
    """The realm doesn't let this user in, although the credentials are right."""


class StaleNonce(LoginFailed):
    """A digest was made for a challenge that is not valid any more: the client is to take the new one, and
    need not ask its user again (RFC 7616 section 3.3, `stale`)."""
