# Interface methods have no `self`, and zope.interface is not typed.
# mypy: disable-error-code="misc,no-untyped-def,no-untyped-call,no-redef"
"""Interfaces of the web room (zope.interface), for programs that implement, adapt or check them.

For type annotations use the classes (`resource.Resource`, `server.Request`) or the protocol `ResourceLike`.
"""

from collections.abc import AsyncIterable, Awaitable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from zope.interface import Attribute, Interface

from sennit._engine import Answer

if TYPE_CHECKING:
    from sennit.cred._interfaces import ICredentialFactory
    from sennit.web._template_interfaces import IRenderable, ITemplateLoader
    from sennit.web.server import Request

__all__ = [
    "IAccessLogFormatter",
    "ICredentialFactory",
    "INonQueuedRequestFactory",
    "IRenderable",
    "IRequest",
    "IRequestEncoder",
    "IRequestEncoderFactory",
    "IResource",
    "ITemplateLoader",
    "RenderResult",
    "ResourceLike",
]

# What a render method may return: the body, a whole answer, `server.NOT_DONE_YET` (an int), an awaitable of
# these, or chunks to stream.
RenderResult: TypeAlias = (
    bytes
    | str
    | Answer
    | int
    | Awaitable[Any]
    | Iterable[bytes]
    | Iterable[str]
    | AsyncIterable[bytes]
    | AsyncIterable[str]
)


class ResourceLike(Protocol):
    """The static type of whatever can be found by traversal and rendered."""

    @property
    def isLeaf(self) -> bool | int:
        """Whether traversal ends here."""

    def getChildWithDefault(self, name: bytes, request: "Request", /) -> Any:
        """The child for one path segment, or an awaitable of it."""

    def render(self, request: "Request", /) -> Any:
        """Make the response; see `RenderResult`."""


class IResource(Interface):
    """Something that can be found by traversal and rendered."""

    isLeaf = Attribute("True if traversal ends here, with the rest of the path left in `request.postpath`.")

    def getChildWithDefault(name, request):
        """Return the child for the path segment `name` (bytes), or an awaitable of it."""

    def putChild(path, child):
        """Put `child` below this resource under the segment `path` (bytes or str)."""

    def render(request):
        """Make the response to `request`: return a body, an Answer, NOT_DONE_YET, an awaitable or chunks."""


class IRequest(Interface):
    """A request, and the response that is made to it."""

    method = Attribute("The method, bytes.")
    uri = Attribute("The request target as it was sent, bytes.")
    path = Attribute("The target up to the query, still quoted, bytes.")
    args = Attribute("dict of bytes to lists of bytes: the query and, for POST, a form body.")
    prepath = Attribute("Segments of the path (bytes, unquoted) that traversal has consumed.")
    postpath = Attribute("Segments of the path (bytes, unquoted) still to be consumed.")
    requestHeaders = Attribute("`http_headers.Headers` of the request.")
    responseHeaders = Attribute("`http_headers.Headers` of the response.")
    content = Attribute("The body as a binary file positioned at its start.")

    def getHeader(key):
        """Return the last value of a request header in the type of `key`, or None."""

    def getCookie(key):
        """Return the value (bytes) of a request cookie, or None."""

    def getAllHeaders():
        """Return a dict of lower-case header names to their last values, all bytes."""

    def getRequestHostname():
        """Return the host name (bytes) that the client asked for, without port."""

    def getHost():
        """Return the local address of the connection."""

    def getClientAddress():
        """Return the address of the client."""

    def getUser():
        """Return the user name (bytes) of Basic authorization, or b''."""

    def getPassword():
        """Return the password (bytes) of Basic authorization, or b''."""

    def isSecure():
        """Return whether the request came over TLS."""

    def getSession(sessionInterface=None):
        """Return the request's session, made if needed, or its component for an interface."""

    def prePathURL():
        """Return the absolute address (bytes) of the current resource."""

    def rememberRootURL():
        """Remember the address of the parent of the current resource."""

    def getRootURL():
        """Return the address remembered, or None."""

    def finish():
        """End the response."""

    def write(data):
        """Send a piece of the body (bytes or str)."""

    def addCookie(k, v, expires=None, domain=None, path=None, max_age=None, comment=None, secure=None):
        """Add a cookie to the response."""

    def setResponseCode(code, message=None):
        """Set the status code and, if given, the reason phrase."""

    def setHeader(name, value):
        """Set a response header, replacing what it was."""

    def redirect(url):
        """Set status and header for a redirect to `url`."""

    def setLastModified(when):
        """Tell when what is served was modified; returns http.CACHED if the client has it already."""

    def setETag(etag):
        """Tell the entity tag of what is served; returns http.CACHED if the client has it already."""

    def setHost(host, port, ssl=0):
        """Change the host, port and security that the request seems to be for."""


class IAccessLogFormatter(Interface):
    """A formatter of access log lines."""

    def __call__(timestamp, request):
        """Return the line (str, without newline) for a finished request."""


class IRequestEncoder(Interface):
    """What the body of one response goes through."""

    def encode(data):
        """Take a piece of body (bytes) and return what is to be sent by now (bytes, may be empty)."""

    def finish():
        """Return what is still to be sent (bytes)."""


class IRequestEncoderFactory(Interface):
    """A maker of encoders, for `resource.EncodingResourceWrapper`."""

    def encoderForRequest(request):
        """Return an `IRequestEncoder` for the response, having set its Content-Encoding, or None."""


# Twisted's names for them.
_IRequestEncoder = IRequestEncoder
_IRequestEncoderFactory = IRequestEncoderFactory


class INonQueuedRequestFactory(Interface):
    """A request factory that is called with the channel alone."""

    def __call__(channel):
        """Return a new request."""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Loaded when asked for: most servers have neither logins nor templates.
        if name == "ICredentialFactory":
            from sennit.cred import _interfaces

            return _interfaces.ICredentialFactory
        if name in ("IRenderable", "ITemplateLoader"):
            from sennit.web import _template_interfaces

            return getattr(_template_interfaces, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
