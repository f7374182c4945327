"""What `await deferred` yields: something that both asyncio's Task and our own coroutine driver understand.

A coroutine can't know who runs it. So it yields one object that has asyncio's protocol for foreign futures
(`_asyncio_future_blocking`, `get_loop`, `add_done_callback`, `result`, `cancel`), which a Task uses, and
which our driver recognizes by its class to be resumed without a turn of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any

from sennit.python._later import asyncio

if TYPE_CHECKING:
    from sennit.internet._deferred import Deferred


class DeferredWaiter:
    """One coroutine's wait for one Deferred; iterating over it yields itself once and gives the result or
    Failure.
    """

    def __init__(self, deferred: Deferred[Any]) -> None:
        self.deferred = deferred
        self._asyncio_future_blocking = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._callbacks: list[tuple[Callable[[Any], object], Context | None]] = []
        self._done = False
        self._cancelled = False
        self._outcome: Any = None

    def __iter__(self) -> Generator[DeferredWaiter, None, Any]:
        self._asyncio_future_blocking = True
        yield self
        return self._outcome

    def resumeDirectly(self, resume: Callable[[], object]) -> None:
        """For our driver: call `resume()` within the firing of the Deferred."""
        self._asyncio_future_blocking = False

        def keepAndResume(outcome: Any) -> None:
            self._outcome = outcome
            self._done = True
            resume()

        self.deferred._observe(keepAndResume)

    # for asyncio's Task

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the Task that asks."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Have the loop call `callback(self)` once the Deferred has a result."""
        self._callbacks.append((callback, context))
        if len(self._callbacks) == 1:
            self.deferred._observe(self._settle)
        elif self._done:
            self._schedule()

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Undo `add_done_callback`; returns how many were removed."""
        kept = [entry for entry in self._callbacks if entry[0] != callback]
        removed = len(self._callbacks) - len(kept)
        self._callbacks = kept
        return removed

    def done(self) -> bool:
        """Whether there is a result or the wait was cancelled."""
        return self._done

    def cancelled(self) -> bool:
        """Whether the wait was cancelled."""
        return self._cancelled

    def result(self) -> None:
        """Raises asyncio.CancelledError if the wait was cancelled; the result itself comes out of the
        iteration.
        """
        if self._cancelled:
            raise asyncio.CancelledError
        if not self._done:
            raise asyncio.InvalidStateError("the Deferred has no result yet")

    def cancel(self, msg: object = None) -> bool:
        """Cancel the Deferred; the waiting Task gets asyncio.CancelledError whatever becomes of it."""
        if self._done:
            return False
        self._done = self._cancelled = True
        self.deferred.cancel()
        self._schedule()
        return True

    def _settle(self, outcome: Any) -> None:
        if not self._done:
            self._outcome = outcome
            self._done = True
            self._schedule()

    def _schedule(self) -> None:
        loop = self.get_loop()
        callbacks, self._callbacks = self._callbacks, []
        for callback, context in callbacks:
            loop.call_soon(callback, self, context=context)
