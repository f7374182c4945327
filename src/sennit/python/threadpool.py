"""A pool of threads for calls that block."""

import contextvars
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from sennit.python import log
from sennit.python.failure import Failure

# Called in the pool's thread as onResult(succeeded, resultOrFailure).
OnResult = Callable[[bool, Any], object]
_Job = tuple[contextvars.Context, OnResult | None, Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Session(Protocol):
    """A call that keeps its thread while it waits for more to do."""

    def __call__(self) -> object: ...
    def dismiss(self) -> object:
        """Give the thread back, if there is nothing to do; called in any thread."""


class ThreadPool:
    """Runs calls in up to `maxthreads` threads, of which `minthreads` are kept; more are made as they are
    needed.

    Calls made before `start` wait for it. The threads are daemons: a call that never returns doesn't keep the
    process alive. Each call runs in a copy of its caller's context variables.
    """

    min = 5
    max = 20
    # True from the first `start` on until `stop`.
    started = False
    # True from `stop` on: no more calls are taken.
    joined = False

    def __init__(self, minthreads: int = 5, maxthreads: int = 20, name: str | None = None) -> None:
        """`name` is part of the threads' names. Raises ValueError unless 0 <= minthreads <= maxthreads."""
        _checkSizes(minthreads, maxthreads)
        self.min = minthreads
        self.max = maxthreads
        self.name = name
        self.threads: list[threading.Thread] = []
        self._queue: deque[_Job] = deque()
        self._busy = 0
        self._sessions: list[Session] = []
        self._changed = threading.Condition()

    @property
    def workers(self) -> int:
        """How many threads there are."""
        return len(self.threads)

    def start(self) -> None:
        """Begin to run calls."""
        with self._changed:
            self.joined = False
            self.started = True
            self._startThreads()

    def stop(self, timeout: float | None = None) -> bool:
        """Take no more calls, run those that wait, and end the threads.

        Blocks until that is done, `timeout` seconds at most; returns whether it is done.
        """
        with self._changed:
            self.joined = True
            self.started = False
            threads = list(self.threads)
            self._changed.notify_all()
            self._dismissSessions()
            # What was called before start() was ever called has no thread that could run it.
            if not threads:
                self._queue.clear()
            done = self._changed.wait_for(lambda: not self.threads, timeout)
        for thread in threads if done else ():
            thread.join()
        return done

    def adjustPoolsize(self, minthreads: int | None = None, maxthreads: int | None = None) -> None:
        """Change the sizes. Raises ValueError unless 0 <= minthreads <= maxthreads."""
        least = self.min if minthreads is None else minthreads
        most = self.max if maxthreads is None else maxthreads
        _checkSizes(least, most)
        with self._changed:
            self.min, self.max = least, most
            self._startThreads()
            self._changed.notify_all()
            self._dismissSessions()

    def callInThread(self, func: Callable[..., Any], /, *args: Any, **kw: Any) -> None:
        """Call in one of the threads; an exception is logged."""
        self.callInThreadWithCallback(None, func, *args, **kw)

    def callInThreadWithCallback(
        self, onResult: OnResult | None, func: Callable[..., Any], /, *args: Any, **kw: Any
    ) -> None:
        """Call in one of the threads, and there `onResult(True, result)` or `onResult(False, Failure)`.

        After `stop` nothing is called.
        """
        with self._changed:
            if self.joined:
                return
            self._queue.append((contextvars.copy_context(), onResult, func, args, kw))
            self._startThreads()
            self._changed.notify()
            if self._busy + len(self._queue) > self.max:
                self._dismissSessions()

    def lendThread(self, session: Session) -> None:
        """Call `session` in one of the threads, which it may keep as long as `canWait()` is true: when it has
        nothing to do and another call needs the thread, its `dismiss` is called."""
        self.callInThread(self._host, session)

    def canWait(self) -> bool:
        """Whether a session that has nothing to do may keep its thread."""
        return not (self._queue or self.joined or len(self.threads) > self.max)

    def _host(self, session: Session) -> None:
        self._sessions.append(session)
        try:
            session()
        finally:
            self._sessions.remove(session)

    def _dismissSessions(self) -> None:
        for session in list(self._sessions):
            session.dismiss()

    def dumpStats(self) -> None:
        """Log how many threads there are, and how many of them work."""
        log.msg(f"queue: {len(self._queue)}, busy: {self._busy}, workers: {self.workers}")

    def _startThreads(self) -> None:
        """With the lock held: make the threads that are missing."""
        if not self.started:
            return
        wanted = min(self.max, max(self.min, self._busy + len(self._queue)))
        while len(self.threads) < wanted:
            name = f"PoolThread-{self.name or id(self)}-{len(self.threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self.threads.append(thread)
            thread.start()

    def _work(self) -> None:
        job = self._nextJob()
        while job is not None:
            context, onResult, func, args, kw = job
            context.run(_runJob, onResult, func, args, kw)
            # What the call has left behind must not live on while this thread waits for the next one.
            del context, onResult, func, args, kw, job
            with self._changed:
                self._busy -= 1
            job = self._nextJob()

    def _nextJob(self) -> _Job | None:
        """The next call to make; None if this thread shall end."""
        with self._changed:
            while len(self.threads) <= self.max:
                if self._queue:
                    self._busy += 1
                    return self._queue.popleft()
                if self.joined:
                    break
                self._changed.wait()
            self.threads.remove(threading.current_thread())
            self._changed.notify_all()
            return None


def _checkSizes(least: int, most: int) -> None:
    if not 0 <= least <= most:
        raise ValueError(f"a pool can't have between {least} and {most} threads")


def _runJob(onResult: OnResult | None, func: Callable[..., Any], args: Any, kw: Any) -> None:
    try:
        succeeded, result = True, func(*args, **kw)
    except BaseException as exception:
        succeeded, result = False, Failure._caught(exception)
    if onResult is not None:
        try:
            onResult(succeeded, result)
        except Exception:
            log.err(None, "Unhandled error in the callback of a call in a thread")
    elif not succeeded:
        log.err(result, "Unhandled error in a call in a thread")
