"""What Sennit keeps for each asyncio loop: its engine, its listening ports, its delayed calls."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from sennit._engine import Engine
    from sennit.internet._delayed import LoopDelayedCall
    from sennit.internet._ports import ListeningPort

_ATTRIBUTE = "_sennitLoopState"


class LoopState:
    """What belongs to one loop, and ends with it."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.ports: set[ListeningPort] = set()
        # Those that no longer listen, but may have connections.
        self.endedPorts: set[ListeningPort] = set()
        # What the reactor has to end together with its ports.
        self.drains: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self.delayedCalls: set[LoopDelayedCall] = set()
        self._guard: AsyncGenerator[None, None] | None = None

    def closeWith(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close ports and engine when `loop`, somebody else's, ends.

        Loops have no hook for this, except that `asyncio.run` (and uvloop's) closes their asynchronous
        generators. So we start one.
        """
        if self._guard is not None:
            return
        self._guard = self._closeAtEnd()
        if runningLoop() is loop:
            self._startGuard()
        else:
            loop.call_soon(self._startGuard)

    def _startGuard(self) -> None:
        assert self._guard is not None
        try:
            self._guard.__anext__().send(None)
        except StopIteration:  # how a generator that doesn't wait hands out its value
            pass

    async def _closeAtEnd(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.close()

    def close(self) -> None:
        """Close the ports, and the engine with all its connections."""
        for port in self.ports | self.endedPorts:
            port.stopListening()
            port.abortConnections()
        if self.engine is not None:
            self.engine.set_flush_hook(None)
            self.engine.close()
            self.engine = None


def stateOf(loop: asyncio.AbstractEventLoop) -> LoopState:
    """The state of a loop, made on first use.

    It is an attribute of the loop: a WeakKeyDictionary would never let go of a loop that its state refers to.
    """
    state: LoopState | None = getattr(loop, _ATTRIBUTE, None)
    if state is None:
        state = LoopState()
        giveState(loop, state)
    return state


def giveState(loop: object, state: LoopState) -> None:
    """Make `state` that of a loop."""
    setattr(loop, _ATTRIBUTE, state)


def runningLoop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread, None if none does."""
    # Where nobody has loaded asyncio there is none; another thread may be loading it.
    ask: Any = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return None if ask is None else ask()
