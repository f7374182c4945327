"""Requests that are passed on to other servers.

`ReverseProxyResource` puts another server's paths into the tree. Where a program leaves it as it is, the
engine passes requests and answers on by itself, as they come, over connections that it keeps. A program that
has its own `ProxyClientFactory` gets the protocol objects that Twisted's proxy works with instead.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from sennit import _engine
from sennit.internet import reactor as _reactor
from sennit.web._parsing import quote
from sennit.web._proxyclient import HTTPClient, ProxyClient, ProxyClientFactory
from sennit.web.error import Error
from sennit.web.http import BAD_REQUEST, NOT_IMPLEMENTED, HTTPChannel, Request
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET

if TYPE_CHECKING:
    from sennit.web import server
    from sennit.web.iweb import RenderResult

__all__ = [
    "HTTPClient",
    "Proxy",
    "ProxyClient",
    "ProxyClientFactory",
    "ProxyRequest",
    "ReverseProxy",
    "ReverseProxyRequest",
    "ReverseProxyResource",
]

_UNIX = "unix:"
# Scheme, host, port and the rest of an absolute target; its form has been checked by the engine.
_URL = re.compile(rb"([^:/?]+)://(\[[^]]*]|[^:/?]*)(?::([0-9]*))?(.*)")
# Seconds that the addresses of a name are used before they are asked for again.
_ADDRESSES_LIVE = 30.0

# What the upstream is told of the client; see `ReverseProxyResource`.
Forwarded = Literal["replace", "append", "off"]


@dataclass(frozen=True)
class _Options:
    """What can be chosen about an upstream, and goes for the resources below as well."""

    preserveHost: bool
    forwarded: Forwarded
    connectTimeout: float | None
    readTimeout: float | None
    idleTimeout: float | None
    maxIdle: int
    maxConnections: int | None


class ProxyRequest(Request):
    """A request to a forward proxy, whose target is a whole URL: it is passed on to the server named there.

    `protocols` are the factories by the URL's scheme (bytes), `ports` the ports where the URL names none. A
    target that is no URL is a 400, one with another scheme a 501.
    """

    protocols: dict[bytes, Any] = {b"http": ProxyClientFactory}
    ports: dict[bytes, int] = {b"http": 80}
    reactor: Any = _reactor

    def process(self) -> None:
        """Connect to the server."""
        try:
            self._connect()
        except Exception as exception:
            self._failed(exception, None)

    def _connect(self) -> None:
        found = _URL.fullmatch(self.uri)
        if found is None:
            raise Error(BAD_REQUEST, b"a proxy is asked for a whole URL")
        scheme, host, port, rest = found.groups()
        make = self.protocols.get(scheme.lower())
        if make is None:
            raise Error(NOT_IMPLEMENTED, b"this scheme is not passed on")
        headers = self.getAllHeaders().copy()
        # RFC 9112 section 3.2.2: the authority goes before what Host says.
        headers[b"host"] = host if port is None else host + b":" + port
        target = rest if rest.startswith(b"/") else b"/" + rest
        factory = make(self.method, target, self.clientproto, headers, _bodyOf(self), self)
        number = int(port) if port else self.ports[scheme.lower()]
        self.reactor.connectTCP(host.strip(b"[]").decode("ascii"), number, factory)


class Proxy(HTTPChannel):
    """The `protocol` of an `HTTPFactory` that is a forward proxy."""

    requestFactory = ProxyRequest


class ReverseProxyRequest(Request):
    """A request that is passed on to the `host` and `port` of its factory."""

    proxyClientFactoryClass: type[ProxyClientFactory] = ProxyClientFactory
    reactor: Any = _reactor

    def process(self) -> None:
        """Connect to the server."""
        factory = self.site
        headers = self.getAllHeaders().copy()
        headers[b"host"] = _hostHeader(factory.host, factory.port).encode("ascii")
        client = self.proxyClientFactoryClass(
            self.method, self.uri, self.clientproto, headers, _bodyOf(self), self
        )
        self.reactor.connectTCP(factory.host, factory.port, client)


class ReverseProxy(HTTPChannel):
    """The `protocol` of an `HTTPFactory` that passes everything on to its `host` and `port`."""

    requestFactory = ReverseProxyRequest


class _Setting:
    """`host`, `port` or `path` of a resource, which may be set at any time."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = "_" + name

    def __get__(self, resource: Any, owner: type) -> Any:
        return self if resource is None else getattr(resource, self._name)

    def __set__(self, resource: "ReverseProxyResource", value: Any) -> None:
        setattr(resource, self._name, value)
        resource._changed(elsewhere=self._name != "_path")


class ReverseProxyResource(Resource):
    """Answers by asking another server, the upstream, for the same request.

    `host` (str) and `port` say where it is; a host of the form `unix:/path` is a UNIX socket, whose port is
    not looked at. `path` (bytes or str, quoted) is what the upstream's paths begin with: each segment that
    the client asks for below this resource is appended to it, and the query is kept. Children that were put
    here go before the upstream.

    The upstream's Host is `host:port`, without port 80; with `preserveHost` it is the client's. What it is
    told of the client is chosen with `forwarded`: "replace" sends X-Forwarded-For, -Proto, -Host and
    Forwarded in place of whatever the client sent of that kind; "append" adds to that, for a site behind a
    proxy that can be trusted; "off" adds nothing and passes all of it on.

    A server that can't be reached, breaks off or breaks the rules is a 502. `connectTimeout` seconds without
    a connection, or `readTimeout` seconds in which it says or takes nothing, are a 504. `maxIdle` connections
    are kept at rest for `idleTimeout` seconds; with `maxConnections`, further requests wait for one that is
    free. None: no limit.

    ValueError for a `path` that can't stand in a request.
    """

    proxyClientFactoryClass: type[ProxyClientFactory] = ProxyClientFactory
    # The engine passes the body on as it comes.
    streamsBody = True

    host = _Setting()
    port = _Setting()
    path = _Setting()

    _forward: _engine.Forward | None = None

    def __init__(
        self,
        host: str,
        port: int | None,
        path: bytes | str,
        reactor: Any = _reactor,
        *,
        preserveHost: bool = False,
        forwarded: Forwarded = "replace",
        connectTimeout: float | None = 10.0,
        readTimeout: float | None = 60.0,
        idleTimeout: float | None = 30.0,
        maxIdle: int = 64,
        maxConnections: int | None = None,
    ) -> None:
        options = _Options(
            preserveHost, forwarded, connectTimeout, readTimeout, idleTimeout, maxIdle, maxConnections
        )
        self._setUp(host, port, path, reactor, options, None)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # What renders by itself expects the body in request.content, unless it says otherwise.
        rendersItself = not cls.__dict__.keys().isdisjoint({"render", "proxyClientFactoryClass"})
        if rendersItself and "streamsBody" not in cls.__dict__:
            cls.streamsBody = False

    def _setUp(
        self,
        host: str,
        port: int | None,
        path: bytes | str,
        reactor: Any,
        options: _Options,
        upstream: _engine.Upstream | None,
    ) -> None:
        super().__init__()
        self._options = options
        self.host = host
        self.port = port
        self.path = path.encode("utf-8") if isinstance(path, str) else path
        self.reactor = reactor
        self._upstream = upstream or _makeUpstream(host, port, options)
        # A reactor of somebody else's is asked to connect.
        self._forward = self._makeForward() if reactor is _reactor else None

    def _makeForward(self) -> _engine.Forward:
        host = None if self._options.preserveHost else _hostHeader(self.host, self.port)
        return _engine.Forward(self._upstream, self.path, host, self._options.forwarded)

    def _changed(self, *, elsewhere: bool) -> None:
        """A setting has another value now; `elsewhere`: the upstream is another one."""
        if self._forward is None:
            return
        if elsewhere:
            self._upstream = _makeUpstream(self.host, self.port, self._options)
        self._forward = self._makeForward()

    def getChild(self, path: bytes, request: "server.Request") -> "ReverseProxyResource":
        """The resource for a segment below: a plain `ReverseProxyResource` of the same upstream."""
        child = ReverseProxyResource.__new__(ReverseProxyResource)
        below = self.path.removesuffix(b"/") + b"/" + quote(path)
        child._setUp(self.host, self.port, below, self.reactor, self._options, self._upstream)
        return child

    def render(self, request: "server.Request") -> "RenderResult":
        """Pass the request on, as it is now: a subclass may have changed its headers before.

        A `proxyClientFactoryClass` or a reactor of the program's own is used as in Twisted: the whole body is
        read first, and `connectTCP` called with a factory for one connection.
        """
        stock = self.proxyClientFactoryClass is ProxyClientFactory
        if stock and self._forward is not None and request.forward(self._forward):
            return NOT_DONE_YET
        if not request.body_complete:
            return self._collectAndConnect(request)
        return self._connect(request, _bodyOf(request))

    async def _collectAndConnect(self, request: "server.Request") -> int:
        return self._connect(request, b"".join([piece async for piece in request.stream()]))

    def _connect(self, request: "server.Request", data: bytes) -> int:
        """Twisted's way: a protocol for each request."""
        if not self._options.preserveHost:
            request.requestHeaders.setRawHeaders("host", [_hostHeader(self.host, self.port)])
        _, mark, query = request.uri.partition(b"?")
        factory = self.proxyClientFactoryClass(
            request.method,
            self._pathFor(request) + mark + query,
            request.clientproto,
            request.getAllHeaders(),
            data,
            request,
        )
        if self.host.startswith(_UNIX):
            self.reactor.connectUNIX(self.host.removeprefix(_UNIX), factory)
        else:
            self.reactor.connectTCP(self.host, self.port, factory)
        return NOT_DONE_YET

    def _pathFor(self, request: "server.Request") -> bytes:
        # The engine doesn't ask for children of a resource that passes the rest of the path on.
        rest = request.unwalked_path
        path: bytes = self.path.removesuffix(b"/") if rest else self.path
        return path + rest or b"/"

    # What the engine does by itself: `render` and `getChild`, as long as they are these.
    _forwarding = (render, getChild, ProxyClientFactory)


def _bodyOf(request: Request) -> bytes:
    """The body, which is all here: collected, or a stream that has ended already."""
    if request.content is not None:
        request.content.seek(0)
    pieces = []
    while piece := request.read_body():
        pieces.append(piece)
    return b"".join(pieces)


def _hostHeader(host: str, port: int | None) -> str:
    if host.startswith(_UNIX):
        return "localhost"
    name = f"[{host}]" if ":" in host else host
    return name if port in (80, None) else f"{name}:{port}"


def _makeUpstream(host: str, port: int | None, options: _Options) -> _engine.Upstream:
    make: Callable[..., _engine.Upstream] = partial(
        _engine.Upstream,
        max_idle=options.maxIdle,
        max_connections=options.maxConnections,
        connect_timeout=options.connectTimeout,
        read_timeout=options.readTimeout,
        idle_timeout=options.idleTimeout,
    )
    if host.startswith(_UNIX):
        return make(host, host.removeprefix(_UNIX))
    number = 80 if port is None else port
    label = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return make(label, None, partial(_resolve, host, number))
    return make(label, (host, number))


def _resolve(host: str, port: int, upstream: _engine.Upstream) -> None:
    """Ask for the addresses of a name, in a thread of the loop's."""
    task = asyncio.get_running_loop().create_task(_lookUp(host, port, upstream))
    _lookUps.add(task)
    task.add_done_callback(_lookUps.discard)


# A loop keeps only weak references to its tasks.
_lookUps: set["asyncio.Task[None]"] = set()


async def _lookUp(host: str, port: int, upstream: _engine.Upstream) -> None:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        upstream.not_found(f"{host!r} has no address: {error}")
        return
    # Only IPv4 and IPv6 addresses come of a host and a port.
    addresses: list[Any] = [address for *_, address in found]
    upstream.set_addresses(addresses, _ADDRESSES_LIVE)
