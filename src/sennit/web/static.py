"""Files and fixed bytes as resources.

root.putChild("files", File("/srv/files"))
root.putChild("robots.txt", Data(b"User-agent: *\\n", "text/plain"))
"""

import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from sennit._engine import FileAnswer, FileCache
from sennit.python.components import Componentized
from sennit.python.filepath import FilePath
from sennit.web import http
from sennit.web._static_asis import ASISProcessor
from sennit.web._static_body import KeptFile, OpenedFile, Part, keptFile, lengthOf, multipartParts
from sennit.web._static_listing import DirectoryLister, formatFileSize
from sennit.web._static_names import isDangerous, isSafeName, isWithin, look
from sennit.web._static_producers import (
    MultipleRangeStaticProducer,
    NoRangeStaticProducer,
    SingleRangeStaticProducer,
    StaticProducer,
)
from sennit.web._static_ranges import Span, Unsatisfiable, contentRange, holdsIfRange, parseRange
from sennit.web._static_types import getTypeAndEncoding, loadMimeTypes, withCharset
from sennit.web._static_variants import IDENTITY, acceptEncodingOf, findVariants, preferredCoding
from sennit.web.iweb import IResource
from sennit.web.pages import forbidden, notFound
from sennit.web.resource import Resource
from sennit.web.util import redirectTo

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = [
    "ASISProcessor",
    "Data",
    "DirectoryLister",
    "File",
    "MultipleRangeStaticProducer",
    "NoRangeStaticProducer",
    "Redirect",
    "Registry",
    "SingleRangeStaticProducer",
    "StaticProducer",
    "addSlash",
    "formatFileSize",
    "getTypeAndEncoding",
    "isDangerous",
    "loadMimeTypes",
]

# How often a file is looked at again that is being replaced by another one just now.
_TRIES = 3
# How many resources of a tree are kept to be used again.
_MAX_MADE = 4096


class Data(Resource):
    """Bytes that are always the same: `data` (bytes or str, sent as UTF-8) with the media type `type`."""

    def __init__(self, data: bytes | str, type: str | bytes) -> None:
        super().__init__()
        self.data = data.encode("utf-8") if isinstance(data, str) else data
        self.type = type

    def render_GET(self, request: "Request") -> bytes:
        """Answer with the data."""
        request.setHeader(b"Content-Type", self.type)
        return self.data


class Registry(Componentized):
    """What the files of a tree share: components for their scripts, and a cache of what was made for a
    path."""

    def __init__(self) -> None:
        super().__init__()
        self._pathCache: dict[Any, Any] = {}

    def cachePath(self, path: Any, rsrc: Any) -> None:
        """Remember something for a path."""
        self._pathCache[path] = rsrc

    def getCachedPath(self, path: Any) -> Any:
        """What was remembered for a path, or None."""
        return self._pathCache.get(path)


class File(Resource, FilePath[str]):  # type: ignore[misc]  # children: as Resource has it
    """A file, or a directory with all that is in it. It is a `FilePath`, too.

    What is there is looked up at each request, so files may come, change and go. A symbolic link is followed
    within the directory that the program gave, elsewhere only with `allowSymlinks`. All attributes below are
    handed down to what is found in a directory.
    """

    # Extensions (with the dot, lower case) to media types; shared by all File objects.
    contentTypes: dict[str, str] = loadMimeTypes()
    contentEncodings: dict[str, str] = {".gz": "gzip", ".bz2": "bzip2"}
    # Added to the type of text that says nothing of a charset; None: nothing is.
    charset: str | None = "utf-8"
    # Content codings, the favourite first, to the extensions of siblings that have a file's content in it.
    precompressed: Mapping[str, str] = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
    # The value of Cache-Control, if any.
    cacheControl: str | bytes | None = None
    # Whether symbolic links may lead anywhere.
    allowSymlinks = False
    # A request for more ranges than this is answered with the whole file.
    maxRanges = 32
    # What a directory is answered with, the first that exists.
    indexNames: list[str] = ["index", "index.html", "index.htm", "index.rpy"]
    # Extensions (with the dot) to functions of (path, registry) that make the resource for such a file.
    processors: dict[str, Callable[[str, Any], Any]] = {}
    childNotFound: Any = notFound(message="File not found.")
    forbidden: Any = forbidden()

    # Media type and content coding; found out at the first request unless they are set before.
    type: str | None = None
    encoding: str | None = None

    # Below this, links may be followed.
    _root: str
    # The walk that made this object has looked at its path already, and saw this.
    _isChecked = True
    _seen: os.stat_result | None = None
    # What was found in this directory and those below, to be used again, by directory and segment: only where
    # no subclass has a say in making it.
    _made: dict[tuple[str, bytes | str], "File"]
    # Answers of the files below, which the engine gives again by itself; not in what `getChild` makes.
    _ready: FileCache
    # The functions by which those are found: the engine leaves the cache alone where one has been replaced.
    _kept: dict[str, Any]

    def __init__(
        self,
        path: str | bytes | os.PathLike[str],
        defaultType: str = "text/html",
        ignoredExts: Sequence[str] = (),
        registry: Registry | None = None,
        allowExt: bool | int = 0,
    ) -> None:
        """`path` is made absolute at once and need not exist. `defaultType` is for extensions that
        `contentTypes` doesn't have; `ignoredExts` see `ignoreExt`: with `allowExt`, any extension. `registry`
        is given to processors."""
        self.__dict__.update(_made={}, _ready=FileCache())
        Resource.__init__(self)
        FilePath.__init__(self, os.fsdecode(path))
        self.defaultType = defaultType
        self.ignoredExts: list[str] = ["*"] if allowExt and not ignoredExts else list(ignoredExts)
        self.registry = registry or Registry()
        self.processors = dict(self.processors)
        self.indexNames = list(self.indexNames)
        self._root = self.path

    def ignoreExt(self, ext: str) -> None:
        """Look for the name with `ext` added where there is no file of the name itself; `"*"` is any."""
        self.ignoredExts.append(ext)

    # The walk

    def getChild(self, path: bytes | str, request: "Request") -> Any:
        """The resource of a name in this directory; of an empty one, the index or a listing."""
        if not self._isChecked and not self._mayBeSeen():
            return self.childNotFound
        made = self._made.get((self.path, path))
        if made is not None and not (self.processors and os.path.splitext(made.path)[1] in self.processors):
            info = self._look(made.path)
            if info is not None:
                made.__dict__["_seen"] = info
                return made
        try:
            name = path.decode("utf-8") if isinstance(path, bytes) else path
        except UnicodeDecodeError:
            return self.childNotFound
        if not name:
            return self._index()
        if not isSafeName(name):
            return self.childNotFound
        found = f"{self.path.rstrip(os.sep)}{os.sep}{name}"
        info = self._look(found)
        if info is None:
            if not self.ignoredExts:
                return self.childNotFound
            return self._withIgnoredExtension(name)
        child = self._resourceOf(found, info)
        isPlain = type(self) is File and type(child) is File and "createSimilarFile" not in self.__dict__
        # A processor may make a File too, another one each time.
        if isPlain and child._seen is info:
            # The lists that a program may still add to are shared by what is used again.
            child.__dict__["indexNames"] = self.indexNames
            if len(self._made) >= _MAX_MADE:
                self._made.clear()
            self._made[self.path, path] = child
            child.__dict__["_made"] = self._made
        return child

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        self._forgetMade(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._forgetMade(name)

    def _forgetMade(self, changed: str) -> None:
        """Make the resources below anew, which have been handed an attribute that has changed."""
        if changed.startswith("_"):
            return
        self._made.clear()
        ready = self.__dict__.get("_ready")
        if ready is not None:
            ready.clear()
            if changed in File._kept:
                # An instance with a way of its own: not what the class's functions would find.
                del self.__dict__["_ready"]

    def _look(self, path: str) -> os.stat_result | None:
        return look(path, None if self.allowSymlinks else self._root)

    def _resourceOf(self, path: str, info: os.stat_result) -> Any:
        if self.processors:
            processor = self.processors.get(os.path.splitext(path)[1])
            if processor is not None:
                made = processor(path, self.registry)
                return made if hasattr(made, "render") else IResource(made)
        child = self.createSimilarFile(path)
        if isinstance(child, File):
            child.__dict__.update(_root=self._root, _isChecked=True, _seen=info)
        return child

    def _index(self) -> Any:
        for name in self.indexNames:
            path = os.path.join(self.path, name)
            info = self._look(path)
            if info is not None and not stat.S_ISDIR(info.st_mode):
                return self._resourceOf(path, info)
        self.restat(reraise=False)
        if not self.isdir():
            return self.childNotFound
        try:
            return self.directoryListing()
        except PermissionError:
            return self.forbidden

    def _withIgnoredExtension(self, name: str) -> Any:
        wanted = FilePath(os.path.join(self.path, name))
        for extension in self.ignoredExts:
            found = wanted.siblingExtensionSearch(extension)
            info = None if found is None else self._look(found.path)
            if found is not None and info is not None:
                return self._resourceOf(found.path, info)
        return self.childNotFound

    def createSimilarFile(self, path: str) -> "File":
        """The resource for a path in this directory: of the same class, with the same attributes. A subclass
        whose constructor takes other arguments must override this."""
        cls = self.__class__
        if cls.__init__ is File.__init__ and path[:1] == os.sep:
            # As the constructor would do, at a fraction of its cost: this is done for each request.
            child = cls.__new__(cls)
            child.__dict__ = {
                "path": path,
                "children": {},
                "defaultType": self.defaultType,
                "ignoredExts": self.ignoredExts,
                "registry": self.registry,
                "processors": self.processors,
                "indexNames": self.indexNames[:],
                "childNotFound": self.childNotFound,
                "_root": path,
                "_made": {},
            }
        else:
            child = cls(path, self.defaultType, self.ignoredExts, self.registry)
            child.processors = self.processors
            child.indexNames = self.indexNames[:]
            child.childNotFound = self.childNotFound
        own = self.__dict__
        if not _HANDED_DOWN.isdisjoint(own):
            child.__dict__.update((name, own[name]) for name in _HANDED_DOWN if name in own)
        root = self._root
        if path.startswith(root) and (path[len(root) : len(root) + 1] == os.sep or root == os.sep):
            child.__dict__.update(_root=root, _isChecked=False)
        return child

    def _mayBeSeen(self) -> bool:
        return self.allowSymlinks or isWithin(self.path, self._root)

    # Directories

    def directoryListing(self) -> Resource:
        """The resource that lists this directory."""
        lister = DirectoryLister(
            self.path, self.listNames(), self.contentTypes, self.contentEncodings, self.defaultType
        )
        lister.linksToParent = self.path != self._root
        lister.confinedTo = None if self.allowSymlinks else self._root
        return lister

    def listNames(self) -> list[str]:  # type: ignore[override]
        """The names in this directory, sorted; none if it is a file."""
        self.restat(reraise=False)
        return sorted(self.listdir()) if self.isdir() else []

    def listEntities(self) -> list[Any]:
        """What is in this directory, as resources."""
        return [self.createSimilarFile(os.path.join(self.path, name)) for name in self.listNames()]

    def redirect(self, request: "Request") -> bytes:
        """Redirect from a directory's address without a slash to the one with it."""
        return redirectTo(addSlash(request), request)

    # The answer

    def render_GET(self, request: "Request") -> Any:
        """Answer with the file, the parts of it that are asked for, or what the client's conditions make of
        it."""
        info = self._seen
        self.__dict__["_seen"] = None
        if info is None:
            info = self._look(self.path) if self._isChecked or self._mayBeSeen() else None
        if info is None:
            return self.childNotFound.render(request)
        if stat.S_ISDIR(info.st_mode):
            return self.redirect(request)
        if self.type is None:
            # Past __setattr__: nothing below depends on what is found out here.
            self.__dict__["type"], self.__dict__["encoding"] = getTypeAndEncoding(
                os.path.basename(self.path), self.contentTypes, self.contentEncodings, self.defaultType
            )
        try:
            if _isCustomized(self):
                return self._renderCustomized(request)
            return self._renderFile(request, info)
        except PermissionError:
            return self.forbidden.render(request)
        except (FileNotFoundError, NotADirectoryError):
            return self.childNotFound.render(request)

    def _renderFile(self, request: "Request", info: os.stat_result) -> Any:
        path, encoding = self.path, self.encoding
        kept = keptFile(path, info)
        if encoding is None and self.precompressed and (kept is None or kept.mayHaveVariants()):
            root = None if self.allowSymlinks else self._root
            variants = findVariants(path, info, self.precompressed, root)
            if variants:
                request.responseHeaders.addRawHeader(b"Vary", b"Accept-Encoding")
                accept = acceptEncodingOf(request.requestHeaders.getRawHeaders(b"accept-encoding"))
                coding = preferredCoding(accept, variants)
                if coding != IDENTITY:
                    path, info = variants[coding]
                    encoding = coding
                    kept = keptFile(path, info)
            elif kept is not None:
                kept.hasNoVariants()
        if kept is not None and request.method == b"GET" and not _hasConditions(request):
            return self._answerAgain(kept, path, encoding)
        file = kept or self._open(path, info)
        try:
            return self._answer(request, file, encoding)
        except BaseException:
            file.close()
            raise

    def _open(self, path: str, info: os.stat_result) -> OpenedFile:
        """Open what was seen at a path, and nothing that somebody has put in its place meanwhile."""
        for _ in range(_TRIES):
            file = OpenedFile(path)
            if file.isStill(info):
                return file
            file.close()
            again = self._look(path)
            if again is None:
                break
            info = again
        raise FileNotFoundError(path)

    def _answer(self, request: "Request", file: OpenedFile | KeptFile, encoding: str | None) -> Any:
        info = file.info
        etag, modified = _validatorsOf(info)
        if self.cacheControl is not None:
            request.setHeader(b"Cache-Control", self.cacheControl)
        request.setHeader(b"Accept-Ranges", b"bytes")
        if _isAnsweredByConditions(request, etag, modified):
            file.close()
            return b""
        request.setHeader(b"Content-Type", withCharset(self.type or self.defaultType, self.charset))
        if encoding is not None:
            request.setHeader(b"Content-Encoding", encoding)
        spans: list[Span] | None = None
        wanted = request.getHeader(b"range")
        if wanted is not None and request.method == b"GET":
            condition = request.getHeader(b"if-range")
            if condition is None or holdsIfRange(condition, etag, modified):
                try:
                    spans = parseRange(wanted, info.st_size, self.maxRanges)
                except Unsatisfiable:
                    file.close()
                    return _refuseRange(request, info.st_size)
        if spans is None:
            start, length = 0, info.st_size
        else:
            request.setResponseCode(http.PARTIAL_CONTENT)
            if len(spans) > 1:
                parts = _announceParts(request, spans, info.st_size)
                return file.parts(parts)
            start, length = spans[0]
            request.setHeader(b"Content-Range", contentRange(spans[0], info.st_size))
        if request.method == b"HEAD":
            file.close()
            request.setHeader(b"Content-Length", b"%d" % length)
            return b""
        return file.body(start, length)

    def _answerAgain(self, kept: KeptFile, path: str, encoding: str | None) -> FileAnswer:
        return kept.answer(
            path,
            (self.type, encoding, self.charset, self.cacheControl),
            lambda: self._plainFields(kept.info, encoding),
            looksForVariants=encoding is None and bool(self.precompressed),
        )

    def _plainFields(self, info: os.stat_result, encoding: str | None) -> list[tuple[bytes, bytes | str]]:
        """The header fields of a whole file, in the order in which `_answer` sets them."""
        etag, modified = _validatorsOf(info)
        fields: list[tuple[bytes, bytes | str]] = []
        if self.cacheControl is not None:
            fields.append((b"Cache-Control", self.cacheControl))
        fields.append((b"Accept-Ranges", b"bytes"))
        fields.append((b"Content-Type", withCharset(self.type or self.defaultType, self.charset)))
        if encoding is not None:
            fields.append((b"Content-Encoding", encoding))
        fields.append((b"ETag", etag))
        fields.append((b"Last-Modified", http.datetimeToString(modified)))
        return fields

    # For subclasses that send something else than what the file has

    def openForReading(self) -> IO[bytes]:
        """A file object (binary) with the content. If this is overridden, `getFileSize` should be too."""
        return self.open()

    def getFileSize(self) -> int:
        """How many bytes `openForReading` gives."""
        return self.getsize()

    def makeProducer(self, request: "Request", fileForReading: IO[bytes]) -> StaticProducer:
        """Set code and headers for the whole file or the ranges asked for, and return the producer that sends
        that."""
        size = self.getFileSize()
        request.setHeader(b"Content-Type", withCharset(self.type or self.defaultType, self.charset))
        if self.encoding:
            request.setHeader(b"Content-Encoding", self.encoding)
        wanted = request.getHeader(b"range")
        try:
            spans = None if wanted is None else parseRange(wanted, size, self.maxRanges)
        except Unsatisfiable:
            _refuseRange(request, size)
            return SingleRangeStaticProducer(request, fileForReading, 0, 0)
        if spans is None:
            request.setHeader(b"Content-Length", b"%d" % size)
            return NoRangeStaticProducer(request, fileForReading)
        request.setResponseCode(http.PARTIAL_CONTENT)
        if len(spans) > 1:
            parts = _announceParts(request, spans, size)
            request.setHeader(b"Content-Length", b"%d" % lengthOf(parts))
            return MultipleRangeStaticProducer(request, fileForReading, parts)
        request.setHeader(b"Content-Range", contentRange(spans[0], size))
        request.setHeader(b"Content-Length", b"%d" % spans[0][1])
        return SingleRangeStaticProducer(request, fileForReading, *spans[0])

    def _renderCustomized(self, request: "Request") -> Any:
        from sennit.web.server import NOT_DONE_YET

        self.restat()
        file = self.openForReading()
        try:
            request.setHeader(b"Accept-Ranges", b"bytes")
            # No entity tag: only the program knows when what it sends has changed.
            if request.setLastModified(int(self.getModificationTime())) is not None:
                file.close()
                return b""
            if request.method == b"HEAD":
                request.requestHeaders.removeHeader(b"range")
                self.makeProducer(request, file).stopProducing()
                return b""
            self.makeProducer(request, file).start()
        except BaseException:
            file.close()
            raise
        return NOT_DONE_YET


File._kept = {
    name: getattr(File, name)
    for name in (
        "_answerAgain",
        "_index",
        "_look",
        "_mayBeSeen",
        "_plainFields",
        "_renderFile",
        "_resourceOf",
        "createSimilarFile",
        "getChild",
        "getChildWithDefault",
        "getFileSize",
        "makeProducer",
        "openForReading",
        "render",
        "render_GET",
    )
}

# What a file in a directory has as the directory's own object has it.
_HANDED_DOWN = frozenset(
    {
        "allowSymlinks",
        "cacheControl",
        "charset",
        "contentEncodings",
        "contentTypes",
        "forbidden",
        "maxRanges",
        "precompressed",
    }
)


def _isCustomized(file: File) -> bool:
    cls = type(file)
    return cls is not File and (
        cls.openForReading is not File.openForReading
        or cls.getFileSize is not File.getFileSize
        or cls.makeProducer is not File.makeProducer
    )


def _validatorsOf(info: os.stat_result) -> tuple[bytes, int]:
    """Entity tag and time of modification of a file."""
    etag = b'"%x-%x-%x"' % (info.st_mtime_ns, info.st_size, info.st_ino)
    # Not later than now, which a client could not make sense of (RFC 9110 section 8.8.2.1).
    return etag, min(int(info.st_mtime), int(time.time()))


def _hasConditions(request: "Request") -> bool:
    """Whether the answer may be another one than the whole file."""
    get = request.getHeader
    # Not in a loop: this is asked for each small file.
    return (
        get(b"if-none-match") is not None
        or get(b"if-modified-since") is not None
        or get(b"range") is not None
        or get(b"if-match") is not None
        or get(b"if-unmodified-since") is not None
    )


def _isAnsweredByConditions(request: "Request", etag: bytes, modified: int) -> bool:
    """Send the validators; whether the client's conditions make a body needless, in the order of RFC 9110
    section 13.2.2."""
    hasIt = request.setETag(etag) is not None
    if request.code == http.PRECONDITION_FAILED:
        return True
    # Asked also where the tag has decided already: If-Unmodified-Since goes before If-None-Match.
    return request.setLastModified(modified) is not None or hasIt


def _refuseRange(request: "Request", size: int) -> bytes:
    request.setResponseCode(http.REQUESTED_RANGE_NOT_SATISFIABLE)
    request.setHeader(b"Content-Range", b"bytes */%d" % size)
    request.responseHeaders.removeHeader(b"content-encoding")
    request.responseHeaders.removeHeader(b"content-type")
    request.setHeader(b"Content-Length", b"0")
    return b""


def _announceParts(request: "Request", spans: Sequence[Span], size: int) -> list[Part]:
    """Set the headers of a response that has several ranges, and return its parts."""
    contentType = (request.responseHeaders.getRawHeaders(b"content-type") or [b""])[0]
    # Long enough not to be in the file by accident.
    boundary = os.urandom(16).hex().encode("ascii")
    parts = multipartParts(spans, size, contentType, boundary)
    request.setHeader(b"Content-Type", b'multipart/byteranges; boundary="%b"' % boundary)
    return parts


def addSlash(request: "Request") -> bytes:
    """The request's address (without scheme and host) with a slash after its path, query and all."""
    path, question, query = request.uri.partition(b"?")
    if path[:1] != b"/" or path[1:2] in (b"/", b"\\"):
        # What begins with two slashes would be taken for another host's address. Relative to the address
        # asked for, this is the same place.
        path = b"./" + path.rpartition(b"/")[2]
    return path + b"/" + question + query


def Redirect(request: "Request") -> bytes:
    """Redirect to the request's address with a slash after its path."""
    return redirectTo(addSlash(request), request)
