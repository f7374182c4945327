"""The engine of each asyncio loop: the one that is our own, and those of other people.

Our own loop waits in the engine itself, which is its selector: one system call waits for everything. Any
other loop (plain asyncio, uvloop) watches the engine's descriptor and calls `poll` when that is readable.
"""

from __future__ import annotations

import selectors
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sennit.internet._loops import stateOf

if TYPE_CHECKING:
    import asyncio

    from sennit._engine import Engine

# Seconds. A foreign loop's timer isn't told of deadlines that come up meanwhile, so it never sleeps longer.
_LONGEST_TICK = 0.25


def newEngine() -> Engine:
    # Imported when first needed: Deferreds, tasks and plain protocols work without the extension.
    from sennit._engine import Engine

    return Engine()


def engineFor(loop: asyncio.AbstractEventLoop) -> Engine:
    """The one engine of a loop, made on first use and closed with it. RuntimeError if the loop is closed."""
    state = stateOf(loop)
    if state.engine is None:
        if loop.is_closed():
            raise RuntimeError("this event loop is closed")
        selector = getattr(loop, "_selector", None)
        if isinstance(selector, EngineSelector):
            state.engine = selector.engine
        else:
            state.engine = newEngine()
            _ForeignLoop(loop, state.engine)
            state.closeWith(loop)
    return state.engine


def newEventLoop(engine: Engine | None = None) -> asyncio.AbstractEventLoop:
    """A loop that waits in an engine, which is its selector: in `engine` or else in a new one."""
    # Imported when first needed, as the engine is.
    from sennit.internet._engine_loop import EngineLoop

    return EngineLoop(EngineSelector(newEngine() if engine is None else engine))


class EngineSelector(selectors.BaseSelector):
    """Makes an engine the selector of an asyncio loop; see the documentation of `selectors` for its
    methods.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = self._find(fileobj)
        if fd in self._keys:
            raise KeyError(f"{fileobj!r} (descriptor {fd}) is already registered")
        return self._watch(selectors.SelectorKey(fileobj, fd, events, data))

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = self._keys.pop(self._find(fileobj))
        try:
            self.engine.unwatch(key.fd)
        except OSError:
            pass  # the descriptor was closed before, which has ended the watch
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[self._find(fileobj)]
        if events == key.events:
            key = key._replace(data=data)
            self._keys[key.fd] = key
            return key
        return self._watch(key._replace(events=events, data=data))

    def _watch(self, key: selectors.SelectorKey) -> selectors.SelectorKey:
        if not key.events or key.events & ~(selectors.EVENT_READ | selectors.EVENT_WRITE):
            raise ValueError(f"invalid events: {key.events!r}")
        self.engine.watch(key.fd, key.events)
        self._keys[key.fd] = key
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # The loop itself doesn't ask: it waits in the engine, and has `eventsOf` tell what that has found.
        return self.eventsOf(self.engine.wait(timeout, (), ()))

    def eventsOf(self, ready: list[tuple[int, int]]) -> list[tuple[selectors.SelectorKey, int]]:
        """What `select` says of descriptors that the engine has found ready."""
        keys = self._keys
        return [(keys[fd], mask & keys[fd].events) for fd, mask in ready if fd in keys]

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        try:
            return self._keys[self._find(fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return _Registered(self, self._keys)

    def _find(self, fileobj: Any) -> int:
        """The descriptor of a file object, or itself; one that was closed while it is registered has the
        descriptor that it had. Raises ValueError.
        """
        try:
            return _descriptorOf(fileobj)
        except ValueError:
            for key in self._keys.values():
                if key.fileobj is fileobj:
                    return key.fd
            raise

    def close(self) -> None:
        self._keys.clear()
        self.engine.close()


class _Registered(Mapping[Any, selectors.SelectorKey]):
    """What a selector watches, found by file objects and by descriptors."""

    def __init__(self, selector: EngineSelector, keys: dict[int, selectors.SelectorKey]) -> None:
        self._selector = selector
        self._keys = keys

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:
        return self._selector.get_key(fileobj)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _descriptorOf(fileobj: Any) -> int:
    try:
        fd = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
    except (AttributeError, TypeError) as error:
        raise ValueError(f"neither a descriptor nor an object with one: {fileobj!r}") from error
    if fd < 0:
        raise ValueError(f"invalid file descriptor: {fd}")
    return fd


class _ForeignLoop:
    """Drives an engine from a loop that isn't ours. The loop holds it, as the callback of the engine's
    descriptor.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, engine: Engine) -> None:
        self._loop = loop
        self._engine = engine
        self._poll = engine.poll
        self._ticking = False
        engine.set_flush_hook(_flushHook(weakref.ref(loop)))
        loop.add_reader(engine.fileno(), self.poll)

    def poll(self) -> None:
        self._poll()
        if not self._ticking:
            self._ticking = True
            self._tick()

    def _tick(self) -> None:
        delay = self._engine.tick()
        if delay is None:
            self._ticking = False
        else:
            self._loop.call_later(min(delay, _LONGEST_TICK), self._tick)


def _flushHook(
    loopReference: weakref.ref[asyncio.AbstractEventLoop],
) -> Callable[[Callable[[], None]], None]:
    """Has the loop flush what was written outside of `poll`. The engine mustn't hold the loop, or neither
    would ever go.
    """

    def callSoon(flush: Callable[[], None]) -> None:
        loop = loopReference()
        if loop is not None and not loop.is_closed():
            loop.call_soon(flush)

    return callSoon
