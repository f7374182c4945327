"""The tasks in which the handlers of requests run, when their site stops."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from sennit.internet._loops import runningLoop
from sennit.python import log
from sennit.python._later import asyncio

if TYPE_CHECKING:
    from sennit._engine import Request, Service

# Seconds for a handler that learns that its client has gone to end by itself, as most do at once.
_NEWS = 0.1
# Seconds for one that is cancelled to end. What begins to clean up then has to be short.
_LAST_WORDS = 1.0
# Requests that are named in the log, of those that are cancelled.
_MOST_NAMED = 3

# Those that the log has told of.
_leftBehind: WeakSet[asyncio.Task[object]] = WeakSet()


class Handlers:
    """The tasks in `loop` that handle requests of one site. They are looked for, among all tasks, only when
    they are asked for: while the site serves, they cost nothing.
    """

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop

    def __bool__(self) -> bool:
        """Whether any is left, but the one that asks."""
        return bool(self._running())

    async def end(self) -> None:
        """See to it that all end: their clients have been told to be gone, or been cut off. What does not end
        by itself is cancelled, what ignores that is left behind and logged."""
        if not await self._haveEnded(_NEWS):
            self._cancel()
            if not await self._haveEnded(_LAST_WORDS):
                left = self._running()
                _leftBehind.update(left)
                for request in left.values():
                    log.msg(f"{_named(request)} was cancelled, but goes on: it is left behind")

    def _running(self) -> dict[asyncio.Task[object], Request]:
        current = asyncio.current_task(self._loop) if runningLoop() is self._loop else None
        found = {}
        for task in asyncio.all_tasks(self._loop):
            request = self._service.request_of(task.get_coro())
            if request is not None and task is not current:
                found[task] = request
        return found

    def _cancel(self) -> None:
        # A second cancellation would end what a handler does because of the first.
        left = {task: request for task, request in self._running().items() if not task.cancelling()}
        for task in left:
            task.cancel("the server stops")
        if left:
            names = [_named(request) for request in left.values()]
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            log.msg(f"Cancelled, since the time to stop is over: {', '.join(names[:_MOST_NAMED])}{more}")

    async def _haveEnded(self, seconds: float) -> bool:
        tasks = self._running()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        return not self


def _named(request: Request) -> str:
    method, uri = (part.decode("ascii", "backslashreplace") for part in (request.method, request.uri))
    return f"{method} {uri}"


def endTasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks that are left in a loop that no longer runs, and let them end, as `asyncio.run` does;
    but don't wait for ever for one that ignores it.
    """
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        _, left = loop.run_until_complete(asyncio.wait(tasks, timeout=_LAST_WORDS))
        for task in left - set(_leftBehind):
            log.msg(f"{task!r} was cancelled, but goes on: it is left behind")
        for task in tasks - left:
            if not task.cancelled():
                task.exception()  # looked at, so that it isn't reported as forgotten
    loop.run_until_complete(loop.shutdown_asyncgens())
