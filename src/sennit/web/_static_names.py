"""Which names of a request may become names of files, and which links may be followed."""

import os
import re

# On every system: empty, this directory, the one above, and what separates names there or elsewhere.
_NEVER = re.compile(r"\.{0,2}\Z|[^/\\\x00]*[/\\\x00]")

# On Windows: devices, which every directory seems to have, with any extension; drives and streams; control
# characters and wildcards; a dot or blank at the end, which is dropped there, so that it is another name.
_NEVER_ON_WINDOWS = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\..*)?"
    r'|.*[:<>"|?*\x01-\x1f].*|.*[. ]',
    re.IGNORECASE | re.DOTALL,
)


def isSafeName(name: str, windows: bool = os.name == "nt") -> bool:
    """Whether `name` can be nothing but the name of something in a directory. `windows`: by the rules there.

    A backslash is refused everywhere, so that no address means one thing here and another thing elsewhere.
    """
    if _NEVER.match(name) is not None:
        return False
    return not windows or _NEVER_ON_WINDOWS.fullmatch(name) is None


def isDangerous(path: str) -> bool:
    """Whether `path` is not a plain name: `..`, or with a separator."""
    return path == ".." or "/" in path or os.sep in path


def isWithin(path: str, root: str) -> bool:
    """Whether `path`, with all links followed, is `root` or below it. `root`'s own links are followed too."""
    try:
        real, realRoot = os.path.realpath(path), os.path.realpath(root)
    except (OSError, ValueError):
        return False
    return real == realRoot or real.startswith(realRoot.rstrip(os.sep) + os.sep)


def look(path: str, root: str | None) -> os.stat_result | None:
    """What is at `path`; None if nothing, or nothing that may be seen.

    A symbolic link is followed only to what is within `root`; anywhere, if that is None. Only the last name
    of the path is looked at for this: those before it have been, each when the walk came by.
    """
    try:
        if root is None:
            return os.stat(path)
        found = os.lstat(path)
        # The file type's bits tell a link (S_IFLNK); the function for it costs as much as the rest here.
        if found.st_mode & 0o170000 == 0o120000:
            return os.stat(path) if isWithin(path, root) else None
        return found
    except (OSError, ValueError):
        return None
