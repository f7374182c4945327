"""Small resources and functions of use in many sites."""

import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from sennit.internet.defer import Deferred, ensureDeferred
from sennit.python.failure import Failure
from sennit.python.reflect import qual, safe_str
from sennit.web.resource import Resource, isPending

if TYPE_CHECKING:
    from sennit.web._failureelement import FailureElement
    from sennit.web.server import Request

__all__ = ["DeferredResource", "FailureElement", "ParentRedirect", "Redirect", "formatFailure", "redirectTo"]

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


class ParentRedirect(Resource):
    """Redirects to the directory of the address that was asked for: `/foo` and `/foo?x` to `/`, `/foo/bar` to
    `/foo/`. The new address is absolute, and has no query."""

    isLeaf = True

    def render(self, request: "Request") -> bytes:
        """Answer with the redirect."""
        # What the address says counts, with all that this leaf has consumed of it.
        path = request.path.rpartition(b"/")[0] + b"/"
        origin = b"/".join(request.prePathURL().split(b"/", 3)[:3])
        return redirectTo(origin + path, request)

    def getChild(self, path: bytes, request: "Request") -> Resource:
        """This redirect is for everything below it too."""
        return self


class DeferredResource(Resource):
    """Stands for a resource that is still to come: waits for it, and goes on from it with the rest of the
    path.

    `d` is a Deferred, or another awaitable. It may be asked for by many requests; its result stays with it. A
    failure is answered as if this resource had raised it. When a client leaves, `d` is not cancelled. A
    program that has `async def getChild` needs none of this.
    """

    isLeaf = True

    def __init__(self, d: Deferred[Any] | Awaitable[Any]) -> None:
        super().__init__()
        self.d: Deferred[Any] = d if isinstance(d, Deferred) else ensureDeferred(_outcomeOf(d))
        self._failure: Failure | None = None

    def render(self, request: "Request") -> int:
        """Answer with what the resource answers, as soon as it is there."""
        from sennit.web.server import NOT_DONE_YET

        # Only now: the program may have added callbacks of its own since it made this.
        self.d.addCallbacks(self._arrived, self._failed, (request,), {}, (request,), {})
        return NOT_DONE_YET

    def _arrived(self, resource: Any, request: "Request") -> Any:
        if self._failure is not None:
            # An earlier request has taken the failure, so that nobody logs it as unhandled.
            request._failed(self._failure.value, self)
        elif not (request.finished or request.disconnected_early):
            request.start_task(_goOn(resource, request), self)
        return resource

    def _failed(self, failure: Failure, request: "Request") -> None:
        self._failure = failure
        request._failed(failure.value, self)


async def _goOn(resource: Any, request: "Request") -> int:
    from sennit.web.server import NOT_DONE_YET

    while isPending(found := request.traverse(resource)):
        resource = await found
    request.render(found)
    return NOT_DONE_YET


async def _outcomeOf(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def formatFailure(myFailure: Failure) -> bytes:
    """A failure as a piece of HTML (bytes, all ASCII): type, value and the lines of code that led there. All
    is escaped. Not to be shown to strangers."""
    import linecache
    from html import escape

    frames = "".join(
        f"<li><code>{escape(file)}:{line}</code> in <code>{escape(function)}</code>"
        f"<pre>{escape(linecache.getline(file, line).strip())}</pre></li>\n"
        for function, file, line, _, _ in myFailure.frames
    )
    problem = escape(f"{qual(myFailure.type)}: {safe_str(myFailure.value)}")
    page = (
        f'<div class="failure">\n<p class="error">{problem}</p>\n<ol class="frames">\n{frames}</ol>\n</div>\n'
    )
    return page.encode("ascii", "xmlcharrefreplace")


def __getattr__(name: str) -> Any:
    if name == "FailureElement":
        # Templates are loaded by those who use them.
        from sennit.web._failureelement import FailureElement

        return FailureElement
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
