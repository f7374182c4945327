"""Exceptions of the web room, and the way to answer with any status code from anywhere: raise `Error`.

`NoResource`, `ErrorPage` and `ForbiddenResource` can be imported from here as well, since the tutorials of
the time before Twisted 8 did so; new programs use `sennit.web.pages`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sennit.web._codes import RESPONSES

if TYPE_CHECKING:
    from sennit.web._oldpages import ErrorPage, ForbiddenResource, NoResource

__all__ = [
    "Error",
    "ErrorPage",
    "ForbiddenResource",
    "InfiniteRedirection",
    "NoResource",
    "PageRedirect",
    "RedirectWithNoLocation",
    "SchemeNotSupported",
    "UnsupportedMethod",
]


class UnsupportedMethod(Exception):
    """A resource doesn't support the request's method: answered with 405, or with 501 for an unknown method.

    `allowedMethods` are the methods (bytes or str) that it does support; they are sent as the `Allow` header.
    A single string, or anything that is not a sequence, raises TypeError.
    """

    allowedMethods: tuple[bytes, ...]

    def __init__(self, allowedMethods: Sequence[bytes | str], *args: object) -> None:
        if isinstance(allowedMethods, str | bytes | bytearray) or not isinstance(allowedMethods, Sequence):
            raise TypeError(f"allowedMethods must be a sequence of method names, not {allowedMethods!r}")
        super().__init__(allowedMethods, *args)
        self.allowedMethods = tuple(
            name.encode("ascii") if isinstance(name, str) else bytes(name) for name in allowedMethods
        )

    def __str__(self) -> str:
        return f"only {b', '.join(self.allowedMethods).decode('latin-1')} allowed"


class Error(Exception):
    """An HTTP status as an exception: raised in traversal or rendering, it answers the request with that
    code.

    `code` is an int from 100 to 999 (an `http.HTTPStatus` too), or its three digits as bytes or str; anything
    else raises ValueError. `message` (bytes or str) is shown on the error page and defaults to the registered
    reason phrase. `response` (bytes or str), if given, is the body to send in place of an error page.
    """

    status: bytes
    message: bytes | None
    response: bytes | None

    def __init__(
        self, code: int | bytes | str, message: bytes | str | None = None, response: bytes | str | None = None
    ) -> None:
        number = _statusNumber(code)
        self.status = b"%d" % number
        self.message = RESPONSES.get(number) if message is None else _toBytes(message)
        self.response = None if response is None else _toBytes(response)
        super().__init__(self.status, self.message, self.response)

    def __str__(self) -> str:
        status = self.status.decode("ascii")
        return f"{status} {self.message.decode('utf-8', 'replace')}" if self.message else status


class PageRedirect(Error):
    """A redirect as an exception: `location` (bytes or str) becomes the `Location` header."""

    location: bytes | None

    def __init__(
        self,
        code: int | bytes | str,
        message: bytes | str | None = None,
        response: bytes | str | None = None,
        location: bytes | str | None = None,
    ) -> None:
        super().__init__(code, message, response)
        self.location = None if location is None else _toBytes(location)
        if self.location and self.message:
            self.message = self.message + b" to " + self.location


class InfiniteRedirection(PageRedirect):
    """Redirects go round in a circle, or there are too many of them."""


class RedirectWithNoLocation(Error):
    """A redirect that doesn't say where to; `uri` is the address that gave it."""

    uri: bytes

    def __init__(self, code: int | bytes | str, message: bytes | str, uri: bytes | str) -> None:
        super().__init__(code, message)
        self.uri = _toBytes(uri)
        self.message = (self.message or b"") + b" to " + self.uri


class SchemeNotSupported(Exception):
    """The scheme of a URI is not one that can be used here."""


def _statusNumber(code: int | bytes | str) -> int:
    if isinstance(code, int):
        number = int(code)
    else:
        digits = _toBytes(code)
        number = int(digits) if len(digits) == 3 and digits.isdigit() else 0
    if not 100 <= number <= 999:
        raise ValueError(f"not a status code: {code!r}")
    return number


def _toBytes(value: bytes | str) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else value


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Loaded when asked for: these pages are resources, and resources import this module.
        if name in ("ErrorPage", "NoResource", "ForbiddenResource"):
            from sennit.web import _oldpages

            return getattr(_oldpages, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
