"""The site that serves a tree of resources, its requests, and its sessions."""

from collections.abc import AsyncIterable, Awaitable, Callable
from os import urandom
from typing import Any, Final

from zope.interface import implementer

from sennit import __version__
from sennit._engine import Answer
from sennit.internet.address import UNIXAddress
from sennit.internet.defer import Deferred
from sennit.python.components import Componentized
from sennit.python.failure import Failure
from sennit.web import _answers, http
from sennit.web._cookies import makeCookie
from sennit.web._factory import HTTPFactory, LogFormatter
from sennit.web._lifecycle import drained
from sennit.web._parsing import quote, unquote
from sennit.web._session import Session
from sennit.web._starting import Starting, stopSite
from sennit.web.error import UnsupportedMethod
from sennit.web.iweb import IResource, ResourceLike
from sennit.web.pages import ErrorPageResource
from sennit.web.resource import getChildForRequest, isPending

__all__ = [
    "NOT_DONE_YET",
    "Answer",
    "Request",
    "Session",
    "Site",
    "UnsupportedMethod",
    "supportedMethods",
    "unquote",
    "version",
]

# Returned by a render method that will call `write` and `finish` later.
NOT_DONE_YET: Final = 1

# A method among these that a resource doesn't have is answered with 405, any other with 501.
supportedMethods: tuple[bytes, ...] = (b"GET", b"HEAD", b"POST")

version: Final = b"Sennit/" + __version__.encode("ascii")


class Request(http.Request, Componentized):
    """A request to a `Site`, and the response that is made to it."""

    _session: Session | None = None
    _plainSession: Session | None = None
    _rootURL: bytes | None = None

    def process(self) -> None:
        """Find the resource and render it. A subclass may do something before or instead."""
        self.process_stock()

    def render(self, resrc: ResourceLike) -> None:
        """Answer with `resrc`: call its `render`, and do with the result what is to be done."""
        self.render_stock(resrc)

    def processingFailed(self, reason: Failure) -> Failure:
        """Log a failure and answer with the page for it; returns the failure."""
        self._failed(reason.value, None)
        return reason

    # Called by the engine

    def _render_other(self, resource: object, result: Any) -> None:
        cancels = bool(getattr(resource, "cancelOnDisconnect", True))
        if isinstance(result, Deferred):
            self._renderDeferred(resource, result, cancels)
        elif isinstance(result, AsyncIterable):
            self.start_task(self._streamFrom(result), resource, cancels)
        elif isinstance(result, Awaitable):
            self.start_task(_outcomeOf(result), resource, cancels)
        else:
            _answers.refuseResult(self, resource, result)

    def _renderDeferred(self, resource: object, result: Deferred[Any], cancels: bool) -> None:
        if cancels and not result.called:
            self.notifyFinish().addErrback(lambda gone: result.cancel())
        result.addCallback(lambda outcome: self.respond(outcome, resource))
        result.addErrback(lambda failure: self._failed(failure.value, resource))

    async def _streamFrom(self, chunks: AsyncIterable[bytes | str]) -> int:
        try:
            async for chunk in chunks:
                self.write(chunk)
                if self.write_blocked:
                    await drained(self)
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        self.finish()
        return NOT_DONE_YET

    async def _traverse_async(self, child: Awaitable[Any]) -> Any:
        resource = await child
        while isPending(found := self.traverse(resource)):
            resource = await found
        return found

    def _process_asterisk(self) -> None:
        # RFC 9110 section 9.3.7: "*" means the server as a whole, and only OPTIONS can ask for that.
        if self.method != b"OPTIONS":
            self.setResponseCode(http.NOT_ALLOWED)
            self.setHeader(b"Allow", b"OPTIONS")
        self.respond(b"")

    # Sessions

    @property
    def session(self) -> Session | None:
        """The session that this request has asked for, None if it has not."""
        return self._session if self._session is not None else self._plainSession

    def getSession(self, sessionInterface: Any = None, forceNotSecure: bool = False) -> Any:
        """The visitor's session, made if there is none, and kept alive by this; with an interface, its
        component for that.

        Over TLS it is another one than over plain HTTP; `forceNotSecure` asks for the plain one. A new
        session's cookie goes with the response, so the session must be asked for before the first `write`.
        """
        secure = self.isSecure() and not forceNotSecure
        session = self._session if secure else self._plainSession
        if session is None or session.uid not in self.site.sessions:
            session = self._sessionOfCookie(secure) or self._newSession(secure)
        if secure:
            self._session = session
        else:
            self._plainSession = session
        session.touch()
        return session if sessionInterface is None else session.getComponent(sessionInterface)

    def renewSession(self) -> Session:
        """Give the visitor's session a new id: to be done when someone logs in, so that an id that was
        planted before is worth nothing."""
        session: Session = self.getSession()
        self.site.renameSession(session)
        self._sendSessionCookie(session, session is self._session)
        return session

    def _sessionCookieName(self, secure: bool) -> bytes:
        parts = [b"TWISTED_SECURE_SESSION" if secure else b"TWISTED_SESSION"]
        # A name is a token, and segments can be anything.
        parts += [quote(segment) for segment in self.sitepath]
        return b"_".join(parts)

    def _sessionOfCookie(self, secure: bool) -> Session | None:
        uid = self.getCookie(self._sessionCookieName(secure))
        session: Session | None = None if uid is None else self.site.sessions.get(uid)
        return session

    def _newSession(self, secure: bool) -> Session:
        session: Session = self.site.makeSession()
        self._sendSessionCookie(session, secure)
        return session

    def _sendSessionCookie(self, session: Session, secure: bool) -> None:
        name = self._sessionCookieName(secure)
        self.cookies[:] = [cookie for cookie in self.cookies if not cookie.startswith(name + b"=")]
        self.cookies.append(
            makeCookie(
                name,
                session.uid,
                expires=None,
                domain=session.cookieDomain,
                path=session.cookiePath,
                maxAge=session.cookieMaxAge,
                comment=None,
                secure=secure if session.cookieSecure is None else session.cookieSecure,
                httpOnly=session.cookieHttpOnly,
                sameSite=session.cookieSameSite,
            )
        )

    # Addresses of resources

    def prePathURL(self) -> bytes:
        """The absolute address of the current resource: scheme, host of the Host header, port of the socket,
        prepath."""
        secure = self.isSecure()
        address = self.getHost()
        port = None if isinstance(address, UNIXAddress) else address.port
        host = self.getRequestHostname()
        if b":" in host:
            host = b"[" + host + b"]"
        if port is not None and port != (443 if secure else 80):
            host = b"%b:%d" % (host, port)
        path = b"/".join(quote(segment) for segment in self.prepath)
        return b"%b://%b/%b" % (b"https" if secure else b"http", host, path)

    def rememberRootURL(self) -> None:
        """Remember the address of the parent of the current resource, for `getRootURL`."""
        self._rootURL = self.prePathURL().rpartition(b"/")[0]

    def getRootURL(self) -> bytes | None:
        """The address remembered, or None."""
        return self._rootURL

    def childLink(self, name: bytes | str) -> bytes:
        """A relative address of the current resource's child `name`."""
        child = name.encode("utf-8") if isinstance(name, str) else name
        below = len(self.postpath)
        if below > 0:
            return b"../" * (below - 1) + child
        # Without a trailing slash, the browser takes the last segment away again.
        here = self.prepath[-1] if self.prepath else b""
        return here + b"/" + child if here else child

    def sibLink(self, name: bytes | str) -> bytes:
        """A relative address of the current resource's sibling `name`."""
        sibling = name.encode("utf-8") if isinstance(name, str) else name
        return b"../" * len(self.postpath) + sibling


async def _outcomeOf(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


@implementer(IResource)
class Site(HTTPFactory):
    """Serves the tree of resources below `resource`.

    `requestFactory` makes the requests (a class derived from `Request`, as a rule). For `logPath`, `timeout`
    and `logFormatter` see `http.HTTPFactory`. `reactor` is what sessions are timed with. Without
    `parsePOSTFormSubmission`, form bodies don't become args. Keyword arguments set limits: `Site(root,
    maxBody=1000)`.
    """

    isLeaf: bool | int = 0
    server: Any = None
    requestFactory: Callable[..., Any] = Request
    sessionFactory: Callable[..., Any] = Session
    # How many sessions have been made.
    counter = 0

    def __init__(
        self,
        resource: ResourceLike,
        requestFactory: Callable[..., Any] | None = None,
        logPath: str | bytes | None = None,
        timeout: float | None = 60,
        logFormatter: LogFormatter | None = None,
        reactor: Any = None,
        *,
        parsePOSTFormSubmission: bool = True,
        **limits: float | None,
    ) -> None:
        super().__init__(logPath, timeout, logFormatter, reactor, **limits)
        self.resource = resource
        self.sessions: dict[bytes, Any] = {}
        self.parsePOSTFormSubmission = parsePOSTFormSubmission
        # Pages in place of the built-in ones: by code, a resource or a function of (request, code, brief,
        # detail) that returns what a render method may return; under None, for all other codes.
        self.errorPages: dict[int | None, Any] = {}
        # What `start` listens with.
        self.ports: list[Any] = []
        if requestFactory is not None:
            self.requestFactory = requestFactory

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} of {self.resource!r}>"

    # Starting and stopping inside a running loop

    def start(self, port: int = 0, interface: str = "127.0.0.1", *, backlog: int = 1024) -> Starting:
        """Listen in the running event loop: `port = await site.start(8080)`, where `port.getHost().port`
        tells the number, or `async with site.start() as port:`, which stops the site at its end. 0 is any
        free port. Raises CannotListenError."""
        return Starting(self, port, interface, backlog)

    async def stop(self, grace: float | None = None) -> None:
        """Stop what `start` started: running requests get `grace` seconds (`stopGrace` by default) to end."""
        await stopSite(self, self.stopGrace if grace is None else grace)

    # Traversal

    def getResourceFor(self, request: Request) -> Any:
        """Find the resource for a request from the root on. A subclass that changes this is asked for every
        request."""
        request.site = self
        request.sitepath = list(request.prepath)
        return getChildForRequest(self.resource, request)

    def getChildWithDefault(self, name: bytes, request: Request) -> Any:
        """The root's child: what is asked of a site that is put below another site's resource."""
        request.site = self
        request.sitepath = list(request.prepath[:-1])
        if self.resource.isLeaf:
            # A leaf as the root has no children: what comes after the site's own segment stays in postpath.
            request.postpath.insert(0, request.prepath.pop())
            return self.resource
        return self.resource.getChildWithDefault(name, request)

    def putChild(self, path: bytes | str, child: ResourceLike) -> None:
        """Put a child below the root."""
        self.resource.putChild(path, child)  # type: ignore[attr-defined]

    def render(self, request: Request) -> bytes:
        """Redirect to the address with a trailing slash: a site put below a resource is a directory."""
        request.redirect(request.prePathURL() + b"/")
        return b""

    def errorResource(self, code: int, brief: str | None = None, detail: str | None = None) -> ResourceLike:
        """The resource that answers with an error; `errorPages` may replace what it shows."""
        phrase = http.RESPONSES.get(code, b"Unknown Status").decode("ascii")
        return ErrorPageResource(code, brief or phrase, detail or "")

    # Sessions

    def makeSession(self) -> Any:
        """A new session, from `sessionFactory(site, uid)` with an id nobody can guess; its time runs."""
        uid = _newSessionId()
        session = self.sessions[uid] = self.sessionFactory(self, uid)
        session.startCheckingExpiration()
        self.counter += 1
        return session

    def getSession(self, uid: bytes) -> Any:
        """The live session with an id; KeyError if there is none. Doesn't keep it alive."""
        return self.sessions[uid]

    def renameSession(self, session: Any) -> None:
        """Give a session a new id."""
        del self.sessions[session.uid]
        session.uid = _newSessionId()
        self.sessions[session.uid] = session

    # What the engine asks

    def _stockProcess(self) -> object:
        return Request.process

    def _traversesItself(self) -> bool:
        return type(self).getResourceFor is not Site.getResourceFor


def _newSessionId() -> bytes:
    # The system's random numbers for secrets, 256 bits.
    return urandom(32).hex().encode("ascii")
