"""The resource that serves a directory from the command line: files, and the programs among them."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from sennit.web.script import PythonScript, ResourceScript
from sennit.web.static import File
from sennit.web.twcgi import CGIScript

# What files of these extensions are instead of being sent, as functions of (path, registry).
PROCESSORS: Mapping[str, Callable[[str, Any], Any]] = {
    ".cgi": CGIScript,
    ".epy": PythonScript,
    ".rpy": ResourceScript,
}


def directory_resource(path: str | os.PathLike[str]) -> File:
    """What serves the directory `path`: its files, with `.rpy`, `.epy` and `.cgi` run instead of sent.

    The result is an ordinary `File`: its attributes, as `indexNames` and `processors`, may be changed before
    it is served.
    """
    root = File(path)
    root.processors = dict(PROCESSORS)
    return root
