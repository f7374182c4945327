"""Calls in time: later, again and again, in small steps, and in a time of a test's own."""

import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn, TypeVar, overload

from zope.interface import implementer

from sennit.internet._cooperate import (
    CooperativeTask,
    Cooperator,
    NotPaused,
    SchedulerError,
    SchedulerStopped,
    TaskDone,
    TaskFailed,
    TaskFinished,
    TaskStopped,
    coiterate,
    cooperate,
)
from sennit.internet._delayed import DelayedCall, checkDelay
from sennit.internet.defer import Deferred, maybeDeferred
from sennit.internet.interfaces import IReactorTime
from sennit.python import log
from sennit.python.failure import Failure

__all__ = [
    "Clock",
    "CooperativeTask",
    "Cooperator",
    "LoopingCall",
    "NotPaused",
    "SchedulerError",
    "SchedulerStopped",
    "TaskDone",
    "TaskFailed",
    "TaskFinished",
    "TaskStopped",
    "coiterate",
    "cooperate",
    "deferLater",
    "react",
]

_T = TypeVar("_T")


@overload
def deferLater(clock: Any, delay: float) -> Deferred[None]: ...
@overload
def deferLater(
    clock: Any, delay: float, callable: Callable[..., Deferred[_T]], *args: Any, **kw: Any
) -> Deferred[_T]: ...
@overload
def deferLater(
    clock: Any, delay: float, callable: Callable[..., Coroutine[Any, Any, _T]], *args: Any, **kw: Any
) -> Deferred[_T]: ...
@overload
def deferLater(
    clock: Any, delay: float, callable: Callable[..., _T], *args: Any, **kw: Any
) -> Deferred[_T]: ...
def deferLater(
    clock: Any, delay: float, callable: Callable[..., Any] | None = None, *args: Any, **kw: Any
) -> Deferred[Any]:
    """Call after `delay` seconds of `clock` (the reactor, or a Clock); a Deferred of the result, None without
    a callable.

    Cancelling the Deferred cancels the call.
    """

    def fire() -> None:
        if callable is None:
            deferred.callback(None)
        else:
            maybeDeferred(callable, *args, **kw).chainDeferred(deferred)

    deferred: Deferred[Any] = Deferred(lambda _: delayedCall.cancel() if delayedCall.active() else None)
    delayedCall = clock.callLater(delay, fire)
    return deferred


class LoopingCall:
    """Calls a function again and again.

    A beat that comes while the last call's Deferred or coroutine hasn't ended is left out: calls are always a
    whole number of intervals after the start. Set `clock` before `start` to use another one than the reactor.
    """

    def __init__(self, f: Callable[..., object], /, *a: Any, **kw: Any) -> None:
        self.f = f
        self.a = a
        self.kw = kw
        self.running = False
        self.interval: float | None = None
        self.starttime: float | None = None
        self._clock: Any = None
        self._call: Any = None
        self._deferred: Deferred[LoopingCall] | None = None
        self._runAtStart = False
        self._lastTime: float | None = None
        self._isCounting = False

    @classmethod
    def withCount(cls, countCallable: Callable[[int], object]) -> "LoopingCall":
        """A looping call that tells the function how many beats there have been since its last call (1 if
        none was left out).
        """
        looping = cls(countCallable)
        looping._isCounting = True
        return looping

    @property
    def clock(self) -> Any:
        """Where the time comes from: the reactor if nothing was set."""
        if self._clock is None:
            from sennit.internet import reactor

            self._clock = reactor
        return self._clock

    @clock.setter
    def clock(self, clock: Any) -> None:
        self._clock = clock

    @property
    def deferred(self) -> "Deferred[LoopingCall] | None":
        """What `start` has returned, while it runs."""
        return self._deferred

    def start(self, interval: float, now: bool = True) -> "Deferred[LoopingCall]":
        """Call every `interval` seconds (0: as often as possible), at first now or after one interval.

        The Deferred fires with this object when `stop` is called, and fails if the function does, which ends
        the calls. Raises RuntimeError if it runs already, ValueError for a negative interval.
        """
        if self.running:
            raise RuntimeError("this LoopingCall runs already")
        if interval < 0:
            raise ValueError("the interval must not be negative")
        self.running = True
        deferred: Deferred[LoopingCall] = Deferred()
        self._deferred = deferred
        self.starttime = self.clock.seconds()
        self.interval = interval
        self._runAtStart = now
        self._lastTime = None
        if now:
            self()
        else:
            self._scheduleNext()
        return deferred

    def stop(self) -> None:
        """Call no more. RuntimeError if it doesn't run."""
        if not self.running:
            raise RuntimeError("this LoopingCall doesn't run")
        self.running = False
        if self._call is not None:
            self._call.cancel()
            self._call = None
            self._end(None)

    def reset(self) -> None:
        """Let the next call come one interval from now. RuntimeError if it doesn't run."""
        if not self.running:
            raise RuntimeError("this LoopingCall doesn't run")
        if self._call is not None:
            self._call.cancel()
            self._call = None
            self.starttime = self.clock.seconds()
            self._scheduleNext()

    def __call__(self) -> None:
        """Make one call and plan the next."""
        self._call = None
        if self._isCounting:
            count = self._countBeats()
            deferred = maybeDeferred(self.f, count) if count > 0 else maybeDeferred(lambda: None)
        else:
            deferred = maybeDeferred(self.f, *self.a, **self.kw)
        deferred.addCallbacks(self._goOn, self._fail)

    def _countBeats(self) -> int:
        """How many whole intervals have passed since the last call."""
        now = self.clock.seconds()
        assert self.starttime is not None
        assert self.interval is not None
        if self.interval == 0:
            return 1
        last = self._lastTime
        if last is None:
            # The call at the start counts as one, before the first interval.
            last = self.starttime - self.interval if self._runAtStart else self.starttime
        count = self._beat(now) - self._beat(last)
        if count > 0:
            self._lastTime = now
        return count

    def _beat(self, when: float) -> int:
        assert self.starttime is not None
        assert self.interval is not None
        # Rounded, so that the sum of ten tenths of a second counts as one second.
        return int(round((when - self.starttime) / self.interval, 9))

    def _goOn(self, _: object) -> None:
        if self.running:
            self._scheduleNext()
        else:
            self._end(None)

    def _fail(self, failure: Failure) -> None:
        self.running = False
        self._end(failure)

    def _end(self, failure: Failure | None) -> None:
        deferred, self._deferred = self._deferred, None
        assert deferred is not None
        if failure is None:
            deferred.callback(self)
        else:
            deferred.errback(failure)

    def _scheduleNext(self) -> None:
        assert self.interval is not None
        assert self.starttime is not None
        delay = 0.0
        if self.interval > 0:
            now = self.clock.seconds()
            delay = self.interval - (now - self.starttime) % self.interval
            # Rounding may leave a tiny rest of the interval just passed, or of the clock's going back.
            if now + delay == now:
                delay += self.interval
        self._call = self.clock.callLater(delay, self)

    def __repr__(self) -> str:
        name = getattr(self.f, "__qualname__", None) or repr(self.f)
        return f"LoopingCall<{self.interval!r}>({name}, *{self.a!r}, **{self.kw!r})"


class _ClockCall(DelayedCall):
    """A call on a Clock."""

    __slots__ = ("_clock",)

    def __init__(
        self,
        clock: "Clock",
        delay: float,
        func: Callable[..., object],
        args: tuple[Any, ...],
        kw: dict[str, Any],
    ) -> None:
        super().__init__(clock.seconds() + delay, func, args, kw)
        self._clock = clock
        self._arm()

    def _arm(self) -> None:
        calls = self._clock.calls
        calls.append(self)
        calls.sort(key=DelayedCall.getTime)  # stable: of calls at one time, the one made first is first

    def _disarm(self) -> None:
        self._clock.calls.remove(self)

    def _setFromNow(self, seconds: float) -> None:
        self._disarm()
        self.time = self._clock.seconds() + seconds
        self._arm()

    def _postpone(self, seconds: float) -> None:
        self._disarm()
        self.time += seconds
        self._arm()

    def run(self) -> None:
        """Make the call now; its exception goes to the test that has advanced the clock."""
        function, args, kw = self.func, self.args, self.kw
        self.called = True
        self._forget()
        if function is not None:
            function(*args, **kw)


@implementer(IReactorTime)
class Clock:
    """A clock for tests, which stands still until `advance` is called. It begins at 0."""

    def __init__(self) -> None:
        self.rightNow = 0.0
        self.calls: list[_ClockCall] = []

    def seconds(self) -> float:
        """The clock's time."""
        return self.rightNow

    def callLater(self, when: float, what: Callable[..., object], /, *a: Any, **kw: Any) -> _ClockCall:
        """Have `advance` call this, `when` seconds from now. Returns an IDelayedCall."""
        checkDelay(when)
        return _ClockCall(self, when, what, a, kw)

    def getDelayedCalls(self) -> list[_ClockCall]:
        """All calls that are to come, in their order."""
        return list(self.calls)

    def advance(self, amount: float) -> None:
        """Let `amount` seconds pass and make the calls that are due; their exceptions come out here."""
        self.rightNow += amount
        while self.calls and self.calls[0].getTime() <= self.rightNow:
            self.calls.pop(0).run()

    def pump(self, timings: Iterable[float]) -> None:
        """Advance by each of `timings`, one after another."""
        for amount in timings:
            self.advance(amount)


def react(main: Callable[..., Any], argv: Iterable[Any] = (), _reactor: Any = None) -> NoReturn:
    """Run the reactor for `main(reactor, *argv)`, until its Deferred or coroutine ends, then exit the
    process.

    The exit status is 0, 1 after an error, which is logged, or that of a SystemExit it raised.
    """
    if _reactor is None:
        from sennit.internet import reactor

        _reactor = reactor
    status: Any = 0
    stopping = False

    def noteStopping() -> None:
        nonlocal stopping
        stopping = True

    def begin() -> None:
        maybeDeferred(main, _reactor, *argv).addBoth(end)

    def end(result: Any) -> None:
        nonlocal status
        if isinstance(result, Failure):
            if result.check(SystemExit):
                status = result.value.code  # type: ignore[attr-defined]
            elif not stopping:
                log.err(result, "main function encountered error")
                status = 1
        if not stopping:
            _reactor.stop()

    _reactor.addSystemEventTrigger("before", "shutdown", noteStopping)
    _reactor.callWhenRunning(begin)
    _reactor.run()
    sys.exit(status)
