"""Cooperative iteration: long work in small steps, between which the event loop does other things."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from sennit.internet._coroutines import toDeferred
from sennit.internet._deferred import Deferred
from sennit.python.failure import Failure

# Seconds of steps before other events get their turn.
_TIME_SLICE = 0.01


class SchedulerError(Exception):
    """The base of what a Cooperator raises."""


class SchedulerStopped(SchedulerError):
    """The Cooperator was stopped before the iterator had ended."""


class TaskFinished(SchedulerError):
    """The task was asked for something only an unfinished one can do; how it has finished, the subclass
    says.
    """


class TaskDone(TaskFinished):
    """The iterator had ended."""


class TaskStopped(TaskFinished):
    """The task had been stopped."""


class TaskFailed(TaskFinished):
    """The iterator had raised."""


class NotPaused(SchedulerError):
    """`resume` was called more often than `pause`."""


class CooperativeTask:
    """One iterator that is worked off; made by `cooperate`.

    A step that yields a Deferred or another awaitable is over when that is.
    """

    def __init__(self, iterator: Iterator[Any], cooperator: "Cooperator") -> None:
        self._iterator = iterator
        self._cooperator = cooperator
        self._waiters: list[Deferred[Any]] = []
        self._pauses = 0
        self._outcome: Any = None
        # What pause, resume and stop raise once it is finished.
        self._finished: type[TaskFinished] | None = None
        cooperator._add(self)

    def whenDone(self) -> Deferred[Any]:
        """A Deferred of the iterator when it is at its end.

        It fails with what the iterator raised, TaskStopped or SchedulerStopped. Each call gives a new one.
        """
        deferred: Deferred[Any] = Deferred()
        if self._finished is None:
            self._waiters.append(deferred)
        else:
            _fire(deferred, self._outcome)
        return deferred

    def pause(self) -> None:
        """Make no more steps until `resume` was called as often. Raises TaskFinished."""
        self._checkUnfinished()
        self._pauses += 1
        if self._pauses == 1:
            self._cooperator._remove(self)

    def resume(self) -> None:
        """Undo one `pause`. Raises NotPaused, TaskFinished."""
        if self._pauses == 0:
            raise NotPaused
        self._pauses -= 1
        if self._pauses == 0 and self._finished is None:
            self._cooperator._add(self)

    def stop(self) -> None:
        """Make no more steps at all. Raises TaskFinished."""
        self._checkUnfinished()
        self._finish(TaskStopped, Failure(TaskStopped()))

    def _checkUnfinished(self) -> None:
        if self._finished is not None:
            raise self._finished

    def _finish(self, kind: type[TaskFinished], outcome: Any) -> None:
        self._finished = kind
        self._outcome = outcome
        if self._pauses == 0:
            self._cooperator._remove(self)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _fire(waiter, outcome)

    def _step(self) -> None:
        """Make one step."""
        try:
            yielded = next(self._iterator)
        except StopIteration:
            self._finish(TaskDone, self._iterator)
            return
        except BaseException as exception:
            self._finish(TaskFailed, Failure._caught(exception))
            return
        deferred = toDeferred(yielded)
        if deferred is not None:
            self.pause()
            deferred.addCallbacks(self._goOn, self._fail)

    def _goOn(self, _: object) -> None:
        self.resume()

    def _fail(self, failure: Failure) -> None:
        if self._finished is None:
            self._finish(TaskFailed, failure)


def _fire(deferred: Deferred[Any], outcome: Any) -> None:
    if isinstance(outcome, Failure):
        deferred.errback(outcome)
    else:
        deferred.callback(outcome)


def _timeSliceOver() -> Callable[[], bool]:
    end = time.monotonic() + _TIME_SLICE
    return lambda: time.monotonic() >= end


def _soon(function: Callable[[], None]) -> Any:
    from sennit.internet import reactor

    return reactor.callLater(0, function)


class Cooperator:
    """Works off iterators in turns.

    `terminationPredicateFactory()` gives, at the beginning of each turn, a function that is asked after each
    step whether the turn is over: by default after 10 ms. `scheduler(function)` has `function` called soon
    and returns an IDelayedCall.
    """

    def __init__(
        self,
        terminationPredicateFactory: Callable[[], Callable[[], bool]] = _timeSliceOver,
        scheduler: Callable[[Callable[[], None]], Any] = _soon,
        started: bool = True,
    ) -> None:
        self._newPredicate = terminationPredicateFactory
        self._scheduler = scheduler
        self._tasks: list[CooperativeTask] = []
        # Which of them is next.
        self._position = 0
        self._delayedCall: Any = None
        self._started = started
        self._stopped = False

    @property
    def running(self) -> bool:
        """Whether steps are made."""
        return self._started and not self._stopped

    def cooperate(self, iterator: Iterator[Any]) -> CooperativeTask:
        """Work `iterator` off; returns its task."""
        return CooperativeTask(iterator, self)

    def coiterate(self, iterator: Iterator[Any], doneDeferred: Deferred[Any] | None = None) -> Deferred[Any]:
        """Work `iterator` off; a Deferred of it, which fires at its end (`doneDeferred` if that is given)."""
        done: Deferred[Any] = doneDeferred if doneDeferred is not None else Deferred()
        CooperativeTask(iterator, self).whenDone().chainDeferred(done)
        return done

    def start(self) -> None:
        """Begin to make steps."""
        self._stopped = False
        self._started = True
        self._schedule()

    def stop(self) -> None:
        """Fail all tasks with SchedulerStopped, and those that come later."""
        self._stopped = True
        for task in list(self._tasks):
            task._finish(TaskFailed, Failure(SchedulerStopped()))
        self._tasks.clear()
        if self._delayedCall is not None:
            self._delayedCall.cancel()
            self._delayedCall = None

    def _add(self, task: CooperativeTask) -> None:
        if self._stopped:
            self._tasks.append(task)
            task._finish(TaskFailed, Failure(SchedulerStopped()))
            return
        self._tasks.append(task)
        self._schedule()

    def _remove(self, task: CooperativeTask) -> None:
        index = self._tasks.index(task)
        del self._tasks[index]
        if index < self._position:
            self._position -= 1
        if not self._tasks and self._delayedCall is not None:
            self._delayedCall.cancel()
            self._delayedCall = None

    def _schedule(self) -> None:
        if self.running and self._delayedCall is None and self._tasks:
            self._delayedCall = self._scheduler(self._takeTurn)

    def _takeTurn(self) -> None:
        self._delayedCall = None
        isOver = self._newPredicate()
        while self._tasks:
            if self._position >= len(self._tasks):
                self._position = 0
            task = self._tasks[self._position]
            self._position += 1
            task._step()
            if isOver():
                break
        self._schedule()


_theCooperator = Cooperator()


def coiterate(iterator: Iterator[Any]) -> Deferred[Any]:
    """Work `iterator` off in small steps between other events; a Deferred of it, which fires at its end."""
    return _theCooperator.coiterate(iterator)


def cooperate(iterator: Iterator[Any]) -> CooperativeTask:
    """Work `iterator` off in small steps between other events; its task can be paused, resumed and
    stopped.
    """
    return _theCooperator.cooperate(iterator)
