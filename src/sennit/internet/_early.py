"""Serving before asyncio is loaded.

Loading asyncio takes longer than all that a server does from its start to its first answer, and a program
whose handlers are ordinary functions never needs it. So `reactor.run` begins without: the engine serves by
itself, and the reactor's own loop is made as soon as there may be anything for it to do:

- something imports asyncio: a program's handler, or our own part of a coroutine's, of `callLater` and so on.
  If that is in the reactor's thread, the loop is there and running when the import statement is through, so
  that `asyncio.get_running_loop()` works in the next line;
- there is another thread, which might import it. Should it have done so in the very turn in which it was
  started, the loop is there and running for what is left of that turn, too;
- a signal has come that ends the reactor.

Then `EarlyLoop.serve` returns, and the loop goes on with the same engine and the same ports. It never comes
back: a process serves early once at most. Where asyncio was loaded before `run`, nothing of this takes place.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sennit.internet._engines import newEngine, newEventLoop
from sennit.internet._loops import LoopState, giveState

if TYPE_CHECKING:
    import asyncio
    from importlib.machinery import ModuleSpec

# What another thread has the reactor's run a function with. No system sends it.
_NUDGE = getattr(signal, "SIGSTKFLT", None)
_READABLE = 1  # as in `selectors`
_DRAINED_AT_ONCE = 4096


class EarlyLoop:
    """Stands for the reactor's own loop while that isn't made. Ports that the engine serves listen on it."""

    def __init__(self) -> None:
        self.state = LoopState()
        self.engine = self.state.engine = newEngine()
        giveState(self, self.state)
        self._calls: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._making = _thread.RLock()
        # The thread that serves early.
        self._thread: int | None = None
        # Gets longer when `serve` is to end: the engine looks at that after each turn.
        self._ends: list[None] = []
        self._hooks: Any = None

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Have the loop call, as soon as it is made."""
        self._calls.append((callback, args))

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop itself, from now on in place of this object. From any thread."""
        # Before the lock is taken, since another thread that is importing it may need the lock.
        import asyncio  # noqa: F401

        with self._making:
            if self._loop is None:
                self._loop = loop = newEventLoop(self.engine)
                giveState(loop, self.state)
                for port in self.state.ports | self.state.endedPorts:
                    port.moveTo(loop)
                for callback, args in self._calls:
                    loop.call_soon(callback, *args)
                self._ends.append(None)
            return self._loop

    def mayServe(self) -> bool:
        """Whether `serve` would serve at all: nothing has loaded asyncio, no thread might do so."""
        return (
            self._loop is None
            and not _mayBeLoaded()
            and threading.current_thread() is threading.main_thread()
        )

    def serve(self, signals: Sequence[int]) -> None:
        """Serve until the loop is needed, or a Python handler has put something into `signals`."""
        self._thread = _thread.get_ident()
        importing = _Importing(self._enter)
        sys.meta_path.insert(0, importing)
        try:
            with _Nudges(self._enter), _WakingSignals(self.engine) as waking:
                while not (signals or self._ends or _mayBeLoaded()):
                    self.engine.wait(None, _OtherThreads(), self._ends)
                    waking.drain()
        finally:
            self._thread = None
            importing.uninstall()
            self._leave()

    def _enter(self) -> None:
        """asyncio has been loaded. Let its loop be the running one for what is left of the engine's turn,
        which is on this thread's stack: what `run_forever` does at its beginning.
        """
        if self._thread is None or self._hooks is not None:
            return
        if _thread.get_ident() != self._thread:
            if _NUDGE is not None:
                _thread.interrupt_main(_NUDGE)
            return
        import asyncio

        try:
            loop: Any = self.loop()
        except OSError:
            # Out of descriptors. That is no fault of the import; `run` will meet it, too, and raise it.
            self._ends.append(None)
            return
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(
            firstiter=loop._asyncgen_firstiter_hook, finalizer=loop._asyncgen_finalizer_hook
        )
        loop._thread_id = self._thread
        asyncio._set_running_loop(loop)

    def _leave(self) -> None:
        """Undo `_enter`: `run_forever` does it again."""
        if self._hooks is None:
            return
        import asyncio

        loop: Any = self.loop()
        sys.set_asyncgen_hooks(*self._hooks)
        loop._thread_id = None
        asyncio._set_running_loop(None)


def _mayBeLoaded() -> bool:
    return "asyncio" in sys.modules or _thread._count() > 0


class _OtherThreads:
    """As long as there are other threads than this one: what the engine takes for a loop's waiting calls, so
    that it returns after the turn in which one was started.
    """

    __len__ = staticmethod(_thread._count)


class _Nudges:
    """For its time, calls `nudged()` in the main thread when `_thread.interrupt_main(_NUDGE)` is called in
    another one.
    """

    def __init__(self, nudged: Callable[[], None]) -> None:
        self._nudged = nudged

    def __enter__(self) -> None:
        if _NUDGE is not None:
            self._previous = signal.signal(_NUDGE, lambda number, frame: self._nudged())

    def __exit__(self, *error: object) -> None:
        if _NUDGE is not None:
            signal.signal(_NUDGE, self._previous or signal.SIG_DFL)


class _WakingSignals:
    """Ends the engine's wait whenever a signal comes. Without this, one that comes in the moment before it
    would only be handled after it.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __enter__(self) -> _WakingSignals:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._engine.watch(self._reading, _READABLE)
        self._previous = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        return self

    def drain(self) -> None:
        """Forget the signals that have come."""
        try:
            os.read(self._reading, _DRAINED_AT_ONCE)
        except BlockingIOError:
            pass

    def __exit__(self, *error: object) -> None:
        signal.set_wakeup_fd(self._previous)
        self._engine.unwatch(self._reading)
        os.close(self._reading)
        os.close(self._writing)


class _Importing:
    """A finder that has the others find asyncio, and calls `loaded()` when it is loaded, before the import
    statement is through.
    """

    def __init__(self, loaded: Callable[[], None]) -> None:
        self._loaded = loaded

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "asyncio":
            return None
        self.uninstall()
        found = (finder.find_spec(fullname, path, target) for finder in list(sys.meta_path))
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            telling: Any = _TellingLoader(spec.loader, self._loaded)
            spec.loader = telling
        return spec

    def uninstall(self) -> None:
        """Find nothing any more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _TellingLoader:
    """Loads a module as `loader` does, whose place it takes only for that, and calls `loaded()`."""

    def __init__(self, loader: Any, loaded: Callable[[], None]) -> None:
        self._loader = loader
        self._loaded = loaded

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._loaded()
