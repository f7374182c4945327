"""Serving in this process: what a worker does, and a server that needs no workers."""

import asyncio
import logging
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import sennit
from sennit import _engine
from sennit.internet._loops import stateOf
from sennit.serving.application import Application
from sennit.serving.notify import notify, watchdog_interval
from sennit.serving.observing import Observer
from sennit.serving.places import Place
from sennit.serving.settings import SettingError, Settings
from sennit.serving.target import Target
from sennit.serving.threads import LoopThreads

if TYPE_CHECKING:
    from sennit.internet._ports import ListeningPort

_logger = logging.getLogger("sennit.serving")

# Seconds that a connection of a worker that is being replaced may have been silent for before it is closed:
# its client may be about to send its next request.
_PATIENCE = 1.0
# Seconds after which a program has mostly loaded and made what it keeps.
_WARM = 60


class Server:
    """Serves one application on sockets that are open, until it is stopped."""

    def __init__(
        self,
        target: Target,
        settings: Settings,
        places: list[Place],
        observer: Observer | None = None,
        number: int = 0,
    ) -> None:
        """`number` is this worker's, for `observer`. Raises SettingError for settings that don't go with the
        target."""
        # The reactor is made with the process that runs it: it can't be shared over a fork.
        from sennit.internet import reactor

        self.reactor: Any = reactor
        self.application = Application(target, settings)
        self._places = [(place, self.application.site) for place in places]
        if observer is not None:
            self._places.append((observer.place, observer.site(number)))
            self.application.site.metrics = observer.metrics
        self._ports: list[ListeningPort] = []
        self._huge_pages: bool = settings.huge_pages
        self.threads = LoopThreads(settings.threads - 1)
        if self.threads:
            if self.site.sessionKeeper is not None:
                raise SettingError(
                    "--threads: TARGET's Site keeps its sessions in a store, which works in one event loop:"
                    " use --workers"
                )
            self.share_connections()
        # Why the application could not start: its traceback.
        self.failure: str | None = None
        self._ending = False

    @property
    def site(self) -> Any:
        """The site that is served."""
        return self.application.site

    def share_connections(self) -> None:
        """Others accept from the same sockets: whoever is awake first must not take all that wait there."""
        self.site.acceptsPerTurn = 1

    def run(self, ready: Callable[[], object]) -> int:
        """Serve; returns the exit status once all has ended. `ready` is called when connections are
        accepted."""
        reactor = self.reactor
        reactor.callWhenRunning(self._start, ready)
        reactor.addSystemEventTrigger("during", "shutdown", self._shut_down)
        try:
            reactor.run()
        finally:
            self.threads.end()
        return 0 if self.failure is None else 1

    async def _start(self, ready: Callable[[], object]) -> None:
        try:
            await self.application.start_up()
            await self._start_threads()
        except Exception:
            self.failure = "The application failed to start\n" + traceback.format_exc().rstrip()
            self.reactor.stop()
            return
        for place, site in self._places:
            descriptor = place.socket.fileno()
            self._ports.append(self.reactor.adoptStreamPort(descriptor, place.socket.family, site))
            # That was a duplicate: with this one open, the system would go on to accept after the port is
            # closed.
            place.socket.close()
        ready()
        if self._huge_pages:
            _gather_memory()
            self.reactor.callLater(_WARM, _gather_memory)

    async def _start_threads(self) -> None:
        stateOf(asyncio.get_running_loop()).drains.append(self.threads.drain)
        # What shows the metrics is served by one loop.
        await self.threads.start([(place, site) for place, site in self._places if site is self.site])

    async def _shut_down(self) -> None:
        if self.failure is None:
            await self.application.shut_down()

    def stop(self) -> None:
        """Stop in order: connections that wait for a request are closed at once."""
        if not self.reactor.stopping:
            self._ending = True
            self.reactor.stop()

    def retire(self) -> None:
        """Stop once others have taken over: clients get the time to go to them by themselves."""
        if not self._ending:
            self._ending = True
            self._retirement = asyncio.ensure_future(self._retire())

    async def _retire(self) -> None:
        grace = self.site.stopGrace
        grace = math.inf if grace is None else grace
        drains = [port.drain(grace, idle=_PATIENCE) for port in self._ports]
        await asyncio.gather(*drains, self.threads.drain(grace, idle=_PATIENCE))
        if not self.reactor.stopping:
            self.reactor.stop()


def _gather_memory() -> None:
    """Move this process's memory into huge pages, in a thread: the more there is, the longer it takes."""
    threading.Thread(target=_engine.gather_memory, name="sennit-memory", daemon=True).start()


def serve_alone(target: Target, settings: Settings, places: list[Place], observer: Observer | None) -> int:
    """Serve in this process until a signal ends it; returns the exit status."""
    # A shell that starts it in the background has it ignore this one; the reactor takes over what is Python's
    # own.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A terminal that is closed sends this.
    signal.signal(signal.SIGHUP, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    server = Server(target, settings, places, observer)

    def ready() -> None:
        announce(target, places)
        notify("READY=1")
        interval = watchdog_interval()
        if interval is not None:
            _give_signs(server, interval)

    server.reactor.addSystemEventTrigger("before", "shutdown", notify, "STOPPING=1")
    status = server.run(ready)
    if server.failure is not None:
        _logger.error("%s", server.failure)
    return status


def _give_signs(server: Server, interval: float) -> None:
    """Tell systemd that the loops run, now and every `interval` seconds."""
    server.threads.after_a_round(partial(notify, "WATCHDOG=1"))
    server.reactor.callLater(interval, _give_signs, server, interval)


def announce(target: Target | str, places: list[Place]) -> None:
    """Log that all is up, with the URL to visit."""
    where = ", ".join(place.url for place in places)
    stopped = "; Ctrl-C stops it" if sys.stdin is not None and sys.stdin.isatty() else ""
    _logger.info("Sennit %s serves %s on %s%s", sennit.__version__, target, where, stopped)
