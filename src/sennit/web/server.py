"""The site that serves a tree of resources, its requests, and its sessions."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from os import urandom
from typing import TYPE_CHECKING, Any, Final

from zope.interface import implementer

from sennit import __version__
from sennit._engine import Answer, Service
from sennit.internet.address import UNIXAddress
from sennit.internet.defer import Deferred
from sennit.python.failure import Failure
from sennit.web import _answers, http
from sennit.web._factory import HTTPFactory, LogFormatter
from sennit.web._lifecycle import drained
from sennit.web._parsing import quote, unquote
from sennit.web._requestid import RequestIDs
from sennit.web._session import Session
from sennit.web._sessioncookie import SessionCookie
from sennit.web._sessionrequest import SessionNotLoaded, SessionRequest
from sennit.web._starting import Around, Starting, beginWithReactor, stopSite
from sennit.web.error import UnsupportedMethod
from sennit.web.iweb import IResource, ResourceLike
from sennit.web.pages import ErrorPageResource
from sennit.web.resource import getChildForRequest, isPending

if TYPE_CHECKING:
    from sennit.python.urlpath import URLPath
    from sennit.web._encoding import (
        BrotliEncoderFactory,
        EncoderFactory,
        GzipEncoderFactory,
        ZstdEncoderFactory,
        standardEncoders,
    )
    from sennit.web._sessionkeeper import SessionKeeper

__all__ = [
    "NOT_DONE_YET",
    "Answer",
    "BrotliEncoderFactory",
    "EncoderFactory",
    "GzipEncoderFactory",
    "Request",
    "RequestIDs",
    "Session",
    "SessionCookie",
    "SessionNotLoaded",
    "Site",
    "UnsupportedMethod",
    "ZstdEncoderFactory",
    "standardEncoders",
    "supportedMethods",
    "unquote",
    "version",
]

# Returned by a render method that will call `write` and `finish` later.
NOT_DONE_YET: Final = 1

# A method among these that a resource doesn't have is answered with 405, any other with 501.
supportedMethods: tuple[bytes, ...] = (b"GET", b"HEAD", b"POST")

version: Final = b"Sennit/" + __version__.encode("ascii")


class Request(SessionRequest):
    """A request to a `Site`, and the response that is made to it."""

    _rootURL: bytes | None = None

    def process(self) -> None:
        """Find the resource and render it. A subclass may do something before or instead."""
        presented = self._presentedSessions() if self.site.preloadsFromStore else []
        if presented:
            self.start_task(self._processWithSessions(presented))
        else:
            self.process_stock()

    async def _processWithSessions(self, names: list[bytes]) -> int:
        await self._loadSessions(names)
        self.process_stock()
        return NOT_DONE_YET

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

    # Addresses of resources

    def prePathURL(self) -> bytes:
        """The absolute address of the current resource: scheme, host of the Host header, port of the socket,
        prepath. Behind a trusted proxy, host and port that the client asked for."""
        secure = self.isSecure()
        address = self.getHost()
        port = self._portAskedAt() if isinstance(address, UNIXAddress) else address.port
        host = self.getRequestHostname()
        if b":" in host:
            host = b"[" + host + b"]"
        if port is not None and port != (443 if secure else 80):
            host = b"%b:%d" % (host, port)
        path = b"/".join(quote(segment) for segment in self.prepath)
        return b"%b://%b/%b" % (b"https" if secure else b"http", host, path)

    def URLPath(self) -> "URLPath":
        """The address of the current resource, taken apart."""
        from sennit.python.urlpath import URLPath

        return URLPath.fromRequest(self)

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
    `parsePOSTFormSubmission`, form bodies don't become args. `sessionStore` is where sessions are kept (see
    `sennit.web.sessions`), this process's memory without one. `encoders` compress the responses.
    `trustedProxies` are the networks of the proxies in front of it, whose word is taken for who the client
    is. Keyword arguments set limits: `Site(root, maxBody=1000)`.
    """

    isLeaf: bool | int = 0
    server: Any = None
    requestFactory: Callable[..., Any] = Request
    sessionFactory: Callable[..., Any] = Session
    # How many sessions have been made.
    counter = 0
    # What session cookies are like.
    sessionCookie = SessionCookie()
    # Whether the session of a request that has one is read from the store before the tree is asked. If not,
    # the program does so where it needs it: `await request.loadSession()`.
    preloadSessions = True
    sessionKeeper: "SessionKeeper | None" = None

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
        sessionStore: Any = None,
        encoders: Iterable[Any] | None = None,
        trustedProxies: Iterable[object] | None = None,
        **limits: float | None,
    ) -> None:
        super().__init__(logPath, timeout, logFormatter, reactor, **limits)
        self.sessionStore = sessionStore
        self.trustedProxies = trustedProxies
        self.resource = resource
        self.sessions: dict[bytes, Any] = {}
        self.parsePOSTFormSubmission = parsePOSTFormSubmission
        # Pages in place of the built-in ones: by code, a resource or a function of (request, code, brief,
        # detail) that returns what a render method may return; under None, for all other codes.
        self.errorPages: dict[int | None, Any] = {}
        # What `start` listens with.
        self.ports: list[Any] = []
        if encoders is not None:
            self.encoders = encoders
        if requestFactory is not None:
            self.requestFactory = requestFactory

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} of {self.resource!r}>"

    @property
    def resource(self) -> ResourceLike:
        """The resource at the root; another one serves from the next request on."""
        return self._resource

    @resource.setter
    def resource(self, root: ResourceLike) -> None:
        self._resource = root
        self._tellRoot(self.service)

    # Starting and stopping inside a running loop

    # What resources need around the serving, once the site listens.
    around: Around | None = None

    def startFactory(self) -> None:
        """Begin to serve: open the access log, and begin what resources need around the serving."""
        super().startFactory()
        beginWithReactor(self)

    def start(self, port: int = 0, interface: str = "127.0.0.1", *, backlog: int = 1024) -> Starting:
        """Listen in the running event loop: `port = await site.start(8080)`, where `port.getHost().port`
        tells the number, or `async with site.start() as port:`, which stops the site at its end. 0 is any
        free port. Raises CannotListenError."""
        return Starting(self, port, interface, backlog)

    async def stop(self, grace: float | None = None) -> None:
        """Stop what `start` started: running requests get `grace` seconds (`stopGrace` by default) to end."""
        await stopSite(self, self.stopGrace if grace is None else grace)
        await self.settleSessions()

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
        presented = request._presentedSessions() if self.preloadsFromStore else []
        if presented:
            return self._childWithSessions(name, request, presented)
        return self._childOfRoot(name, request)

    async def _childWithSessions(self, name: bytes, request: Request, cookies: list[bytes]) -> Any:
        await request._loadSessions(cookies)
        child = self._childOfRoot(name, request)
        return await child if isPending(child) else child

    def _childOfRoot(self, name: bytes, request: Request) -> Any:
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

    @property
    def sessionStore(self) -> Any:
        """Where sessions are kept, an `ISessionStore`; None: in memory, as objects. To be set before the site
        serves, else RuntimeError."""
        return None if self.sessionKeeper is None else self.sessionKeeper.store

    @sessionStore.setter
    def sessionStore(self, store: Any) -> None:
        if self.service is not None:
            raise RuntimeError("the session store can't be changed once the site serves")
        self.sessionKeeper = None
        if store is not None:
            # Imported when needed: most sites keep their sessions in memory.
            from sennit.web._sessionkeeper import SessionKeeper

            self.sessionKeeper = SessionKeeper(self, store)

    @property
    def preloadsFromStore(self) -> bool:
        """Whether there is a store that requests are to ask for their sessions at once."""
        return self.preloadSessions and self.sessionKeeper is not None

    def makeSession(self) -> Any:
        """A new session, from `sessionFactory(site, uid)` with an id nobody can guess; its time runs."""
        uid = _newSessionId()
        session = self.sessions[uid] = self.sessionFactory(self, uid)
        if self.sessionKeeper is None:
            session.startCheckingExpiration()
        else:
            self.sessionKeeper.adopt(session)
        self.counter += 1
        return session

    def getSession(self, uid: bytes) -> Any:
        """The live session with an id; KeyError if there is none. Doesn't keep it alive. Of those in a store
        it knows only the ones that this process is using; `loadSession` knows all."""
        return self.sessions[uid]

    async def loadSession(self, uid: bytes) -> Any:
        """The session with an id, read from the store if there is one; None if there is none. Doesn't keep it
        alive. Raises `error.Error` (503) if the store fails."""
        if self.sessionKeeper is None:
            return self.sessions.get(uid)
        return await self.sessionKeeper.load(uid)

    def renameSession(self, session: Any) -> None:
        """Give a session a new id."""
        del self.sessions[session.uid]
        session.uid = _newSessionId()
        self.sessions[session.uid] = session

    async def settleSessions(self) -> None:
        """Wait until all that was changed in sessions has been written to the store."""
        if self.sessionKeeper is not None:
            await self.sessionKeeper.settled()

    # What the engine asks

    def _stockProcess(self) -> object:
        return Request.process

    def _requestFactoryForEngine(self) -> tuple[Callable[..., Any], bool]:
        factory, customProcess = super()._requestFactoryForEngine()
        return factory, customProcess or self.preloadsFromStore

    def _traversesItself(self) -> bool:
        return type(self).getResourceFor is not Site.getResourceFor

    def _tellRoot(self, service: Service | None) -> None:
        # A subclass may have another kind of attribute: then the engine asks for it at every request.
        if service is not None and type(self).resource is Site.resource:
            service.set_root(self._resource)


def _newSessionId() -> bytes:
    # What `secrets.token_hex(32)` gives, without the modules that `secrets` loads: 256 random bits of the
    # system's.
    return urandom(32).hex().encode("ascii")


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Loaded when asked for: most servers leave compression to what stands before them.
        if name.endswith(("EncoderFactory", "standardEncoders")):
            from sennit.web import _encoding

            return getattr(_encoding, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
