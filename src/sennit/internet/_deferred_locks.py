"""Locks, semaphores and queues whose waiting is a Deferred."""

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

from sennit.internet._deferred import Deferred
from sennit.internet._deferred_simple import maybeDeferred, succeed

_T = TypeVar("_T")


class QueueOverflow(Exception):
    """Something was put into a full DeferredQueue."""


class QueueUnderflow(Exception):
    """More waiters than allowed want something from an empty DeferredQueue."""


class _Tokens:
    """Hands out a limited number of tokens, in the order of asking."""

    def __init__(self, tokens: int) -> None:
        if tokens < 1:
            raise ValueError("at least one token is needed")
        self.tokens = tokens
        self.limit = tokens
        self.waiting: deque[Deferred[Any]] = deque()

    def acquire(self) -> Deferred[Any]:
        """A Deferred that fires with this object once it is held; cancel it to give up waiting."""
        if self.tokens:
            self.tokens -= 1
            return succeed(self)
        deferred: Deferred[Any] = Deferred(self.waiting.remove)
        self.waiting.append(deferred)
        return deferred

    def release(self) -> None:
        """Give it back; whoever has waited longest gets it, synchronously. RuntimeError if nobody holds
        it.
        """
        if self.tokens == self.limit:
            raise RuntimeError(f"release() of a {type(self).__name__} that nobody holds")
        if self.waiting:
            self.waiting.popleft().callback(self)
        else:
            self.tokens += 1

    def run(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Acquire, call `f` (its Deferred or coroutine is waited for), release; a Deferred of its result."""

        def releaseAfter(result: Any) -> Any:
            self.release()
            return result

        def execute(_: object) -> Deferred[Any]:
            return maybeDeferred(f, *args, **kwargs).addBoth(releaseAfter)

        return self.acquire().addCallback(execute)

    async def __aenter__(self) -> Any:
        return await self.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class DeferredLock(_Tokens):
    """Held by one at a time. `async with lock:` works, too."""

    def __init__(self) -> None:
        super().__init__(1)

    @property
    def locked(self) -> bool:
        """Whether somebody holds it."""
        return not self.tokens


class DeferredSemaphore(_Tokens):
    """Held by up to `tokens` at a time; ValueError for less than one. `async with semaphore:` works, too."""


class DeferredQueue(Generic[_T]):
    """Things put in come out in order, to those who wait in order.

    At most `size` things and at most `backlog` waiters are kept; None for no limit.
    """

    def __init__(self, size: int | None = None, backlog: int | None = None) -> None:
        self.size = size
        self.backlog = backlog
        self.pending: deque[_T] = deque()
        self.waiting: deque[Deferred[_T]] = deque()

    def put(self, obj: _T) -> None:
        """Put `obj` in, or hand it to who has waited longest, synchronously. Raises QueueOverflow."""
        if self.waiting:
            self.waiting.popleft().callback(obj)
        elif self.size is None or len(self.pending) < self.size:
            self.pending.append(obj)
        else:
            raise QueueOverflow

    def get(self) -> Deferred[_T]:
        """A Deferred of the next thing; cancel it to give up waiting. Raises QueueUnderflow."""
        if self.pending:
            return succeed(self.pending.popleft())
        if self.backlog is not None and len(self.waiting) >= self.backlog:
            raise QueueUnderflow
        deferred: Deferred[_T] = Deferred(self.waiting.remove)
        self.waiting.append(deferred)
        return deferred
