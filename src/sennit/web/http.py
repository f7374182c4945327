"""The request as HTTP has it, status codes, and the small tools that go with them.

`Request` here knows nothing of sites and resources; programs meet its subclass `sennit.web.server.Request`.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import AsyncGenerator
from math import ceil
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sennit import _engine
from sennit.internet import defer
from sennit.internet._addresses import fromSocketAddress
from sennit.internet.address import IPv4Address, IPv6Address, UNIXAddress
from sennit.internet.error import ConnectionDone, ConnectionLost
from sennit.python._later import asyncio
from sennit.web import _answers, _codes, _conditional, _requestid
from sennit.web._accesslog import combinedLogFormatter, jsonLogFormatter, proxiedLogFormatter
from sennit.web._codes import *  # noqa: F403
from sennit.web._codes import FOUND, NOT_MODIFIED, PRECONDITION_FAILED
from sennit.web._cookies import makeCookie, parseCookies
from sennit.web._dates import datetimeToLogString, datetimeToString, stringToDatetime, timegm
from sennit.web._factory import HTTPFactory
from sennit.web._forms import Form, FormLimits, FormReader, UploadedFile, argsOf, formReader, readForm
from sennit.web._httpchannel import HTTPChannel
from sennit.web._lifecycle import Disconnected, bodyChanged
from sennit.web._limits import limitOf
from sennit.web._parsing import (
    PotentialDataLoss,
    fromChunk,
    maxChunkSizeLineLength,
    parse_qs,
    parseContentRange,
    toChunk,
    unquote,
    urlparse,
)
from sennit.web.http_headers import Headers
from sennit.web.iweb import IRequest

if TYPE_CHECKING:
    from sennit.web.tracecontext import TraceContext

__all__ = [
    "CACHED",
    "HTTPChannel",
    "HTTPFactory",
    "Headers",
    "PotentialDataLoss",
    "Request",
    "UploadedFile",
    "combinedLogFormatter",
    "datetimeToLogString",
    "datetimeToString",
    "fromChunk",
    "jsonLogFormatter",
    "maxChunkSizeLineLength",
    "parseContentRange",
    "parse_qs",
    "proxiedLogFormatter",
    "responses",
    "stringToDatetime",
    "timegm",
    "toChunk",
    "unquote",
    "urlparse",
]
__all__ += _codes.__all__

# What setETag and setLastModified return if the answer is complete without a body: true, so that it can be
# tested.
CACHED = "the client has what it asked for"

Address = IPv4Address | IPv6Address | UNIXAddress


@implementer(IRequest)
class Request(_engine.Request):
    """A request, and the response that is made to it.

    The engine makes one for each request, and doesn't call `__init__`; what is not always needed (args,
    cookies, addresses) is made when it is asked for.
    """

    # The media type of a response that sets none; None: no Content-Type then.
    defaultContentType: bytes | str | None = b"text/html"

    # What requests of this kind are called in traces and metrics, such as "/users/{id}": for programs to set.
    # None: the path, if resources were put at each part of it.
    route: str | None = None

    _args: dict[bytes, list[bytes]] | None = None
    _argsWereSet = False
    _textArgs: dict[str, list[str]] | None = None
    _form: Form | None = None
    _formWasRead = False
    _formWasLoaded = False
    _receivedCookies: dict[bytes, bytes] | None = None
    _client: Address | None = None
    _id: str | None = None
    _traceContext: "TraceContext | None" = None
    _traceContextWasRead = False
    _host: Address | None = None
    _claimsSecurity = False
    _claimsHost = False
    _notifications: list[defer.Deferred[None]] | None = None
    _askedAsGET = False
    _answersError = False

    def process(self) -> None:
        """Called when the request is ready to be answered: for subclasses."""

    def __repr__(self) -> str:
        method, uri, protocol = (part.decode("latin-1") for part in (self.method, self.uri, self.clientproto))
        return f"<{type(self).__name__} at {id(self):#x} method={method} uri={uri} clientproto={protocol}>"

    # Arguments

    @property
    def args(self) -> dict[bytes, list[bytes]]:
        """Names to lists of values of the query and, for POST, of a form body; bytes, percent-decoded.

        Names of a body replace those of the query. Uploaded files are among the values, as far as
        `Site.maxFormMemory` allows. A body that can't be read as the form that it claims to be raises
        `error.Error` (400), one beyond a limit too (413). A body that is streamed is not looked at: see
        `loadForm`.
        """
        args = self._args
        if args is None:
            args = self._queryArgs()
            form = self._readForm()
            if form is not None:
                args.update(argsOf(form, limitOf(self.site, "maxFormMemory")))
            self._args = args
        return args

    @args.setter
    def args(self, value: dict[bytes, list[bytes]]) -> None:
        self._args = value
        self._argsWereSet = True
        self._textArgs = None

    @property
    def textArgs(self) -> dict[str, list[str]]:
        """As `args`, but as text (UTF-8; what isn't is shown as U+FFFD), and without uploaded files."""
        textArgs = self._textArgs
        if textArgs is None:
            args = self._args
            if args is None or not self._argsWereSet:
                # Files stay where they are, rather than be read into memory only to be left out here.
                form = self._readForm()
                args = self._queryArgs() | (form.fields if form is not None else {})
            textArgs = {_text(name): [_text(value) for value in values] for name, values in args.items()}
            self._textArgs = textArgs
        return textArgs

    def getArg(self, name: str | bytes, default: str | None = None) -> str | None:
        """The first value of one argument as text, or `default` without one."""
        values = self.textArgs.get(name if isinstance(name, str) else _text(name))
        return values[0] if values else default

    @property
    def files(self) -> dict[str, list[UploadedFile]]:
        """The files of a multipart form, by the names of their fields; raises as `args` does."""
        form = self._readForm()
        return {} if form is None else form.files

    def _queryArgs(self) -> dict[bytes, list[bytes]]:
        return parse_qs(self.uri.partition(b"?")[2], keep_blank_values=True)

    async def loadForm(self) -> None:
        """Read a form body without holding up other requests; then `args`, `textArgs` and `files` have it.

        Of use for large uploads, and the way to have args of a body that is streamed. Raises as `args` does.
        """
        if self._form is not None or self._formWasLoaded:
            return
        reader = self._formReader()
        form: Form | None = None
        if self.content is not None:
            self.content.seek(0)
        if reader is not None:
            hasBody = False
            async for piece in self.stream():
                hasBody = True
                reader.receive(piece)
                await asyncio.sleep(0)
            form = reader.end() if hasBody else None
            if self.content is not None:
                self.content.seek(0)
        self._form = form
        self._formWasRead = self._formWasLoaded = True
        self._textArgs = None
        if not self._argsWereSet:
            self._args = None

    def _readForm(self) -> Form | None:
        if not self._formWasRead:
            reader, content = self._formReader(), self.content
            self._form = None if reader is None or content is None else readForm(content, reader)
            self._formWasRead = True
        return self._form

    def _formReader(self) -> FormReader | None:
        contentType: bytes | None = self.getHeader(b"content-type")
        if self.method != b"POST" or contentType is None:
            return None
        if not getattr(self.site, "parsePOSTFormSubmission", True):
            return None
        limits = (
            limitOf(self.site, name) for name in ("maxFormFields", "maxFormMemory", "maxPartHeaderBytes")
        )
        return formReader(contentType, FormLimits(*limits))

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body in pieces, as it comes in: `async for piece in request.stream()`.

        For a resource with `streamsBody` this runs while the body is still being sent; for others the whole
        body is here already. Raises `error.Error` if the body turns out too large, too slow or malformed, and
        ConnectionError if the client leaves.
        """
        while True:
            arrived = self.read_body()
            if arrived is None:
                await bodyChanged(self)
            elif arrived:
                yield arrived
            else:
                return

    # Headers and cookies of the request

    def getAllHeaders(self) -> dict[bytes, bytes]:
        """Lower-case names to the last value of each, all bytes."""
        return {name.lower(): values[-1] for name, values in self.requestHeaders.getAllRawHeaders() if values}

    @property
    def received_cookies(self) -> dict[bytes, bytes]:
        """Names to values of the request's cookies; bytes, not decoded."""
        cookies = self._receivedCookies
        if cookies is None:
            headers = self.requestHeaders.getRawHeaders(b"cookie", [])
            cookies = self._receivedCookies = parseCookies(headers)
        return cookies

    @received_cookies.setter
    def received_cookies(self, value: dict[bytes, bytes]) -> None:
        self._receivedCookies = value

    def getCookie(self, key: bytes | str) -> bytes | None:
        """The value of a cookie, or None."""
        return self.received_cookies.get(key.encode("utf-8") if isinstance(key, str) else key)

    def getUser(self) -> bytes:
        """The user name of Basic authorization; b'' if there is none, or it is malformed."""
        return self._credentials()[0]

    def getPassword(self) -> bytes:
        """The password of Basic authorization; b'' if there is none, or it is malformed."""
        return self._credentials()[1]

    def _credentials(self) -> tuple[bytes, bytes]:
        scheme, _, encoded = (self.getHeader(b"authorization") or b"").partition(b" ")
        if scheme.lower() != b"basic":
            return b"", b""
        try:
            user, colon, password = a2b_base64(encoded.strip(), strict_mode=True).partition(b":")
        except Base64Error:
            return b"", b""
        return (user, password) if colon else (b"", b"")

    @property
    def id(self) -> str:
        """What this request is called in logs: up to 128 characters, or 32 digits of a number of its own, as
        the site's `requestIDs` says. The same each time."""
        if self._id is None:
            self._id = (getattr(self.site, "requestIDs", None) or _requestid.DEFAULT).idOf(self)
        return self._id

    @property
    def traceContext(self) -> "TraceContext | None":
        """The trace that this request is a part of, as its `traceparent` and `tracestate` headers tell (W3C
        Trace Context); None if they don't, or can't be read."""
        if not self._traceContextWasRead:
            self._traceContextWasRead = True
            parents = self.header_values(b"traceparent")
            if parents:
                from sennit.web.tracecontext import readTraceContext

                self._traceContext = readTraceContext(parents, self.header_values(b"tracestate"))
        return self._traceContext

    def _traceId(self) -> str | None:
        """The id of the trace, for logs."""
        context = self.traceContext
        return None if context is None else context.traceId

    # Addresses

    @property
    def client(self) -> Address:
        """The address of the client's end of the connection; behind a trusted proxy, of the client's own."""
        if self._client is None:
            connection, said = self.connection, self._origin()
            address: Any = said[0] if said is not None else None
            if address is None and connection is not None:
                address = connection.get_peer()
            self._client = fromSocketAddress(address)
        return self._client

    @client.setter
    def client(self, value: Address) -> None:
        self._client = value

    @property
    def host(self) -> Address:
        """The address of the server's end of the connection, or what `setHost` said; behind a trusted proxy
        with the port that the client asked at."""
        if self._host is None:
            connection = self.connection
            address = fromSocketAddress(None if connection is None else connection.get_host())
            port = self._portAskedAt()
            if port is not None and not isinstance(address, UNIXAddress):
                address = type(address)(address.type, address.host, port)
            self._host = address
        return self._host

    @host.setter
    def host(self, value: Address) -> None:
        self._host = value

    def getClientAddress(self) -> Address:
        """The address of the client; it has a `host` if it is an IP address, and none for a UNIX socket."""
        return self.client

    def getClientIP(self) -> str | None:
        """The client's IP address, None if it has none."""
        address = self.client
        return None if isinstance(address, UNIXAddress) else address.host

    def getHost(self) -> Address:
        """The server's end of the connection, or what `setHost` said."""
        return self.host

    def setHost(self, host: bytes | str, port: int, ssl: bool | int = 0) -> None:
        """Make the request seem to be for another host and port: changes the Host header, `getHost` and, if
        `ssl`, `isSecure`. For resources that stand behind a proxy."""
        if isinstance(host, str):
            host = host.encode("ascii" if host.isascii() else "idna")
        self._claimsSecurity = bool(ssl)
        self._claimsHost = True
        default = 443 if self.isSecure() else 80
        self.requestHeaders.setRawHeaders(b"host", [host if port == default else b"%b:%d" % (host, port)])
        self._host = IPv4Address("TCP", host.decode("latin-1"), port)

    def getRequestHostname(self) -> bytes:
        """The host that the client asked for, without port and without the brackets of an IPv6 address."""
        value: bytes | None = self.getRequestAuthority()
        if value:
            if value.startswith(b"["):
                return value[1:].partition(b"]")[0]
            return value.partition(b":")[0]
        address = self.host
        return b"" if isinstance(address, UNIXAddress) else address.host.encode("ascii", "replace")

    def getRequestAuthority(self) -> bytes | None:
        """What the client asked for, `host` or `host:port`: as a trusted proxy tells it, else as the Host
        header does; None without one."""
        said = None if self._claimsHost else self._origin()
        if said is not None and said[2] is not None:
            return said[2]
        value: bytes | None = self.getHeader(b"host")
        return value

    def isSecure(self) -> bool:
        """Whether the client sent the request over TLS, or `setHost` said so."""
        if self._claimsSecurity:
            return True
        said = self._origin()
        if said is not None and said[1] is not None:
            return said[1]
        connection = self.connection
        return connection is not None and connection.is_secure()

    def _portAskedAt(self) -> int | None:
        """The port that the client asked at, if the request came by a trusted proxy."""
        said = None if self._claimsHost else self._origin()
        if said is None:
            return None
        if said[3] is not None:
            return said[3]
        _, colon, port = (self.getRequestAuthority() or b"").rpartition(b"]")[2].rpartition(b":")
        if colon and port.isdigit() and 0 < int(port) < 65536:
            return int(port)
        return 443 if self.isSecure() else 80

    # The response

    def redirect(self, url: bytes | str) -> None:
        """Answer with 302 and `url` as Location, as it is given; the body is up to the caller."""
        self.setResponseCode(FOUND)
        self.setHeader(b"Location", url)

    def addCookie(
        self,
        k: bytes | str,
        v: bytes | str,
        expires: bytes | str | None = None,
        domain: bytes | str | None = None,
        path: bytes | str | None = None,
        max_age: bytes | str | int | None = None,
        comment: bytes | str | None = None,
        secure: bool | None = None,
        httpOnly: bool | None = False,
        sameSite: bytes | str | None = None,
    ) -> None:
        """Add a cookie named `k` with the value `v` to the response (RFC 6265 section 4.1; str is UTF-8).

        `expires` is an HTTP date, `max_age` seconds; `sameSite` is lax, strict or none. CR, LF and `;` in any
        part become spaces; nothing is quoted. ValueError for: a name that is empty or has a `=`, another
        control character, another sameSite, sameSite none without `secure`, a name with the prefix
        `__Secure-` or `__Host-` whose conditions are not met.
        """
        self.cookies.append(
            makeCookie(
                k,
                v,
                expires=expires,
                domain=domain,
                path=path,
                maxAge=max_age,
                comment=comment,
                secure=secure,
                httpOnly=httpOnly,
                sameSite=sameSite,
            )
        )

    def setLastModified(self, when: float) -> str | None:
        """Say that what is served was last modified at `when` (seconds since the epoch, rounded up; the
        latest counts).

        Sends it as Last-Modified. Returns CACHED, with the code set to 304 or 412, if the client's conditions
        make a body needless (RFC 9110 sections 13.1.3 and 13.1.4), else None.
        """
        seconds = ceil(when)
        if self.lastModified is None or seconds > self.lastModified:
            self.lastModified = seconds
        headers = self.requestHeaders
        # Section 13.2.2: a date is looked at only where there is no entity tag to go by.
        if not headers.hasHeader(b"if-match"):
            unmodifiedSince = _conditional.parseDate(self.getHeader(b"if-unmodified-since"))
            if unmodifiedSince is not None and self.lastModified > unmodifiedSince:
                self.setResponseCode(PRECONDITION_FAILED)
                return CACHED
        if self.method in (b"GET", b"HEAD") and not headers.hasHeader(b"if-none-match"):
            modifiedSince = _conditional.parseDate(self.getHeader(b"if-modified-since"))
            if modifiedSince is not None and self.lastModified <= modifiedSince:
                self.setResponseCode(NOT_MODIFIED)
                return CACHED
        return None

    def setETag(self, etag: bytes | str) -> str | None:
        """Say that what is served has this entity tag (with its quotes, and `W/` before them if it is weak).

        Sends it as ETag. Returns CACHED, with the code set to 304 (GET and HEAD) or 412, if the client's
        conditions make a body needless or forbid the change (RFC 9110 sections 13.1.1 and 13.1.2), else None.
        """
        tag = etag.encode("latin-1") if isinstance(etag, str) else etag
        self.etag = tag
        wanted = self.requestHeaders.getRawHeaders(b"if-match")
        if wanted and not _conditional.matchesStrongly(tag, _conditional.parseEntityTags(wanted)):
            self.setResponseCode(PRECONDITION_FAILED)
            return CACHED
        known = self.requestHeaders.getRawHeaders(b"if-none-match")
        if known and _conditional.matchesWeakly(tag, _conditional.parseEntityTags(known)):
            isRead = self.method in (b"GET", b"HEAD")
            self.setResponseCode(NOT_MODIFIED if isRead else PRECONDITION_FAILED)
            return CACHED
        return None

    # The end

    @property
    def notifications(self) -> list[defer.Deferred[None]]:
        """The Deferreds of `notifyFinish` that have not fired yet."""
        if self._notifications is None:
            self._notifications = []
        return self._notifications

    def notifyFinish(self) -> defer.Deferred[None]:
        """A new Deferred that fires with None once `finish` has been called, or fails with ConnectionDone or
        ConnectionLost when the client leaves first. After the end it fires at once (Twisted's never would).
        """
        if self.finished:
            return defer.succeed(None)
        if self.disconnected_early:
            return defer.fail(ConnectionLost())
        ended: defer.Deferred[None] = defer.Deferred()
        self.notifications.append(ended)
        self._watched = True
        return ended

    @property
    def disconnected(self) -> Disconnected:
        """Whether the client left before the response was finished: true or false, and awaitable."""
        return Disconnected(self)

    def _failed(self, exception: BaseException, resource: object) -> None:
        # Called by the engine for what traversal and rendering raise.
        _answers.fail(self, exception, resource)

    def loseConnection(self) -> None:
        """Close the connection once what has been written is sent."""
        self.lose_connection()

    def _fire_finished(self) -> None:
        waiting, self._notifications = self.notifications, None
        for ended in waiting:
            ended.callback(None)

    def _connection_lost(self, reason: str) -> None:
        waiting, self._notifications = self.notifications, None
        for ended in waiting:
            ended.errback(ConnectionDone() if reason == "done" else ConnectionLost())


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


# Twisted has both names.
responses = RESPONSES  # noqa: F405
HTTPFactory.requestFactory = Request
