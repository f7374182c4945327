"""`--threads`: event loops in threads, which serve what the main thread's loop serves."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sennit.internet._ports import ListeningPort
    from sennit.serving.places import Place

# Seconds that the handlers of a loop have to end once they are cancelled.
_LAST_WORDS = 1.0


class LoopThread:
    """An event loop in a thread of its own. All its methods are for the main thread's loop."""

    def __init__(self, number: int) -> None:
        self._ports: list[ListeningPort] = []
        self._running = threading.Event()
        self._loop: Any = None
        self._end: Any = None
        self._thread = threading.Thread(target=self._run, name=f"sennit-loop-{number}", daemon=True)

    def start(self) -> None:
        """Start the thread; returns when its loop runs. RuntimeError if none can be made."""
        self._thread.start()
        self._running.wait()
        if self._loop is None:
            raise RuntimeError(f"there is no event loop for the thread {self._thread.name}")

    def _run(self) -> None:
        from sennit.internet._engines import newEventLoop

        try:
            with asyncio.Runner(loop_factory=newEventLoop) as runner:
                runner.run(self._wait())
        finally:
            self._running.set()

    async def _wait(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._running.set()
        await self._end.wait()
        for port in self._ports:
            port.stopListening()
            port.abortConnections()

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Call in its thread, soon."""
        self._loop.call_soon_threadsafe(function, *args)

    async def _here(self, work: Coroutine[Any, Any, None]) -> None:
        # A cancelled wait cancels the work.
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def listen(self, places: "list[tuple[Place, Any]]") -> None:
        """Serve in these places, too."""
        await self._here(self._listen(places))

    async def _listen(self, places: "list[tuple[Place, Any]]") -> None:
        from sennit.internet import reactor

        for place, site in places:
            self._ports.append(reactor.adoptStreamPort(place.socket.fileno(), place.socket.family, site))

    async def drain(self, grace: float | None = None, idle: float = 0.0) -> None:
        """Stop serving, as a port's `drain` does."""
        await self._here(self._drain(grace, idle))

    async def _drain(self, grace: float | None, idle: float) -> None:
        await asyncio.gather(*(port.drain(grace, idle) for port in self._ports))

    def end(self) -> None:
        """Cut what is left, and end the loop. One that hangs is left behind: it ends with the process."""
        if self._loop is not None and not self._loop.is_closed():
            self.call(self._end.set)
            self._thread.join(_LAST_WORDS)


class LoopThreads:
    """The loops beside the main thread's."""

    def __init__(self, count: int) -> None:
        self._all = [LoopThread(number) for number in range(1, count + 1)]

    def __bool__(self) -> bool:
        return bool(self._all)

    async def start(self, places: "list[tuple[Place, Any]]") -> None:
        """Start them, and have each serve in these places."""
        for thread in self._all:
            thread.start()
            await thread.listen(places)

    async def drain(self, grace: float | None = None, idle: float = 0.0) -> None:
        """Have all stop serving, as a port's `drain` does."""
        await asyncio.gather(*(thread.drain(grace, idle) for thread in self._all))

    def call_in_each(self, function: Callable[..., object], *args: object) -> None:
        """Call in the thread of each, soon."""
        for thread in self._all:
            thread.call(function, *args)

    def after_a_round(self, done: Callable[[], object]) -> None:
        """Call `done` once every loop has had a turn; never, if one of them hangs."""
        call: Callable[[], object] = done
        for thread in self._all:
            call = partial(thread.call, call)
        call()

    def end(self) -> None:
        """Cut what is left, and end all."""
        for thread in self._all:
            thread.end()
