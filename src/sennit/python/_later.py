"""Modules of the standard library that many programs never need, loaded when they are first used.

`from sennit.python._later import asyncio` instead of `import asyncio` does not load it: that is done when an
attribute is first asked for. asyncio and what it needs take longer to load than all that a server does until
its first answer (see `sennit.internet._early`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["asyncio", "inspect", "logging", "subprocess", "traceback"]


class _Later:
    """Stands for a module."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(import_module(self.__name__), attribute)
        # Found without this method from now on.
        setattr(self, attribute, value)
        return value


if TYPE_CHECKING:
    import asyncio
    import inspect
    import logging
    import subprocess
    import traceback
else:
    asyncio = _Later("asyncio")
    inspect = _Later("inspect")
    logging = _Later("logging")
    subprocess = _Later("subprocess")
    traceback = _Later("traceback")
