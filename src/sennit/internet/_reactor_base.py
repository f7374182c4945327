"""Which asyncio loop the reactor works on."""

import asyncio
import atexit
import os
from contextvars import ContextVar

from sennit.internet import _engines
from sennit.internet._loops import runningLoop, stateOf

# The loop from which a call in another thread was made; thread pools run calls in their caller's context.
homeLoop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("sennit home loop", default=None)


class LoopChooser:
    """The loop that runs in this thread, else the reactor's own one, made when it is first needed."""

    _own: asyncio.AbstractEventLoop | None = None
    _ownIsRunning = False

    @property
    def hasLoop(self) -> bool:
        """Whether the reactor's own loop was made."""
        return self._own is not None

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
        if self._own is None or self._own.is_closed():
            self._own = _engines.newEventLoop()
            atexit.register(_closeAtExit, self._own, os.getpid())
        return self._own


def _closeAtExit(loop: asyncio.AbstractEventLoop, maker: int) -> None:
    # A forked child shares the poller: closing the loop there would take the parent's descriptors out of it.
    if os.getpid() == maker and not loop.is_closed():
        stateOf(loop).close()
        loop.close()
