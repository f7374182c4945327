"""The reactor's time, threads and listening ports."""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from zope.interface import implementer

from sennit.internet._calls import runLogged
from sennit.internet._delayed import LoopDelayedCall, checkDelay
from sennit.internet._loops import runningLoop, stateOf
from sennit.internet._ports import ListeningPort, listen
from sennit.internet._reactor_base import LoopChooser, homeLoop
from sennit.internet._sockets import UNIXListener, duplicateListening, listenOnTCP
from sennit.internet.interfaces import (
    IReactorSocket,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUNIX,
)
from sennit.python.threadpool import ThreadPool

_F = TypeVar("_F", bound=Callable[..., Any])

# Twisted's 50 is less than the number of clients that reconnect at once after a restart; Linux takes up to
# 4096.
_BACKLOG = 1024


@implementer(IReactorTime)
class ReactorTime(LoopChooser):
    """Time, and calls at a later one."""

    def seconds(self) -> float:
        """The time in seconds since the epoch."""
        return time.time()

    def callLater(
        self, delay: float, callable: Callable[..., object], /, *args: Any, **kw: Any
    ) -> LoopDelayedCall:
        """Call after `delay` seconds; an exception is logged, a coroutine is run.

        Returns the IDelayedCall by which that can be put off or cancelled. AssertionError for a negative
        delay.
        """
        checkDelay(delay)
        return LoopDelayedCall(self._loop(), delay, callable, args, kw)

    def getDelayedCalls(self) -> list[LoopDelayedCall]:
        """All calls that are to come, in no order."""
        return list(stateOf(self._loop()).delayedCalls)


@implementer(IReactorThreads)
class ReactorThreads(LoopChooser):
    """Other threads."""

    _pool: ThreadPool | None = None
    _poolSize = 10
    _poolLock = threading.Lock()

    def callFromThread(self, callable: Callable[..., object], /, *args: Any, **kw: Any) -> None:
        """From any thread: call in the reactor's, in the order of these calls. An exception is logged.

        In a thread of the pool the reactor's thread is the one from which the call into the pool was made.
        """
        self._loopForThreads().call_soon_threadsafe(runLogged, callable, args, kw)

    def callInThread(self, callable: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
        """Call in a thread of the pool; an exception is logged."""
        self.getThreadPool().callInThread(inThread(callable), *args, **kwargs)

    def getThreadPool(self) -> ThreadPool:
        """The pool, of 0 to 10 threads. It runs while the reactor, or another loop in this thread, does."""
        # Handlers in the threads of several loops may ask at the same time.
        with self._poolLock:
            pool = self._pool
            if pool is None:
                pool = self._pool = ThreadPool(0, self._poolSize, "reactor")
            if not pool.started and (self._ownIsRunning or runningLoop() is not None):
                pool.start()
            return pool

    def suggestThreadPoolSize(self, size: int) -> None:
        """Set how many threads the pool may have at most."""
        self._poolSize = size
        if self._pool is not None:
            self._pool.adjustPoolsize(maxthreads=size)


def inThread(function: _F) -> Callable[..., Any]:
    """`function`, so that in the pool's thread `callFromThread` finds its way back to this thread's loop."""
    home = runningLoop()

    def call(*args: Any, **kwargs: Any) -> Any:
        homeLoop.set(home)
        return function(*args, **kwargs)

    return call if home is not None else function


@implementer(IReactorTCP, IReactorUNIX, IReactorSocket)
class ReactorPorts(LoopChooser):
    """Listening.

    A factory with `engineService()`, as a Site has it, is served by the engine; any other one by its
    `buildProtocol`.
    """

    def listenTCP(
        self, port: int, factory: Any, backlog: int = _BACKLOG, interface: str = ""
    ) -> ListeningPort:
        """Listen on a TCP port (0: any that is free) of an interface (str, "" for all, IPv6 if it contains a
        colon).

        Returns the IListeningPort; raises CannotListenError.
        """
        return listen(self._loopToListen(factory), partial(listenOnTCP, port, interface, backlog), factory)

    def listenUNIX(
        self,
        address: str | bytes,
        factory: Any,
        backlog: int = _BACKLOG,
        mode: int = 0o666,
        wantPID: bool | int = False,
    ) -> ListeningPort:
        """Listen on a UNIX socket at the path `address`, whose file gets the permissions `mode`.

        A stale socket there, that nobody listens on, is replaced. With `wantPID` a locked file `address +
        ".lock"` with this process's id keeps others away. Returns the IListeningPort; raises
        CannotListenError.
        """
        bind = partial(UNIXListener, os.fsencode(address), backlog, mode, bool(wantPID))
        return listen(self._loopToListen(factory), bind, factory)

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> ListeningPort:
        """Serve a duplicate of `fileDescriptor`, a listening stream socket of `addressFamily`
        (`socket.AF_*`).

        Returns the IListeningPort; raises CannotListenError.
        """
        return listen(
            self._loopToListen(factory), partial(duplicateListening, fileDescriptor, addressFamily), factory
        )
