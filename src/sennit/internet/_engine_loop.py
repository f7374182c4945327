"""The event loop that is Sennit's own: asyncio's, with its queues, timers and turns in the engine."""

import asyncio
from asyncio import format_helpers
from collections.abc import Callable
from contextvars import Context
from logging import getLogger
from types import MethodType
from typing import TYPE_CHECKING, Any

from sennit._engine import EventLoopBase

if TYPE_CHECKING:
    from sennit.internet._engines import EngineSelector


_logger = getLogger("asyncio")


class EngineLoop(EventLoopBase, asyncio.SelectorEventLoop):
    """What runs all the time is `EventLoopBase`'s, the rest asyncio's. In debug mode asyncio makes the
    handles, so that they know where they were made.
    """

    def __init__(self, selector: "EngineSelector") -> None:
        super().__init__(selector)
        self._selector = selector
        self._ready, self._scheduled = self._setUp(selector.engine)

    def close(self) -> None:
        super().close()
        self._end()

    def set_debug(self, enabled: bool) -> None:
        super().set_debug(enabled)
        # Each new Task asks, from C, and calling C back costs a fifth of what running a method in Python
        # does.
        self.get_debug = bool(enabled).__bool__  # type: ignore[method-assign]
        for name, method in _IN_DEBUG_MODE.items():
            if enabled:
                self.__dict__[name] = MethodType(method, self)
            else:
                self.__dict__.pop(name, None)

    def run_forever(self) -> None:
        # In the loop's first turn, since only the method tells that the loop runs already.
        marked = self.call_soon(self._answerQuickly)
        try:
            super().run_forever()
        finally:
            marked.cancel()
            self.__dict__.pop("is_running", None)

    def _answerQuickly(self) -> None:
        self.is_running = True.__bool__  # type: ignore[method-assign]

    def _serveDescriptors(self, ready: list[tuple[int, int]]) -> None:
        """The engine has found these descriptors ready, and what for."""
        self._process_events(self._selector.eventsOf(ready))  # type: ignore[attr-defined]

    def _reportFailure(
        self,
        handle: asyncio.Handle,
        callback: Callable[..., object],
        arguments: tuple[object, ...],
        exception: BaseException,
    ) -> None:
        """A callback has raised."""
        source = format_helpers._format_callback_source(callback, arguments)
        context = {"message": f"Exception in callback {source}", "exception": exception, "handle": handle}
        self.call_exception_handler(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A timer of asyncio's: it is passed over when its time has come."""


def _callAt(
    loop: Any, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
) -> asyncio.TimerHandle:
    """`call_at` in debug mode."""
    loop._check_closed()
    loop._check_thread()
    loop._check_callback(callback, "call_at")
    timer: Any = asyncio.TimerHandle(when, callback, args, loop, context)
    if timer._source_traceback:
        del timer._source_traceback[-1]
    loop._scheduled.append(timer)
    return timer  # type: ignore[no-any-return]


def _runOnce(loop: Any) -> None:
    """`_run_once` in debug mode: with an eye on callbacks that take their time."""
    loop._waitForWork()
    for _ in range(len(loop._ready)):
        if not loop._ready:
            return  # closed
        handle = loop._ready.popleft()
        if handle._cancelled:
            continue
        loop._current_handle = handle
        try:
            began = loop.time()
            handle._run()
            seconds = loop.time() - began
            if seconds >= loop.slow_callback_duration:
                task = getattr(handle._callback, "__self__", None)
                what = task if isinstance(task, asyncio.Task) else handle
                _logger.warning("Executing %r took %.3f seconds", what, seconds)
        finally:
            loop._current_handle = None


_IN_DEBUG_MODE: dict[str, Callable[..., Any]] = {
    "call_soon": asyncio.SelectorEventLoop.call_soon,
    "_call_soon": asyncio.SelectorEventLoop._call_soon,  # type: ignore[attr-defined]
    "call_later": asyncio.SelectorEventLoop.call_later,
    "call_at": _callAt,
    "create_future": asyncio.SelectorEventLoop.create_future,
    "_run_once": _runOnce,
}
