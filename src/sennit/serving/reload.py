"""`--reload`: a process that watches files, and tells which have changed."""

import fnmatch
import importlib.util
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sennit.serving.settings import SettingError, Settings

# Directories that are full of files which are no part of the program.
_PASSED_OVER = frozenset(["__pycache__", "node_modules", "site-packages", ".venv", "venv"])
# Milliseconds between two looks at whether the supervisor still lives.
_LOOK = 1000


class Watched:
    """Which files matter: those that match a pattern of `include`, unless they match one of `exclude`."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingError if a directory is missing, or watchfiles is not installed."""
        if importlib.util.find_spec("watchfiles") is None:
            raise SettingError("--reload needs watchfiles: pip install 'sennit[reload]'")
        self.directories = [Path(name).resolve() for name in settings.reload_dir or [settings.app_dir]]
        for directory in self.directories:
            if not directory.is_dir():
                raise SettingError(f"--reload-dir: there is no directory {directory}")
        self._include = settings.reload_include or ("*.py",)
        self._exclude = settings.reload_exclude or (".*",)

    def __call__(self, change: Any, path: str) -> bool:
        """Whether a change of `path` counts (watchfiles calls it with the kind of change)."""
        parts = Path(path).parts
        for directory in self.directories:
            if Path(path).is_relative_to(directory):
                parts = Path(path).relative_to(directory).parts
                break
        if not _PASSED_OVER.isdisjoint(parts) or any(_matches(path, part, self._exclude) for part in parts):
            return False
        return _matches(path, parts[-1] if parts else "", self._include)


def _matches(path: str, name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(name, each) or fnmatch.fnmatch(path, each) for each in patterns)


def start_watching(watched: Watched, in_child: Callable[[], object]) -> tuple[int, socket.socket]:
    """Start the process; returns its id, and the socket on which it sends the paths that have changed, one
    batch in a message. `in_child` is called in the new process first.

    It is a process of its own because watchfiles has threads, and a process with threads should not fork
    workers."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    supervisor = os.getpid()
    process = os.fork()
    if process:
        theirs.close()
        ours.setblocking(False)
        return process, ours
    try:
        in_child()
        ours.close()
        _watch(watched, theirs, supervisor)
    finally:
        os._exit(0)


def _watch(watched: Watched, out: socket.socket, supervisor: int) -> None:
    import watchfiles

    batches = watchfiles.watch(
        *watched.directories,
        watch_filter=watched,
        rust_timeout=_LOOK,
        yield_on_timeout=True,
        raise_interrupt=False,
        ignore_permission_denied=True,
        debounce=400,
        step=50,
    )
    for changes in batches:
        if os.getppid() != supervisor:
            return
        if changes:
            names = sorted(os.path.relpath(path) for _, path in changes)
            out.send("\n".join(names[:5]).encode("utf-8", "surrogateescape"))
