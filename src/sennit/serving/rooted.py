"""`--root-path`: what is served seems to lie below a path."""

from typing import TYPE_CHECKING, Any

from sennit.web._parsing import unquote
from sennit.web.iweb import ResourceLike
from sennit.web.resource import Resource, getChildForRequest

if TYPE_CHECKING:
    from sennit.web.server import Request


class RootedResource(Resource):
    """Serves `resource` below `root`, a path such as "/api".

    A proxy in front may pass that part of the path on, or take it away: both are understood. Either way it is
    in the request's `prepath`, so that what is made of that (SCRIPT_NAME, `root_path`, `prePathURL`) is what
    the client has asked for."""

    def __init__(self, root: str, resource: ResourceLike) -> None:
        super().__init__()
        self.root = [unquote(part.encode("utf-8")) for part in root.strip("/").split("/") if part]
        self.resource = resource
        # Asked before the body has come in, when nothing but this resource is known.
        self.streamsBody = bool(getattr(resource, "streamsBody", False))
        self.maxBody = getattr(resource, "maxBody", None)

    def getChildWithDefault(self, path: bytes, request: "Request") -> Any:
        """Pass on to `resource`, with the root in prepath."""
        request.prepath.pop()
        rest = [path, *request.postpath]
        if rest[: len(self.root)] == self.root:
            rest = rest[len(self.root) :]
        # Nothing after the root is the root's own slash, but for a leaf.
        request.prepath.extend(self.root)
        request.postpath[:] = rest or [b""]
        return getChildForRequest(self.resource, request)
