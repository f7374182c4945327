"""Small resources and functions of use in many sites."""

import re
from typing import TYPE_CHECKING

from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = ["Redirect", "redirectTo"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
# What browsers ignore within and before a scheme (WHATWG URL, "remove all ASCII tab or newline").
_IGNORED = re.compile(r"[\x00-\x20]+")


def redirectTo(URL: bytes | str, request: "Request") -> bytes:
    """Make the response a redirect (302) to `URL` and return a page that links there, for clients that don't
    follow.

    The address is escaped in the page, and linked only if its scheme is http or https, or it has none:
    following a `javascript:` address would run it.
    """
    from html import escape

    request.redirect(URL)
    request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
    address = URL if isinstance(URL, str) else URL.decode("utf-8", "replace")
    scheme = _SCHEME.match(_IGNORED.sub("", address))
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        return (
            b'<!DOCTYPE html>\n<html lang="en"><head><title>Moved</title></head><body>Moved.</body></html>\n'
        )
    link = escape(address)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta http-equiv="refresh" content="0;URL={link}">'
        f'<title>Moved</title></head>\n<body><a href="{link}">click here</a></body></html>\n'
    ).encode("utf-8", "replace")


class Redirect(Resource):
    """Redirects every request, there and below, to one address (bytes or str)."""

    isLeaf = True

    def __init__(self, url: bytes | str) -> None:
        super().__init__()
        self.url = url

    def render(self, request: "Request") -> bytes:
        """Answer with the redirect."""
        return redirectTo(self.url, request)

    def getChild(self, path: bytes, request: "Request") -> Resource:
        """This redirect is for everything below it too."""
        return self
