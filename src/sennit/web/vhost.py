"""Several sites on one port: resources by the host that is asked for."""

import re
from typing import TYPE_CHECKING, Any

from sennit.web.pages import notFound
from sennit.web.resource import Resource, getChildForRequest

if TYPE_CHECKING:
    from sennit.web.iweb import ResourceLike
    from sennit.web.server import Request

__all__ = ["NameVirtualHost", "VHostMonsterResource", "VirtualHostCollection"]

# A host name or address and a port, as RFC 3986 section 3.2 has them.
_AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~%-]+)(?::(\d{1,5}))?")
# As much of an unknown host as an error page shows: no name can be longer (RFC 1035 section 2.3.4).
_LONGEST_HOST = 255


def _hostOf(name: bytes | str) -> bytes:
    """What hosts are compared by: lower case, ASCII, without port and without the root's dot."""
    if isinstance(name, str):
        name = name.encode("ascii" if name.isascii() else "idna")
    elif not isinstance(name, bytes):
        raise TypeError(f"the name of a host must be bytes or str, not {type(name).__name__}")
    name = name.strip().lower()
    if name.startswith(b"["):
        return name.partition(b"]")[0] + b"]"
    return name.partition(b":")[0].removesuffix(b".")


class VirtualHostCollection:
    """The hosts of a `NameVirtualHost` as named entities."""

    def __init__(self, nvh: "NameVirtualHost") -> None:
        self.nvh = nvh

    def listStaticEntities(self) -> list[tuple[bytes, Any]]:
        """Hosts and their resources."""
        return list(self.nvh.hosts.items())

    def listStaticNames(self) -> list[bytes]:
        """Names of the hosts."""
        return list(self.nvh.hosts)

    def getStaticEntity(self, name: bytes | str) -> Any:
        """The resource of a host, or None."""
        return self.nvh.hosts.get(_hostOf(name))

    def reallyPutEntity(self, name: bytes | str, entity: "ResourceLike") -> None:
        """Set the resource of a host."""
        self.nvh.addHost(name, entity)

    def delEntity(self, name: bytes | str) -> None:
        """Remove a host; KeyError if there is none."""
        self.nvh.removeHost(name)


class NameVirtualHost(Resource):
    """Asks another resource for each host, by the request's Host header.

    `default` is asked for hosts that are not known; without one, they get a 404 page. Children that are put
    here with `putChild` are found first, on every host.
    """

    default: "ResourceLike | None" = None

    def __init__(self) -> None:
        super().__init__()
        # By names as `addHost` makes them: bytes in lower case, without a port.
        self.hosts: dict[bytes, Any] = {}

    def addHost(self, name: bytes | str, resrc: "ResourceLike") -> None:
        """Ask `resrc` for a host, on every port. Case doesn't count, a port in `name` is left out, and text
        beyond ASCII becomes what browsers send for it (IDNA)."""
        self.hosts[_hostOf(name)] = resrc

    def removeHost(self, name: bytes | str) -> None:
        """Forget a host; KeyError if it isn't known."""
        del self.hosts[_hostOf(name)]

    def getChild(self, path: bytes, request: "Request") -> Any:
        """Go on at the resource of the request's host."""
        found = self._resourceFor(request)
        if found.isLeaf:
            # A leaf has no children, and wants to see the whole path.
            request.postpath.insert(0, request.prepath.pop())
            return found
        return found.getChildWithDefault(path, request)

    def render(self, request: "Request") -> Any:
        """Answer with the resource of the request's host."""
        return self._resourceFor(request).render(request)

    def _resourceFor(self, request: "Request") -> "ResourceLike":
        host = request.getRequestAuthority()
        if host is None:
            return self.default if self.default is not None else notFound()
        found: ResourceLike | None = self.hosts.get(_hostOf(host), self.default)
        if found is not None:
            return found
        shown = host[:_LONGEST_HOST].decode("ascii", "backslashreplace")
        return notFound(message=f"The host {shown} is not served here.")

    def listStaticEntities(self) -> list[tuple[bytes, Any]]:
        """Static children, and the collection of hosts."""
        return [*super().listStaticEntities(), (b"Virtual Hosts", VirtualHostCollection(self))]

    def getStaticEntity(self, name: bytes | str) -> Any:
        """A static child, or the collection of hosts."""
        if name in (b"Virtual Hosts", "Virtual Hosts"):
            return VirtualHostCollection(self)
        return super().getStaticEntity(name)


class VHostMonsterResource(Resource):
    """Lets a proxy in front say which address its client asked for.

    Put as `vhost`, `/vhost/https/example.org:8443/a?b` is answered as `/a?b` on https://example.org:8443 is:
    path, Host header, `getHost` and `isSecure` say so, and the site's tree is walked from its root. The port
    is 80 if there is none. Whoever can ask it can claim any host: put it where only the proxy can.
    """

    def getChild(self, path: bytes, request: "Request") -> Resource:
        """`http` and `https` lead to hosts, all else is not found."""
        if path not in (b"http", b"https") or getattr(request, "_hostWasClaimed", False):
            # Once is enough: a path can hold hundreds of these, each deeper in the stack.
            return notFound()
        return _ClaimedHost(path == b"https")

    def render(self, request: "Request") -> Any:
        """Without a host there is nothing to be found."""
        return notFound().render(request)


class _ClaimedHost(Resource):
    """The next segment is the host."""

    def __init__(self, secure: bool) -> None:
        super().__init__()
        self._secure = secure

    def getChild(self, path: bytes, request: "Request") -> Any:
        found = _AUTHORITY.fullmatch(path)
        port = int(found[2] or 80) if found is not None else 0
        if found is None or not 0 < port < 65536:
            return notFound()
        self._claim(request, found[1], port)
        self._cutPath(request, len(request.prepath))
        if hasattr(request.site, "getResourceFor"):
            return request.site.getResourceFor(request)
        return getChildForRequest(request.site.resource, request)

    def render(self, request: "Request") -> Any:
        return notFound().render(request)

    def _claim(self, request: "Request", host: bytes, port: int) -> None:
        request.setHost(host, port, self._secure)
        if request.isSecure() is not self._secure:
            # The proxy's own connection is encrypted, its client's is not.
            secure = self._secure
            vars(request)["isSecure"] = lambda: secure
            request.setHost(host, port, secure)
        vars(request)["_hostWasClaimed"] = True

    def _cutPath(self, request: "Request", count: int) -> None:
        """Take the first `count` segments out of the request's address."""
        rest = request.path.split(b"/")[count + 1 :]
        query = request.uri.partition(b"?")[1:]
        request.path = b"/" + b"/".join(rest)
        request.uri = request.path + b"".join(query)
        request.prepath.clear()
        if not request.postpath:
            request.postpath.append(b"")
