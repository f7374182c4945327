"""The reactor: Twisted's interface to the event loop.

One object serves the whole process. In a thread whose asyncio loop is running it works on that loop;
elsewhere on its own one, which `run` runs. So the same calls work in a classic program (`reactor.listenTCP`,
`reactor.run`) and inside of `asyncio.run(main())`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from zope.interface import implementer

from sennit.internet._calls import startTask
from sennit.internet._clients import ReactorClients
from sennit.internet._handlers import endTasks
from sennit.internet._loops import runningLoop, stateOf
from sennit.internet._processes import ReactorProcesses
from sennit.internet._reactor_parts import ReactorPorts, ReactorThreads, ReactorTime
from sennit.internet._triggers import SystemEvents, TriggerID
from sennit.internet.defer import Deferred
from sennit.internet.error import ReactorAlreadyRunning, ReactorNotRunning
from sennit.internet.interfaces import IReactorCore
from sennit.python import log
from sennit.python._later import asyncio

# Seconds that calls in the thread pool are given at the end; they can't be cut, only left behind.
_POOL_GRACE = 10.0


@implementer(IReactorCore)
class Reactor(ReactorTime, ReactorThreads, ReactorPorts, ReactorClients, ReactorProcesses):
    """Serves events. `from sennit.internet import reactor` gives the one of the process."""

    def __init__(self) -> None:
        self._events = SystemEvents()
        self._started = False
        self._stopping = False
        self._shutdown: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether events are being served: by `run`, or by another loop in this thread."""
        return self._started or (runningLoop() is not None and not self._ownIsRunning)

    @property
    def stopping(self) -> bool:
        """Whether `run` is about to end."""
        return self._stopping or not self._ownIsRunning

    def run(self, installSignalHandlers: bool = True) -> None:
        """Serve events until `stop` is called, or SIGINT or SIGTERM comes.

        It may be called again afterwards. Signals are handled only in the main thread, and SIGINT only if the
        program has no handler of its own. Raises ReactorAlreadyRunning if this or another loop runs in this
        thread.
        """
        self._checkNotRunning()
        self._ownIsRunning = True
        signals = _Signals(self._onSignal) if installSignalHandlers else None
        started: asyncio.Handle | None = None
        try:
            if self._mayServeEarly():
                self._serveEarly(signals)
            loop = self._ownLoop()
            if signals is not None:
                signals.handleOn(loop)
            started = loop.call_soon(self._startUp)
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            # A callback ends the process, but the program's triggers still run and its clients get their
            # answers.
            if started is not None:
                started.cancel()
            if not self._stopping:
                self._stopping = True
                self._beginShutdown()
            self._ownLoop().run_forever()
            raise
        finally:
            self._started = self._stopping = False
            endTasks(self._ownLoop())
            self._ownIsRunning = False
            self._shutdown = None
            if signals is not None:
                signals.restore()

    def _mayServeEarly(self) -> bool:
        """Whether there is nothing yet that needs the loop."""
        early = self._early if self._own is None and self._pool is None else None
        return early is not None and early.mayServe() and not self._events.areAwaited("startup")

    def _serveEarly(self, signals: _Signals | None) -> None:
        assert self._early is not None
        self._started = True
        try:
            self._early.serve(signals.record() if signals is not None else ())
        except (SystemExit, KeyboardInterrupt):
            if signals is not None:
                signals.handleOn(self._ownLoop())
            raise

    def _checkNotRunning(self) -> None:
        if self._ownIsRunning:
            raise ReactorAlreadyRunning("the reactor is running already")
        if runningLoop() is not None:
            raise ReactorAlreadyRunning(
                "an asyncio loop is running in this thread; the reactor works on that one and needs no run()"
            )

    def _startUp(self) -> None:
        if self._pool is not None:
            self._pool.start()
        if not self._started:
            self._started = True
            self._events.fire("startup")

    def stop(self) -> None:
        """End `run` in order; may be called from any thread.

        The ports stop listening, the "before" triggers of "shutdown" run, idle connections are closed and
        running requests get the `stopGrace` of their Site, then the "during" and "after" triggers run. Raises
        ReactorNotRunning if it isn't running, or stopping already.
        """
        if not self._ownIsRunning:
            raise ReactorNotRunning("the reactor is not running: there is nothing to stop")
        if self._stopping:
            raise ReactorNotRunning("the reactor is stopping already")
        self._stopping = True
        self._ownLoop().call_soon_threadsafe(self._beginShutdown)

    def crash(self) -> None:
        """End `run` at once, without the shutdown events. Ports go on listening; the next `run` will serve
        them.
        """
        if self._own is not None or self._ownIsRunning:
            self._ownLoop().stop()

    def iterate(self, delay: float = 0) -> None:
        """Serve events for `delay` seconds, or only those that are waiting. Raises ReactorAlreadyRunning as
        `run`.
        """
        self._checkNotRunning()
        loop = self._ownLoop()
        if delay > 0:
            loop.call_later(delay, loop.stop)
        else:
            loop.call_soon(loop.stop)
        self._ownIsRunning = True
        try:
            loop.run_forever()
        finally:
            self._ownIsRunning = False

    # system events

    def addSystemEventTrigger(
        self, phase: str, eventType: str, callable: Callable[..., Any], /, *args: Any, **kw: Any
    ) -> TriggerID:
        """Have `callable` called once in the phase "before", "during" or "after" of an event.

        The reactor's own events are "startup" and "shutdown". The rest of the event waits for a Deferred or
        other awaitable that a "before" trigger returns. Returns what `removeSystemEventTrigger` takes;
        ValueError for another phase.
        """
        return self._events.add(phase, eventType, callable, args, kw)

    def removeSystemEventTrigger(self, triggerID: TriggerID) -> None:
        """Undo `addSystemEventTrigger`. ValueError if it was called or removed already."""
        self._events.remove(triggerID)

    def fireSystemEvent(self, eventType: str) -> Deferred[None]:
        """Call the triggers of an event; the Deferred fires when they have ended."""
        return self._events.fire(eventType)

    def callWhenRunning(self, callable: Callable[..., Any], /, *args: Any, **kw: Any) -> TriggerID | None:
        """Call once the reactor runs: at once if it does, else at its startup; then returns the trigger's
        id.
        """
        if self.running:
            result = callable(*args, **kw)
            if isinstance(result, Coroutine):
                startTask(result)
            return None
        return self._events.add("after", "startup", callable, args, kw)

    # stopping

    def _onSignal(self, number: int) -> None:
        if not self._stopping:
            log.msg(f"Received {signal.Signals(number).name}, shutting down.")
            self.stop()
        elif self._shutdown is not None:
            log.msg(f"Received {signal.Signals(number).name} again, closing all connections.")
            self._shutdown.cancel()

    def _beginShutdown(self) -> None:
        self._shutdown = self._ownLoop().create_task(self._shutDownAndEnd())

    async def _shutDownAndEnd(self) -> None:
        try:
            await self._shutDown()
        except asyncio.CancelledError:
            pass  # the second signal: what is left is cut
        except Exception:
            log.err(None, "Unhandled error while stopping")
        finally:
            # After a crash, this is only one of the tasks that are being ended.
            if self._stopping:
                asyncio.get_running_loop().stop()

    async def _shutDown(self) -> None:
        """What `stop` describes. Cancelling it resets the connections that are left."""
        state = stateOf(asyncio.get_running_loop())
        ports = state.ports | state.endedPorts
        draining = [asyncio.ensure_future(port.drain()) for port in ports]
        draining += [asyncio.ensure_future(drain()) for drain in state.drains]
        state.drains.clear()
        try:
            # Let each stop to listen before the program's triggers may close what requests need.
            await asyncio.sleep(0)
            await self._events.call("before", "shutdown")
            await asyncio.gather(*draining)
            await self._events.call("during", "shutdown")
            await self._stopPool()
            await self._events.call("after", "shutdown")
        finally:
            for drain in draining:
                drain.cancel()
            await asyncio.gather(*draining, return_exceptions=True)

    async def _stopPool(self) -> None:
        """Let the calls in threads end, in a thread: those may need this loop for it."""
        pool, self._pool = self._pool, None
        if pool is None or not pool.workers:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def stopAndTell() -> None:
            pool.stop(_POOL_GRACE)
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=stopAndTell, daemon=True).start()
        await ended.wait()


class _Signals:
    """Handlers of SIGINT and SIGTERM, for as long as the reactor runs."""

    def __init__(self, onSignal: Callable[[int], None]) -> None:
        self._onSignal = onSignal
        self._loop: asyncio.AbstractEventLoop | None = None
        self._received: list[int] = []
        self._previous: dict[int, Any] = {}
        # Python lets only the main thread handle signals.
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            previous = signal.getsignal(number)
            if number == signal.SIGINT and previous is not signal.default_int_handler:
                continue
            self._previous[number] = previous

    def record(self) -> list[int]:
        """Only take down the signals that come, until `handleOn`. Returns the list of them."""
        for number in self._previous:
            signal.signal(number, lambda number, frame: self._received.append(number))
        return self._received

    def handleOn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have `loop` handle them, and those that were taken down."""
        self._loop = loop
        for number in self._previous:
            loop.add_signal_handler(number, self._onSignal, number)
        for number in self._received:
            loop.call_soon(self._onSignal, number)

    def restore(self) -> None:
        """Put the handlers from before back."""
        for number, previous in self._previous.items():
            if self._loop is not None:
                self._loop.remove_signal_handler(number)
            if previous is not None:
                signal.signal(number, previous)
