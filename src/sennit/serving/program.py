"""Running a program's file as `python FILE ARGS` would, with Twisted's names at hand."""

import builtins
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType

from sennit.serving import twisted_names


class Program:
    """A Python file and the arguments it is to be run with."""

    def __init__(self, path: str, arguments: Sequence[str] = (), *, under_twisted: bool = False) -> None:
        self.path = path
        self.arguments = tuple(arguments)
        # Under Twisted's reactor, with Sennit's web.
        self.under_twisted = under_twisted

    def run(self) -> None:
        """Run the program in this process as `__main__`; returns when it ends.

        Raises SystemExit as the program did, or with status 1 after an exception that nothing caught: its
        traceback is printed, a port that cannot be listened on is one line. KeyboardInterrupt passes.
        """
        module = self._prepare()
        if self.under_twisted:
            _go_under_twisted()
        else:
            twisted_names.install()
        try:
            with io.open_code(self.path) as file:
                source = file.read()
            exec(compile(source, str(module.__file__), "exec", dont_inherit=True), module.__dict__)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as mistake:
            _report(mistake)
            raise SystemExit(1) from None

    def _prepare(self) -> ModuleType:
        """Set up what a program sees of how it was started; returns its empty `__main__` module."""
        path = os.path.abspath(self.path)
        sys.argv[:] = [self.path, *self.arguments]
        # Python puts the script's own directory first, links resolved. Under -P and -I it does not, and then
        # there is no entry of the command `sennit` to be replaced either.
        if not sys.flags.safe_path:
            sys.path[0] = os.path.dirname(os.path.realpath(path))
        module = ModuleType("__main__")
        module.__file__ = path
        module.__loader__ = SourceFileLoader("__main__", path)
        module.__dict__.update(__builtins__=builtins, __cached__=None, __annotations__={})
        sys.modules["__main__"] = module
        return module


def _go_under_twisted() -> None:
    from sennit.serving import under_twisted

    try:
        under_twisted.install()
    except under_twisted.CannotInstall as reason:
        print(f"sennit: --reactor=twisted: {reason}", file=sys.stderr)
        raise SystemExit(1) from None


def _report(mistake: BaseException) -> None:
    """Print an exception that the program did not catch, as Python would."""
    from sennit.internet.error import CannotListenError

    if isinstance(mistake, CannotListenError):
        print(f"sennit: {mistake}", file=sys.stderr)
        return
    explain_import(mistake)
    mistake.__traceback__ = _below_this_module(mistake.__traceback__)
    sys.excepthook(type(mistake), mistake, mistake.__traceback__)


def explain_import(mistake: BaseException) -> None:
    """Add a note to an ImportError of a name that Twisted has and Sennit has not."""
    if isinstance(mistake, ImportError) and (missing := _missing_name(mistake)):
        mistake.add_note(twisted_names.explain_missing(missing))


def _missing_name(mistake: ImportError) -> str:
    """The dotted name that a `from sennit.x import y` did not find, "" for other import errors."""
    # The attribute name_from says it only from Python 3.12 on.
    match = re.match(r"cannot import name '(\w+)'", mistake.msg)
    module = mistake.name or ""
    return f"{module}.{match[1]}" if match and module.startswith("sennit") else ""


def _below_this_module(traceback: TracebackType | None) -> TracebackType | None:
    """`traceback` without the frames of this module, which the program's author need not see."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback
