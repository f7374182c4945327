"""Python files that are run when they are asked for.

An `.rpy` file makes a resource and assigns it to `resource`; an `.epy` file writes a response to `request`.
They are meant as processors of `static.File`: `file.processors = {".rpy": script.ResourceScript}`.
"""

import os
import time
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from sennit.web.pages import errorPage, notFound
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, version

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = [
    "AlreadyCached",
    "CacheScanner",
    "PythonScript",
    "ResourceScript",
    "ResourceScriptDirectory",
    "ResourceScriptWrapper",
    "noRsrc",
    "rpyNoResource",
]

rpyNoResource: Final = (
    'This script did not assign anything to the variable "resource". The resource to be served has to be '
    'there when the script ends: "resource = MyPage()".'
)
# What a script that assigns no resource is answered with.
noRsrc: Final = errorPage(500, "Whoops! Internal Error", rpyNoResource)

# Compiled scripts by path, with what tells that a file is still the one that was compiled.
_compiled: dict[str, tuple[tuple[int, ...], CodeType]] = {}
# More scripts than a site has; if one has more, they are compiled again.
_MOST_COMPILED = 1000
# A file may change twice within one tick of its clock: younger than this, in seconds, it isn't relied on.
_SETTLED_AFTER = 2.0


def _codeOf(path: str) -> CodeType:
    """The compiled script; OSError if it can't be read, SyntaxError or ValueError if it is no Python."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        kept = _compiled.get(path)
        if kept is not None and kept[0] == mark:
            return kept[1]
        source = file.read()
    # Without this module's own __future__ imports.
    code = compile(source, path, "exec", dont_inherit=True)
    if time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED_AFTER:
        if len(_compiled) >= _MOST_COMPILED:
            _compiled.clear()
        _compiled[path] = (mark, code)
    return code


def _run(code: CodeType, path: str, **names: Any) -> dict[str, Any]:
    """Run a script with these global names; returns what it has made of them."""
    # A name that no module has: classes made in the script are said to be from there.
    namespace: dict[str, Any] = {"__name__": "__rpy__", "__file__": path, **names}
    exec(code, namespace)
    return namespace


class AlreadyCached(Exception):
    """Raised by `cache` to end a script whose resource is there already, as the only argument."""


class CacheScanner:
    """Makes the functions `cache` and `recache` of one run of a script. `registry` has `getCachedPath(path)`
    and `cachePath(path, resource)`, as `static.Registry` has."""

    def __init__(self, path: str, registry: Any) -> None:
        self.path = path
        self.registry = registry
        self.doCache = False

    def cache(self) -> None:
        """Use the resource of an earlier run, if one is kept (the script ends here); else keep this one's."""
        kept = self.registry.getCachedPath(self.path)
        if kept is not None:
            raise AlreadyCached(kept)
        self.recache()

    def recache(self) -> None:
        """Keep this run's resource, for others that call `cache`."""
        self.doCache = True


def ResourceScript(path: str | bytes, registry: Any) -> Any:
    """Run the `.rpy` file `path` and return its resource; a 500 page if it has none.

    The script has the global names `__file__` (str), `registry`, `cache`, `recache` (see `CacheScanner`) and
    `resource`. What it raises goes through.
    """
    path = os.fsdecode(path)
    scanner = CacheScanner(path, registry)
    try:
        names = _run(
            _codeOf(path),
            path,
            registry=registry,
            cache=scanner.cache,
            recache=scanner.recache,
            resource=noRsrc,
        )
    except AlreadyCached as found:
        return found.args[0]
    resource = names.get("resource", noRsrc)
    if scanner.doCache and resource is not noRsrc:
        registry.cachePath(path, resource)
    return resource


def _registryOr(registry: Any) -> Any:
    if registry is not None:
        return registry
    # Imported when needed: static files are not.
    from sennit.web.static import Registry

    return Registry()


class ResourceScriptWrapper(Resource):
    """Stands for the resource of the script `path`, which is run for each request."""

    def __init__(self, path: str | bytes, registry: Any = None) -> None:
        super().__init__()
        self.path = os.fsdecode(path)
        self.registry = _registryOr(registry)

    def getChildWithDefault(self, path: bytes, request: "Request") -> Any:
        """Run the script and go on at its resource."""
        found = ResourceScript(self.path, self.registry)
        if found.isLeaf:
            # A leaf has no children, and wants to see the rest of the path.
            request.postpath.insert(0, request.prepath.pop())
            return found
        return found.getChildWithDefault(path, request)

    def render(self, request: "Request") -> Any:
        """Run the script and answer with its resource."""
        return ResourceScript(self.path, self.registry).render(request)


class ResourceScriptDirectory(Resource):
    """A directory of resource scripts: its children are run, or are directories of the same kind. For itself
    there is only a 404 page."""

    def __init__(self, pathname: str | bytes, registry: Any = None) -> None:
        super().__init__()
        self.path = os.fsdecode(pathname)
        self.registry = _registryOr(registry)

    def getChild(self, path: bytes, request: "Request") -> Any:
        """Run the script of this name, or go into the directory."""
        if path in (b"", b".", b"..") or b"/" in path or b"\0" in path:
            return notFound()
        try:
            found = os.path.join(self.path, path.decode("utf-8"))
        except UnicodeDecodeError:
            return notFound()
        if os.path.isdir(found):
            return ResourceScriptDirectory(found, self.registry)
        if os.path.isfile(found):
            return ResourceScript(found, self.registry)
        return notFound()

    def render(self, request: "Request") -> Any:
        """There is no listing: answers 404."""
        return notFound().render(request)


class PythonScript(Resource):
    """Answers with what the `.epy` file `filename` writes to `request`.

    The script has the global names `request`, `__file__` (str) and `registry`; when it ends, the response is
    finished. What it raises is answered and logged as what a render method raises. A missing file is a 404.
    """

    isLeaf = True

    def __init__(self, filename: str | bytes, registry: Any) -> None:
        super().__init__()
        self.filename = os.fsdecode(filename)
        self.registry = registry

    def render(self, request: "Request") -> Any:
        """Run the script."""
        try:
            code = _codeOf(self.filename)
        except (FileNotFoundError, NotADirectoryError):
            return notFound().render(request)
        request.setHeader(b"X-Powered-By", version)
        _run(code, self.filename, request=request, registry=self.registry)
        if not request.finished:
            request.finish()
        return NOT_DONE_YET
