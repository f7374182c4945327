"""The lifespan of an ASGI application: its start before the first request, and its end after the last."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

__all__ = ["Lifespan", "LifespanFailed"]

Mode: TypeAlias = Literal["auto", "on", "off"]

# Seconds that an application has to end after it has said that its start or its end has failed.
_LAST_WORDS = 1.0

_logger = logging.getLogger("sennit.web")


class LifespanFailed(Exception):
    """The application has said, or shown, that it can't start or hasn't ended well."""


class Lifespan:
    """Runs the lifespan of an application: `async with Lifespan(app):`, or `startup` and `shutdown`.

    `mode` is "auto" (an application that raises before it has started has no lifespan, which is fine), "on"
    (that is a failure) or "off" (the application isn't asked). `state` is the dict that the application may
    fill; each request has a shallow copy of it. It may be used by several at a time: the first one starts the
    application, the last one shuts it down. It can be used again after its end.
    """

    def __init__(self, app: Any, *, mode: Mode = "auto") -> None:
        if mode not in ("auto", "on", "off"):
            raise ValueError(f'the mode of a lifespan is "auto", "on" or "off", not {mode!r}')
        self.app = app
        self.mode = mode
        self.state: dict[str, Any] = {}
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._change = asyncio.Lock()
        self._run: _Run | None = None

    @property
    def isSupported(self) -> bool:
        """Whether the application has a lifespan and it goes on: known after `startup`."""
        return self._run is not None

    @property
    def isRunning(self) -> bool:
        """Whether somebody has started it, and the application may be called."""
        return self._users > 0

    async def startup(self) -> None:
        """Start the application, unless somebody has before. Raises LifespanFailed, and RuntimeError if it
        runs in another loop."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._users > 0:
                raise RuntimeError("the lifespan of an ASGI application runs in one loop at a time")
            self._loop = loop
            self._change = asyncio.Lock()
        async with self._change:
            if self._users == 0 and self.mode != "off":
                run = _Run(self.app, self.state)
                if await run.startUp(self.mode == "on"):
                    self._run = run
            self._users += 1

    async def shutdown(self) -> None:
        """End the application, unless others need it still. Raises LifespanFailed; does nothing without a
        `startup` before it."""
        async with self._change:
            if self._users == 0:
                return
            self._users -= 1
            if self._users == 0 and self._run is not None:
                run, self._run = self._run, None
                await run.shutDown()

    async def __aenter__(self) -> Self:
        await self.startup()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()


class _Run:
    """One call of the application with a lifespan scope, in a task of its own."""

    def __init__(self, app: Callable[..., Awaitable[None]], state: dict[str, Any]) -> None:
        self._app = app
        self._scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": state,
        }
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        # What has been asked of the application last, and what it said to that.
        self._asked = "startup"
        self._answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def startUp(self, isRequired: bool) -> bool:
        """Start the application; false if it has no lifespan. Raises LifespanFailed."""
        task = self._task = asyncio.create_task(self._call(), name="ASGI lifespan")
        if await self._ask("startup"):
            task.add_done_callback(_logEarlyEnd)
            return True
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        if isRequired:
            raise LifespanFailed("the ASGI application has no lifespan") from error
        _logger.info("The ASGI application has no lifespan: %r", error)
        return False

    async def shutDown(self) -> None:
        """End the application. Raises LifespanFailed."""
        assert self._task is not None
        self._task.remove_done_callback(_logEarlyEnd)
        if self._task.done():
            return
        self._answer = asyncio.get_running_loop().create_future()
        answered = await self._ask("shutdown")
        await self._letEnd()
        error = None if self._task.cancelled() else self._task.exception()
        if not answered and error is not None:
            raise LifespanFailed("the ASGI application has failed to shut down") from error

    async def _ask(self, what: str) -> bool:
        """Ask for a change, and wait until the application has made it; false if it ended instead."""
        assert self._task is not None
        self._asked = what
        self._messages.put_nowait({"type": f"lifespan.{what}"})
        both: list[asyncio.Future[Any]] = [self._answer, self._task]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not self._answer.done():
            return False
        complaint = self._answer.result()
        if complaint is None:
            return True
        await self._letEnd()
        raise LifespanFailed(complaint or f"the ASGI application's {what} has failed")

    async def _letEnd(self) -> None:
        assert self._task is not None
        await asyncio.wait([self._task], timeout=_LAST_WORDS)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_LAST_WORDS)
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # looked at, so that it isn't reported as forgotten

    async def _call(self) -> None:
        await self._app(self._scope, self._messages.get, self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind not in (f"lifespan.{self._asked}.complete", f"lifespan.{self._asked}.failed"):
            raise RuntimeError(f"an ASGI application can't send {kind!r} when asked for {self._asked}")
        if self._answer.done():
            raise RuntimeError(f"an ASGI application can't send {kind!r} twice")
        isComplete = kind.endswith(".complete")
        self._answer.set_result(None if isComplete else str(message.get("message", "")))


def _logEarlyEnd(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger.error("The lifespan of the ASGI application has ended with an error", exc_info=error)
