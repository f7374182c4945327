"""The tree that a site serves: each path segment is answered by a child of the resource before it."""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sennit.web.error import UnsupportedMethod
from sennit.web.iweb import IResource, RenderResult, ResourceLike

if TYPE_CHECKING:
    from sennit.web._encoding import EncodingResourceWrapper
    from sennit.web._oldpages import ErrorPage, ForbiddenResource, NoResource
    from sennit.web.server import Request

__all__ = [
    "EncodingResourceWrapper",
    "ErrorPage",
    "ForbiddenResource",
    "IResource",
    "NoResource",
    "Resource",
    "getChildForRequest",
]


def getChildForRequest(resource: ResourceLike, request: "Request") -> Any:
    """Walk `request.postpath` from `resource` and return the resource to render (or an awaitable of it).

    Segments that are consumed move to `request.prepath`; a resource whose `isLeaf` is true keeps the rest.
    """
    while request.postpath and not resource.isLeaf:
        segment = request.postpath.pop(0)
        request.prepath.append(segment)
        child = resource.getChildWithDefault(segment, request)
        if isPending(child):
            return request._traverse_async(child)
        resource = child
    return resource


@implementer(IResource)
class Resource:
    """One node of the tree, and what is served there.

    A subclass says what it answers with `render_GET`, `render_POST` and so on (plain or `async def`), and
    finds children that are not put there in advance with `getChild` (also plain or `async def`).
    """

    # True: traversal ends here, and the rest of the path is left in request.postpath.
    isLeaf: bool | int = 0
    # The most bytes a request body may have here; None: as the site says; math.inf: no limit.
    maxBody: float | None = None
    # True: render runs as soon as the head of the request is in, and reads the body with request.stream().
    streamsBody: bool = False
    # False: a coroutine that makes a response goes on when the client leaves.
    cancelOnDisconnect: bool = True
    # What a failed method reports in Allow; None: what has a render method.
    allowedMethods: Sequence[bytes | str] | None = None

    entityType: Any = IResource
    server: Any = None
    children: dict[bytes, Any]

    def __init__(self) -> None:
        self.children = {}

    def putChild(self, path: bytes | str, child: ResourceLike) -> None:
        """Serve `child` under the path segment `path` (str is UTF-8), in place of what was there.

        `path` is one segment and not quoted; the empty one is what follows a trailing slash. Other types
        raise TypeError.
        """
        name = _segment(path)
        self.children[name] = child
        # Most have none, and an object without it is quicker to look at.
        if getattr(child, "server", self) is not self.server:
            child.server = self.server  # type: ignore[attr-defined]

    def getChild(self, path: bytes, request: "Request") -> ResourceLike | Awaitable[ResourceLike]:
        """Make or find the child for a segment (bytes, unquoted) that has no static child. Default: a 404
        page, the same for all; nothing can be put below it."""
        return _notFoundPage if _notFoundPage is not None else sharedNotFound()

    def getChildWithDefault(self, path: bytes, request: "Request") -> ResourceLike | Awaitable[ResourceLike]:
        """Return the static child for a segment or else what `getChild` gives."""
        child: ResourceLike | None = self.children.get(path)
        return self.getChild(path, request) if child is None else child

    def getChildForRequest(self, request: "Request") -> Any:
        """Walk the rest of the request's path from here: see the function of this name."""
        return getChildForRequest(self, request)

    def render(self, request: "Request") -> RenderResult:
        """Call the method `render_<METHOD>`; raises `UnsupportedMethod` if there is none."""
        method = getattr(self, "render_" + request.method.decode("latin-1"), None)
        if method is None:
            raise UnsupportedMethod(allowedMethodsOf(self))
        result: RenderResult = method(request)
        return result

    def render_HEAD(self, request: "Request") -> RenderResult:
        """Answer HEAD as GET; the engine leaves the body out."""
        method = getattr(self, "render_GET", None)
        if method is None:
            raise UnsupportedMethod(allowedMethodsOf(self))
        result: RenderResult = method(request)
        return result

    # The collection interface: children as named entities.

    def listStaticNames(self) -> list[bytes]:
        """Names of the static children."""
        return list(self.children)

    def listStaticEntities(self) -> list[tuple[bytes, Any]]:
        """Static children as (name, resource)."""
        return list(self.children.items())

    def listDynamicNames(self) -> list[bytes]:
        """Names of children that are made when asked for, as far as a subclass can list them."""
        return []

    def listDynamicEntities(self, request: Any = None) -> list[tuple[bytes, Any]]:
        """Children that are made when asked for, as (name, resource)."""
        return []

    def listNames(self) -> list[bytes]:
        """Names of all children that can be listed."""
        return self.listStaticNames() + self.listDynamicNames()

    def listEntities(self) -> list[tuple[bytes, Any]]:
        """All children that can be listed, as (name, resource)."""
        return self.listStaticEntities() + self.listDynamicEntities()

    def getStaticEntity(self, name: bytes | str) -> Any:
        """The static child `name`, or None."""
        return self.children.get(_segment(name))

    def getDynamicEntity(self, name: bytes | str, request: Any) -> Any:
        """The child that is made for `name`, or None if there is a static one or none."""
        return None if _segment(name) in self.children else self.getChild(_segment(name), request)

    def delEntity(self, name: bytes | str) -> None:
        """Remove the static child `name`; KeyError if there is none."""
        del self.children[_segment(name)]

    def reallyPutEntity(self, name: bytes | str, entity: Any) -> None:
        """Put a static child."""
        self.children[_segment(name)] = entity


def isPending(child: Any) -> bool:
    """Whether a child is still to come: an awaitable of it, rather than a resource (which may be one too)."""
    return not hasattr(child, "render") and isinstance(child, Awaitable)


def allowedMethodsOf(resource: Any) -> list[bytes]:
    """The methods that `resource` supports: its `allowedMethods`, else what it has `render_` methods for.

    HEAD is among the latter only where GET is, or where the resource has a `render_HEAD` of its own.
    """
    declared: Sequence[bytes | str] | None = getattr(resource, "allowedMethods", None)
    if declared is not None:
        return [name.encode("ascii") if isinstance(name, str) else name for name in declared]
    prefix = "render_"
    names = {name.removeprefix(prefix) for name in dir(resource) if name.startswith(prefix)}
    if "GET" not in names and getattr(type(resource), "render_HEAD", None) is Resource.render_HEAD:
        names.discard("HEAD")
    return sorted(name.encode("latin-1") for name in names)


_notFoundPage: Resource | None = None


def sharedNotFound() -> Resource:
    """What the stock `getChild` gives: one page for all resources, made when it is first needed."""
    global _notFoundPage
    if _notFoundPage is None:
        # Imported when needed: pages are resources themselves.
        from sennit.web.pages import SharedPage

        _notFoundPage = SharedPage(404, "No Such Resource", "Sorry. No luck finding that resource.")
    return _notFoundPage


def _segment(path: bytes | str) -> bytes:
    if isinstance(path, bytes):
        return path
    if isinstance(path, str):
        return path.encode("utf-8")
    raise TypeError(f"a path segment must be bytes or str, not {type(path).__name__}")


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Loaded when asked for: these old pages are resources, made by a module that imports this one.
        if name in ("ErrorPage", "NoResource", "ForbiddenResource"):
            from sennit.web import _oldpages

            return getattr(_oldpages, name)
        if name == "EncodingResourceWrapper":
            from sennit.web._encoding import EncodingResourceWrapper

            return EncodingResourceWrapper
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
