"""Programs written for Twisted, unmodified: `import twisted.x.y` gives the module `sennit.x.y`.

`install` puts a finder in front of the import system. It answers for `twisted` and what is below it,
where Twisted itself is not installed, and it gives the very module objects that the Sennit names give:
after `from twisted.web import server`, `server is sennit.web.server`.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from sennit.python._later import logging

_THEIRS = "twisted"
_OURS = "sennit"


# Finder and loader do without the base classes of importlib.abc, which takes as long to load as the engine,
# the tree and the site together.
class TwistedNames:
    """Finds `twisted` and its modules in `sennit`; steps aside, with a warning, if Twisted is installed."""

    def __init__(self) -> None:
        self._twisted_installed = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of the module `fullname`; None if it isn't one of Twisted's, or Twisted is installed.

        Raises ModuleNotFoundError for a name below `twisted` that has no counterpart in Sennit.
        """
        package, _, rest = fullname.partition(".")
        if package != _THEIRS:
            return None
        if not rest:
            self._twisted_installed = self._found_by_others(fullname, path, target)
            if self._twisted_installed:
                logging.getLogger("sennit.serving").warning(
                    "Twisted is installed: the program's imports of twisted.* are Twisted's own"
                )
        if self._twisted_installed:
            return None
        ours = _OURS + fullname.removeprefix(_THEIRS)
        # A module that put an object in its own place, as the reactor does, has no spec to be found.
        if ours not in sys.modules and find_spec(ours) is None:
            raise ModuleNotFoundError(explain_missing(fullname), name=fullname)
        alias: Any = _Alias(ours)
        return ModuleSpec(fullname, alias)

    def _found_by_others(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> bool:
        others = [finder for finder in sys.meta_path if finder is not self]
        return any(finder.find_spec(fullname, path, target) is not None for finder in others)


class _Alias:
    """Loads a module by importing the one it stands for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """None: a module as any other."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The import gives what stands in sys.modules once this returns: importlib reads it again, for modules
        # that replace themselves. create_module would not do, what it returns gets a new __spec__.
        sys.modules[module.__name__] = importlib.import_module(self._name)


def explain_missing(name: str) -> str:
    """One line that says what Sennit lacks, for the dotted `name` of something in `twisted` or `sennit`."""
    rest = name.partition(".")[2]
    return f"Sennit has no counterpart of {_THEIRS}.{rest} (looked for {_OURS}.{rest})"


def install() -> TwistedNames:
    """Make Twisted's names importable in this process; returns the finder. Twice is once."""
    for finder in sys.meta_path:
        if isinstance(finder, TwistedNames):
            return finder
    names = TwistedNames()
    sys.meta_path.insert(0, names)
    return names


def uninstall() -> None:
    """Take the finder out again; modules already imported stay as they are."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, TwistedNames)]
