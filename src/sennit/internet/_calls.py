"""Calling a program's functions from the event loop: their mistakes are logged and the loop goes on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from sennit.python import log
from sennit.python._later import asyncio

# The loop itself holds its tasks by weak references only.
_tasks: set[asyncio.Task[Any]] = set()


def runLogged(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Call; log an exception. A coroutine that is returned is run as a Task.

    SystemExit and KeyboardInterrupt go through, to end the loop in order.
    """
    try:
        result = function(*args, **kwargs)
        if isinstance(result, Coroutine):
            startTask(result)
    except Exception:
        log.err()


def startTask(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Run a coroutine in the running loop; its exception is logged."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_endTask)
    return task


def _endTask(task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and (exception := task.exception()) is not None:
        log.err(exception)
