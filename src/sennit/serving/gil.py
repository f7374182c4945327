"""Whether several threads can run at the same time in this Python: `--threads` is of no use with the GIL."""

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sennit.serving.settings import SettingError, Settings
from sennit.serving.target import Target, load

_ADVICE = "use --workers, or a free-threaded Python"


def refuse_in_vain(settings: Settings) -> None:
    """Raise SettingError for more than one thread where the GIL would let only one run at a time."""
    if settings.threads == 1 or not _has_gil():
        return
    if getattr(sys, "_is_gil_enabled", None) is None or not _is_free_threaded():
        raise SettingError(f"--threads: this Python runs one thread at a time (it has the GIL): {_ADVICE}")
    raise SettingError(
        "--threads: this Python was told to keep the GIL (PYTHON_GIL=1, or -X gil=1): use --workers"
    )


def load_for(settings: Settings) -> Target:
    """What is to be served. Raises what `load` raises, and SettingError if the program keeps the threads from
    running at the same time."""
    from sennit.web import _processes

    _processes.servedByThreads = settings.threads > 1
    with _gil_takers() as takers:
        target = load(settings)
    if settings.threads > 1 and _has_gil():
        culprit = f" (the module {takers[0]} did that)" if takers else ""
        raise SettingError(
            f"--threads: a module that TARGET imports has switched the GIL on{culprit}: use --workers,"
            " or PYTHON_GIL=0 at your own risk"
        )
    return target


def _has_gil() -> bool:
    ask: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)
    return True if ask is None else ask()


def _is_free_threaded() -> bool:
    import sysconfig

    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@contextmanager
def _gil_takers() -> Iterator[list[str]]:
    """Gives the names of the extension modules for which Python switches the GIL on, as it warns of them."""
    names: list[str] = []
    show = warnings.showwarning

    def listen(message: Any, *rest: Any, **keywords: Any) -> None:
        found = re.search(r"\(GIL\) has been enabled to load module '([^']+)'", str(message))
        if found is not None:
            names.append(found[1])
        show(message, *rest, **keywords)

    warnings.showwarning = listen
    try:
        yield names
    finally:
        warnings.showwarning = show
