"""A worker process: a server that tells its supervisor how it is, and does as it is told."""

import asyncio
import faulthandler
import random
import signal
from typing import Any

from sennit.serving.gil import load_for
from sennit.serving.hang import Watchdog, rss
from sennit.serving.link import Link
from sennit.serving.observing import Observer
from sennit.serving.places import Place
from sennit.serving.server import Server
from sennit.serving.settings import SettingError, Settings
from sennit.serving.target import Target, TargetError

# Seconds between two signs of life, and two looks at what the worker has used up.
_BEAT = 0.5


def work(
    link: Link,
    settings: Settings,
    places: list[Place],
    target: Target | None,
    observer: Observer | None = None,
    number: int = 0,
) -> int:
    """Serve until the supervisor says stop, or is gone; returns the exit status. `target` is loaded here,
    unless it was before."""
    # Ctrl-C and a closed terminal reach all processes; the supervisor decides what comes of them. A handler,
    # rather than SIG_IGN, is not passed on to programs that the application starts.
    for left_alone in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(left_alone, lambda number, frame: None)
    try:
        server = Server(load_for(settings) if target is None else target, settings, places, observer, number)
    except (TargetError, SettingError) as mistake:
        link.send(failed=str(mistake))
        return 1
    server.share_connections()
    worker = _Worker(link, settings, server, observer)
    status = server.run(worker.tell_ready)
    worker.end()
    if server.failure is not None:
        link.send(failed=server.failure)
    return status


class _Worker:
    def __init__(self, link: Link, settings: Settings, server: Server, observer: Observer | None) -> None:
        self._link = link
        self._observer = observer
        self._server = server
        self._max_rss: int | None = settings.max_rss
        self._max_requests: int | None = None
        if settings.max_requests is not None:
            self._max_requests = settings.max_requests + random.randint(0, settings.max_requests_jitter)
        self._spent = False
        self._watchdog: Watchdog | None = None
        self._timeout: float = settings.timeout_worker
        server.reactor.callWhenRunning(self._listen)

    def _listen(self) -> None:
        self._loop = self._server.reactor._loop()
        self._loop.add_reader(self._link.fileno(), self._obey)

    def tell_ready(self) -> None:
        """Connections are accepted: say so, and give signs of life from now on."""
        self._link.send(ready=True, grace=self._server.site.stopGrace)
        if self._timeout:
            # Where no Python code runs any more, the supervisor's SIGABRT makes this print the stack.
            faulthandler.enable()
            self._watchdog = Watchdog(self._timeout, lambda text: self._link.send(hung=text))
            self._watchdog.start()
            self._server.threads.call_in_each(self._beat_in_thread)
        self._beat()

    def _beat(self) -> None:
        if self._watchdog is not None:
            self._watchdog.beat()
        self._link.send(alive=True)
        if self._observer is not None:
            self._observer.metrics.update()
        if not self._spent:
            self._look_for_excess()
        self._loop.call_later(self._pause(), self._beat)

    def _beat_in_thread(self) -> None:
        """The sign of life of another loop than the main thread's."""
        assert self._watchdog is not None
        self._watchdog.beat()
        asyncio.get_running_loop().call_later(self._pause(), self._beat_in_thread)

    def _pause(self) -> float:
        return min(_BEAT, self._timeout / 4 or _BEAT)

    def _look_for_excess(self) -> None:
        """Ask to be replaced when this process has done or taken all that it may."""
        reason = None
        service = self._server.site.service
        if service is None:
            return  # what is left of a worker whose port is closed
        served = service.requests
        if self._max_requests is not None and served >= self._max_requests:
            reason = f"it has answered {served} requests"
        elif self._max_rss is not None and (held := rss()) > self._max_rss:
            reason = f"it holds {held / 1e6:.0f} MB"
        if reason is not None:
            self._spent = True
            self._link.send(spent=reason)

    def _obey(self) -> None:
        messages = self._link.receive()
        if messages is None:
            # Nobody would replace or stop this process any more.
            self._loop.remove_reader(self._link.fileno())
            self._server.stop()
            return
        for message in messages:
            self._do(message)

    def _do(self, message: dict[str, Any]) -> None:
        match message.get("do"):
            case "stop":
                self._leave_signals_alone()
                self._server.stop()
            case "retire":
                self._leave_signals_alone()
                self._server.retire()
            case "cut":
                self._server.reactor.crash()

    def _leave_signals_alone(self) -> None:
        """A SIGTERM for the whole group, as service managers send it, is no second one: the supervisor says
        what has to be cut.
        """
        self._loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, lambda number, frame: None)

    def end(self) -> None:
        """Watch no longer."""
        if self._watchdog is not None:
            self._watchdog.stop()
