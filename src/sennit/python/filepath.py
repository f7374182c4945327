"""`FilePath`: a path as an object, with the names that programs written for Twisted use.

New programs may as well use `pathlib`: a FilePath is accepted wherever Python takes a path.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, AnyStr, Generic

__all__ = ["FilePath", "InsecurePath"]


class InsecurePath(Exception):
    """A name that would lead out of the directory it is meant to be in."""


class FilePath(Generic[AnyStr]):
    """A path, absolute from the start; `path` is it as str or bytes, as it was given.

    What `stat` says is asked once and remembered: `restat` asks again, `changed` forgets. Names given to
    methods may be str or bytes, whatever the path itself is.
    """

    path: AnyStr
    alwaysCreate = False
    _statinfo: os.stat_result | None = None

    def __init__(self, path: AnyStr | os.PathLike[AnyStr], alwaysCreate: bool = False) -> None:
        """`path` is made absolute at once. With `alwaysCreate`, `open` for writing never opens a file that
        exists."""
        self.path = os.path.abspath(os.fspath(path))
        self.alwaysCreate = alwaysCreate

    def clonePath(self, path: AnyStr) -> "FilePath[AnyStr]":
        """What children, parents and siblings are made with."""
        return FilePath(path)

    def __fspath__(self) -> AnyStr:
        return self.path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return self.path == other.path if isinstance(other, FilePath) else NotImplemented

    def __lt__(self, other: "FilePath[AnyStr]") -> bool:
        return self.path < other.path

    def __le__(self, other: "FilePath[AnyStr]") -> bool:
        return self.path <= other.path

    def __gt__(self, other: "FilePath[AnyStr]") -> bool:
        return self.path > other.path

    def __ge__(self, other: "FilePath[AnyStr]") -> bool:
        return self.path >= other.path

    def __hash__(self) -> int:
        return hash((FilePath, self.path))

    # Other paths

    def _own(self, name: str | bytes) -> AnyStr:
        """A name in the type that this path has."""
        path: Any = self.path
        made: Any = os.fsencode(name) if isinstance(path, bytes) else os.fsdecode(name)
        return made  # type: ignore[no-any-return]

    def child(self, path: str | bytes) -> "FilePath[AnyStr]":
        """The path of one name in this directory; InsecurePath for anything that isn't one name (`..`, one
        with a separator or a NUL)."""
        name = os.path.normpath(self._own(path))
        separators = [self._own(mark) for mark in (os.sep, os.altsep, "\0") if mark]
        if any(mark in name for mark in separators) or name == self._own(os.pardir):
            raise InsecurePath(f"{path!r} is not the name of something in {self.path!r}")
        return self.clonePath(os.path.normpath(os.path.join(self.path, name)))

    def preauthChild(self, path: str | bytes) -> "FilePath[AnyStr]":
        """The path of something below this directory; `path` may have separators. InsecurePath if it leads
        out of it."""
        own = self._own(path)
        below = os.path.abspath(os.path.join(self.path, own))
        separator = self._own(os.sep)
        if self._own("\0") in own or not (below + separator).startswith(
            self.path.rstrip(separator) + separator
        ):
            raise InsecurePath(f"{path!r} is not below {self.path!r}")
        return self.clonePath(below)

    def childSearchPreauth(self, *paths: str | bytes) -> "FilePath[AnyStr] | None":
        """The first of some paths below this directory that exists, or None. They are trusted: not for names
        that come from outside."""
        for path in paths:
            found = os.path.join(self.path, self._own(path))
            if os.path.exists(found):
                return self.clonePath(found)
        return None

    def descendant(self, segments: Sequence[str | bytes]) -> "FilePath[AnyStr]":
        """The path at the end of several names, each below the one before; raises as `child`."""
        path: FilePath[AnyStr] = self
        for name in segments:
            path = path.child(name)
        return path

    def segmentsFrom(self, ancestor: "FilePath[AnyStr]") -> list[AnyStr]:
        """The names that lead here from `ancestor`; ValueError if this is not below it."""
        names: list[AnyStr] = []
        path, parent = self.path, os.path.dirname(self.path)
        while path != ancestor.path:
            if parent == path:
                raise ValueError(f"{self!r} is not below {ancestor!r}")
            names.insert(0, os.path.basename(path))
            path, parent = parent, os.path.dirname(parent)
        return names

    def sibling(self, path: str | bytes) -> "FilePath[AnyStr]":
        """The path of another name in the same directory; raises as `child`."""
        return self.parent().child(path)

    def siblingExtension(self, ext: str | bytes) -> "FilePath[AnyStr]":
        """This path with `ext` added to its name."""
        return self.clonePath(self.path + self._own(ext))

    def siblingExtensionSearch(self, *exts: str | bytes) -> "FilePath[AnyStr] | None":
        """The first that exists of this path with each of `exts` added, or None. `""` is this path itself,
        `"*"` any extension."""
        for given in exts:
            ext = self._own(given)
            if not ext:
                found = self.path if os.path.exists(self.path) else None
            elif ext == self._own("*"):
                found = self._withAnyExtension()
            else:
                found = self.path + ext if os.path.exists(self.path + ext) else None
            if found is not None:
                return self.clonePath(found)
        return None

    def _withAnyExtension(self) -> AnyStr | None:
        prefix = self.basename() + self._own(".")
        try:
            names = sorted(name for name in os.listdir(self.dirname()) if name.startswith(prefix))
        except OSError:
            return None
        return os.path.join(self.dirname(), names[0]) if names else None

    def parent(self) -> "FilePath[AnyStr]":
        """The directory that this is in."""
        return self.clonePath(self.dirname())

    def parents(self) -> Iterator["FilePath[AnyStr]"]:
        """The directory that this is in, the one that is in, and so on up to the root."""
        path, parent = self.path, self.dirname()
        while path != parent:
            yield self.clonePath(parent)
            path, parent = parent, os.path.dirname(parent)

    def realpath(self) -> "FilePath[AnyStr]":
        """This path with all symbolic links followed."""
        return self.clonePath(os.path.realpath(self.path))

    def asBytesMode(self) -> "FilePath[bytes]":
        """The same path as bytes."""
        return FilePath(os.fsencode(self.path))

    def asTextMode(self) -> "FilePath[str]":
        """The same path as str."""
        return FilePath(os.fsdecode(self.path))

    def basename(self) -> AnyStr:
        """The last name of the path."""
        return os.path.basename(self.path)

    def dirname(self) -> AnyStr:
        """The path without its last name."""
        return os.path.dirname(self.path)

    def splitext(self) -> tuple[AnyStr, AnyStr]:
        """The path up to its extension, and the extension with its dot."""
        return os.path.splitext(self.path)

    # What is there

    def restat(self, reraise: bool = True) -> None:
        """Ask anew what is there. If nothing is, OSError, unless `reraise` is false."""
        try:
            self._statinfo = os.stat(self.path)
        except (OSError, ValueError):
            self._statinfo = None
            if reraise:
                raise

    def changed(self) -> None:
        """Forget what was there: it has been changed."""
        self._statinfo = None

    def _known(self) -> os.stat_result:
        if self._statinfo is None:
            self._statinfo = os.stat(self.path)
        return self._statinfo

    def _isKind(self, test: Callable[[int], bool]) -> bool:
        if self._statinfo is None:
            self.restat(reraise=False)
        return self._statinfo is not None and test(self._statinfo.st_mode)

    def exists(self) -> bool:
        """Whether there is something at this path (links are followed, here and below)."""
        return self._isKind(lambda mode: True)

    def isdir(self) -> bool:
        """Whether it is a directory."""
        return self._isKind(stat.S_ISDIR)

    def isfile(self) -> bool:
        """Whether it is a regular file."""
        return self._isKind(stat.S_ISREG)

    def isSocket(self) -> bool:
        """Whether it is a socket."""
        return self._isKind(stat.S_ISSOCK)

    def isBlockDevice(self) -> bool:
        """Whether it is a block device."""
        return self._isKind(stat.S_ISBLK)

    def islink(self) -> bool:
        """Whether the path itself is a symbolic link; asked each time."""
        return os.path.islink(self.path)

    def getsize(self) -> int:
        """The size in bytes; this and those below raise OSError if nothing is there."""
        return self._known().st_size

    def getModificationTime(self) -> float:
        """When the content was last changed, in seconds since the epoch."""
        return self._known().st_mtime

    def getStatusChangeTime(self) -> float:
        """When content, owner or permissions were last changed, in seconds since the epoch."""
        return self._known().st_ctime

    def getAccessTime(self) -> float:
        """When it was last read, in seconds since the epoch."""
        return self._known().st_atime

    def getInodeNumber(self) -> int:
        """The number that the file has in its file system."""
        return self._known().st_ino

    def getDevice(self) -> int:
        """The number of the file system."""
        return self._known().st_dev

    def getNumberOfHardLinks(self) -> int:
        """How many names the file has."""
        return self._known().st_nlink

    def getUserID(self) -> int:
        """The number of the owner."""
        return self._known().st_uid

    def getGroupID(self) -> int:
        """The number of the group."""
        return self._known().st_gid

    def listdir(self) -> list[AnyStr]:
        """The names in this directory, in no order."""
        return os.listdir(self.path)

    def children(self) -> list["FilePath[AnyStr]"]:
        """The paths in this directory, in no order."""
        return [self.clonePath(os.path.join(self.path, name)) for name in self.listdir()]

    def globChildren(self, pattern: str | bytes) -> list["FilePath[AnyStr]"]:
        """The paths in this directory whose names match a pattern of the shell."""
        from fnmatch import filter as matching

        names = matching(self.listdir(), self._own(pattern))
        return [self.clonePath(os.path.join(self.path, name)) for name in names]

    def walk(
        self, descend: Callable[["FilePath[AnyStr]"], bool] | None = None
    ) -> Iterator["FilePath[AnyStr]"]:
        """This path and all below it, directories before what is in them.

        `descend(path)` says which directories to enter: by default all but links."""
        yield self
        if self.isdir():
            for path in sorted(FilePath.children(self)):
                if descend(path) if descend is not None else not path.islink():
                    yield from path.walk(descend)
                else:
                    yield path

    # Changing things

    def open(self, mode: str = "r") -> IO[bytes]:
        """Open the file; always binary, `b` may be left out of `mode`."""
        mode = mode.replace("b", "")
        if self.alwaysCreate and "w" in mode:
            mode = mode.replace("w", "x")
        return open(self.path, mode + "b")

    def create(self) -> IO[bytes]:
        """Make the file and open it for reading and writing; FileExistsError if it is there already."""
        return open(self.path, "x+b")

    def getContent(self) -> bytes:
        """The whole content."""
        with open(self.path, "rb") as file:
            return file.read()

    def setContent(self, content: bytes, ext: str | bytes = b".new") -> None:
        """Replace the whole content at once: it is written beside the file, under a name that ends in `ext`,
        and then takes its place."""
        sibling = self.temporarySibling(ext)
        with sibling.create() as file:
            file.write(content)
        os.replace(sibling.path, self.path)
        self.changed()

    def temporarySibling(self, extension: str | bytes = b"") -> "FilePath[AnyStr]":
        """A path in the same directory that nobody can guess."""
        from secrets import token_hex

        name = self._own(f"_{token_hex(16)}") + self.basename() + self._own(extension)
        return self.clonePath(os.path.join(self.dirname(), name))

    def touch(self) -> None:
        """Set the time of the last change to now; the file is made if need be."""
        with open(self.path, "ab"):
            os.utime(self.path)
        self.changed()

    def chmod(self, mode: int) -> None:
        """Set the permissions."""
        os.chmod(self.path, mode)
        self.changed()

    def createDirectory(self) -> None:
        """Make this directory; the one that it is in must exist."""
        os.mkdir(self.path)
        self.changed()

    def makedirs(self, ignoreExistingDirectory: bool = False) -> None:
        """Make this directory, and those that it is in as far as need be."""
        os.makedirs(self.path, exist_ok=ignoreExistingDirectory)
        self.changed()

    def remove(self) -> None:
        """Remove the file, or the directory with all that is in it; of a link, only the link."""
        if os.path.isdir(self.path) and not self.islink():
            from shutil import rmtree

            rmtree(self.path)
        else:
            os.unlink(self.path)
        self.changed()

    def linkTo(self, linkFilePath: "FilePath[Any]") -> None:
        """Make a symbolic link to this path at another one."""
        os.symlink(os.fsdecode(self.path), os.fsdecode(linkFilePath.path))
        linkFilePath.changed()

    def copyTo(self, destination: "FilePath[Any]", followLinks: bool = True) -> None:
        """Copy the file, or the directory with all that is in it, to a path where no directory is.
        `followLinks`: links become copies of what they lead to."""
        import shutil

        source, target = os.fsdecode(self.path), os.fsdecode(destination.path)
        if os.path.isdir(source) and (followLinks or not self.islink()):
            shutil.copytree(source, target, symlinks=not followLinks)
        else:
            shutil.copy(source, target, follow_symlinks=followLinks)
        destination.changed()

    def moveTo(self, destination: "FilePath[Any]", followLinks: bool = True) -> None:
        """Move the file or directory to another path, in the place of a file that is there. To another file
        system it is copied, where `followLinks` is as for `copyTo`, and removed."""
        try:
            os.rename(self.path, os.fsdecode(destination.path))
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self.copyTo(destination, followLinks)
            self.remove()
        self.changed()
        destination.changed()
