"""Which asyncio loop the reactor works on."""

from __future__ import annotations

import atexit
import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from sennit.internet import _engines
from sennit.internet._early import EarlyLoop
from sennit.internet._loops import runningLoop, stateOf

if TYPE_CHECKING:
    import asyncio

# The loop from which a call in another thread was made; thread pools run calls in their caller's context.
homeLoop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("sennit home loop", default=None)


class LoopChooser:
    """The loop that runs in this thread, else the reactor's own one, made when it is first needed."""

    _own: asyncio.AbstractEventLoop | None = None
    _ownIsRunning = False
    # What `_own` is made from where ports listen before asyncio is loaded.
    _early: EarlyLoop | None = None

    @property
    def hasLoop(self) -> bool:
        """Whether the reactor's own loop was made."""
        return self._own is not None or self._early is not None

    def _loop(self) -> asyncio.AbstractEventLoop:
        return runningLoop() or self._ownLoop()

    def _loopForThreads(self) -> asyncio.AbstractEventLoop:
        """The loop that a call from another thread is meant for."""
        running = runningLoop()
        if running is not None:
            return running
        home = homeLoop.get()
        if home is None or home.is_closed() or (self._ownIsRunning and not home.is_running()):
            return self._ownLoop()
        return home

    def _ownLoop(self) -> asyncio.AbstractEventLoop:
        own = self._own
        if own is None or own.is_closed():
            if own is None and self._early is not None:
                own = self._early.loop()
            else:
                own = _engines.newEventLoop()
            self._own = own
            atexit.register(_closeAtExit, own, os.getpid())
        return own

    def _loopToListen(self, factory: Any) -> asyncio.AbstractEventLoop:
        """The loop on which `factory` is to listen: one that is still to be made, where asyncio isn't loaded
        and the engine serves the factory by itself.
        """
        if self._own is not None or "asyncio" in sys.modules or not hasattr(factory, "engineService"):
            return self._loop()
        if self._early is None:
            self._early = EarlyLoop()
        return cast("asyncio.AbstractEventLoop", self._early)


def _closeAtExit(loop: asyncio.AbstractEventLoop, maker: int) -> None:
    # A forked child shares the poller: closing the loop there would take the parent's descriptors out of it.
    if os.getpid() == maker and not loop.is_closed():
        stateOf(loop).close()
        loop.close()
