"""Changing a request's path before it is looked up."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sennit.web._parsing import quote
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.iweb import ResourceLike
    from sennit.web.server import Request

__all__ = ["RewriterResource", "alias", "tildeToUsers"]

# Changes request.postpath: what is left of the path, in unquoted segments (bytes).
Rule = Callable[["Request"], object]


class RewriterResource(Resource):
    """Stands before `orig`: each rule is called with the request, and `orig` sees the path that they leave.

    A rule may put str into `request.postpath`; it becomes UTF-8.
    """

    def __init__(self, orig: "ResourceLike", *rewriteRules: Rule) -> None:
        super().__init__()
        self.resource = orig
        self.rewriteRules = list(rewriteRules)

    def getChild(self, path: bytes, request: "Request") -> Any:
        """Rewrite the path and go on at the original."""
        request.postpath.insert(0, path)
        request.prepath.pop()
        self._rewrite(request)
        if self.resource.isLeaf or not request.postpath:
            return self.resource
        segment = request.postpath.pop(0)
        request.prepath.append(segment)
        return self.resource.getChildWithDefault(segment, request)

    def render(self, request: "Request") -> Any:
        """Rewrite the path and answer with the original."""
        self._rewrite(request)
        return self.resource.render(request)

    def _rewrite(self, request: "Request") -> None:
        for rule in self.rewriteRules:
            rule(request)
            request.postpath[:] = [_bytes(segment) for segment in request.postpath]


def tildeToUsers(request: "Request") -> None:
    """A rule: `~name` at the beginning becomes `users/name`."""
    postpath = request.postpath
    if postpath and postpath[0].startswith(b"~"):
        postpath[:1] = [b"users", postpath[0][1:]]
        _tellPath(request)


def alias(aliasPath: bytes | str, sourcePath: bytes | str) -> Rule:
    """A rule: where the path begins with `aliasPath`, `sourcePath` takes its place.

    Both are segments between slashes, not quoted (str is UTF-8); a slash before or behind them makes no
    difference. An empty `aliasPath` is the index, an empty `sourcePath` where the rewriter stands.
    """
    wanted = _bytes(aliasPath).strip(b"/").split(b"/")
    source = _bytes(sourcePath).strip(b"/")
    replacement = source.split(b"/") if source else []

    def rule(request: "Request") -> None:
        if request.postpath[: len(wanted)] == wanted:
            rest = request.postpath[len(wanted) :]
            request.postpath[:] = [*replacement, *rest] or [b""]
            _tellPath(request)

    return rule


def _tellPath(request: "Request") -> None:
    """Make request.path, which is quoted, say what the lists of segments do."""
    request.path = b"/" + b"/".join(quote(segment) for segment in [*request.prepath, *request.postpath])


def _bytes(text: bytes | str) -> bytes:
    return text.encode("utf-8") if isinstance(text, str) else text
