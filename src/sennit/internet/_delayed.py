"""Calls that are to come: the reactor's, on an asyncio loop."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sennit.internet._calls import runLogged
from sennit.internet._loops import stateOf
from sennit.internet.error import AlreadyCalled, AlreadyCancelled
from sennit.internet.interfaces import IDelayedCall

if TYPE_CHECKING:
    import asyncio


def checkDelay(delay: float) -> None:
    """AssertionError for a negative delay: what programs that check for this expect."""
    if not delay >= 0:
        raise AssertionError(f"{delay!r} is not greater than or equal to 0 seconds")


@implementer(IDelayedCall)
class DelayedCall(ABC):
    """What delayed calls of the reactor and of `task.Clock` have in common."""

    __slots__ = ("args", "called", "cancelled", "func", "kw", "time")

    def __init__(
        self, due: float, func: Callable[..., object], args: tuple[Any, ...], kw: dict[str, Any]
    ) -> None:
        self.time = due
        self.func: Callable[..., object] | None = func
        self.args = args
        self.kw = kw
        self.called = False
        self.cancelled = False

    def active(self) -> bool:
        """Whether it is still to come."""
        return not (self.called or self.cancelled)

    def getTime(self) -> float:
        """When it will be called, in seconds on the clock of `seconds()`."""
        return self.time

    def cancel(self) -> None:
        """Don't call it. Raises AlreadyCalled or AlreadyCancelled."""
        self._checkActive()
        self.cancelled = True
        self._disarm()
        self._forget()

    def reset(self, secondsFromNow: float) -> None:
        """Call it `secondsFromNow` from now instead. Raises AlreadyCalled or AlreadyCancelled."""
        self._checkActive()
        checkDelay(secondsFromNow)
        self._setFromNow(secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        """Call it `secondsLater` later than planned (earlier if negative). Raises as `reset` does."""
        self._checkActive()
        self._postpone(secondsLater)

    def _checkActive(self) -> None:
        if self.cancelled:
            raise AlreadyCancelled
        if self.called:
            raise AlreadyCalled

    def _forget(self) -> None:
        """Let go of the function and its arguments; handles are often kept long after."""
        self.func = None
        self.args, self.kw = (), {}

    def _call(self) -> None:
        function, args, kw = self.func, self.args, self.kw
        self.called = True
        self._forget()
        if function is not None:
            runLogged(function, args, kw)

    @abstractmethod
    def _disarm(self) -> None:
        """Stop what would call it."""

    @abstractmethod
    def _setFromNow(self, seconds: float) -> None:
        """Have it called in so many seconds."""

    @abstractmethod
    def _postpone(self, seconds: float) -> None:
        """Have it called so much later than planned."""

    def __repr__(self) -> str:
        state = "called" if self.called else "cancelled" if self.cancelled else "active"
        return f"<{type(self).__name__} {id(self):#x} of {self.func!r} due at {self.time} {state}>"


class LoopDelayedCall(DelayedCall):
    """A call on an asyncio loop.

    Putting it off only notes the new time: the timer looks at that when it goes off, and is then set anew. A
    timeout that is put off by each event thus costs no timer each time.
    """

    __slots__ = ("_due", "_handle", "_loop", "_setFor")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        delay: float,
        func: Callable[..., object],
        args: tuple[Any, ...],
        kw: dict[str, Any],
    ) -> None:
        super().__init__(time.time() + delay, func, args, kw)
        self._loop = loop
        # On the loop's clock, which unlike `time` is never set back.
        self._due = self._setFor = loop.time() + delay
        self._handle = loop.call_at(self._due, self._goOff)
        stateOf(loop).delayedCalls.add(self)

    def _goOff(self) -> None:
        if self._due > self._setFor:
            self._arm()
        else:
            stateOf(self._loop).delayedCalls.discard(self)
            self._call()

    def _arm(self) -> None:
        self._setFor = self._due
        self._handle = self._loop.call_at(self._due, self._goOff)

    def _disarm(self) -> None:
        self._handle.cancel()
        stateOf(self._loop).delayedCalls.discard(self)

    def _setFromNow(self, seconds: float) -> None:
        self.time = time.time() + seconds
        self._moveTo(self._loop.time() + seconds)

    def _postpone(self, seconds: float) -> None:
        self.time += seconds
        self._moveTo(self._due + seconds)

    def _moveTo(self, due: float) -> None:
        self._due = due
        if due < self._setFor:
            self._handle.cancel()
            self._arm()
