"""Cooperative iteration."""

from collections.abc import Callable, Iterator

import pytest

from sennit.internet import task
from sennit.internet.defer import Deferred


def collect(deferred: Deferred) -> list:
    results: list = []
    deferred.addBoth(results.append)
    return results


class Turns:
    """A Cooperator whose turns of one step each are taken by hand."""

    def __init__(self, **kwargs: bool) -> None:
        self.clock = task.Clock()
        self.cooperator = task.Cooperator(lambda: lambda: True, self.schedule, **kwargs)

    def schedule(self, function: Callable[[], None]) -> object:
        return self.clock.callLater(1, function)

    def take(self, number: int) -> None:
        self.clock.pump([1] * number)


def counting(name: str, steps: int, seen: list) -> Iterator[None]:
    for number in range(steps):
        seen.append(f"{name}{number}")
        yield


def test_iterators_take_turns() -> None:
    turns = Turns()
    seen: list = []
    done = [collect(turns.cooperator.coiterate(counting(name, 2, seen))) for name in "ab"]
    turns.take(4)
    assert seen == ["a0", "b0", "a1", "b1"]
    assert done == [[], []]
    turns.take(2)
    assert [len(one) for one in done] == [1, 1]
    assert turns.clock.getDelayedCalls() == []


def test_a_turn_lasts_as_long_as_its_predicate_says() -> None:
    clock = task.Clock()
    cooperator = task.Cooperator(lambda: lambda: False, lambda function: clock.callLater(0, function))
    seen: list = []
    results = collect(cooperator.coiterate(counting("a", 100, seen)))
    clock.advance(0)
    assert len(seen) == 100
    assert len(results) == 1


def test_yielded_deferred_is_waited_for() -> None:
    turns = Turns()
    waited: Deferred = Deferred()
    seen: list = []

    def work() -> Iterator[Deferred]:
        yield waited
        seen.append("after")

    turns.cooperator.cooperate(work())
    turns.take(3)
    assert seen == []
    waited.callback(None)
    turns.take(1)
    assert seen == ["after"]


def test_failure_of_step_or_deferred_ends_the_task() -> None:
    turns = Turns()
    waited: Deferred = Deferred()

    def raising() -> Iterator[None]:
        raise KeyError
        yield

    failing = turns.cooperator.cooperate(iter([waited]))
    results = [collect(failing.whenDone()), collect(turns.cooperator.coiterate(raising()))]
    turns.take(2)
    waited.errback(ValueError())
    assert results[0][0].check(ValueError)
    assert results[1][0].check(KeyError)
    with pytest.raises(task.TaskFailed):
        failing.stop()


def test_task_can_be_paused_and_resumed() -> None:
    turns = Turns()
    seen: list = []
    working = turns.cooperator.cooperate(counting("a", 3, seen))
    turns.take(1)
    working.pause()
    working.pause()
    working.resume()
    turns.take(2)
    assert seen == ["a0"]
    working.resume()
    turns.take(1)
    assert seen == ["a0", "a1"]
    with pytest.raises(task.NotPaused):
        working.resume()


def test_stopped_task_fails_its_waiters() -> None:
    turns = Turns()
    working = turns.cooperator.cooperate(counting("a", 3, []))
    results = collect(working.whenDone())
    working.stop()
    assert results[0].check(task.TaskStopped)
    assert collect(working.whenDone())[0].check(task.TaskStopped)
    for change in (working.stop, working.pause):
        with pytest.raises(task.TaskStopped):
            change()


def test_finished_task_gives_its_iterator_and_refuses_changes() -> None:
    turns = Turns()
    iterator = iter([1, 2])
    working = turns.cooperator.cooperate(iterator)
    turns.take(3)
    assert collect(working.whenDone()) == [iterator]
    with pytest.raises(task.TaskDone):
        working.pause()


def test_stopped_cooperator_fails_present_and_later_tasks() -> None:
    turns = Turns()
    present = collect(turns.cooperator.coiterate(iter([1])))
    turns.cooperator.stop()
    later = collect(turns.cooperator.coiterate(iter([1])))
    assert present[0].check(task.SchedulerStopped)
    assert later[0].check(task.SchedulerStopped)
    assert not turns.cooperator.running
    assert turns.clock.getDelayedCalls() == []


def test_cooperator_not_started_waits_for_start() -> None:
    turns = Turns(started=False)
    seen: list = []
    turns.cooperator.cooperate(counting("a", 1, seen))
    turns.take(2)
    assert seen == []
    turns.cooperator.start()
    turns.take(1)
    assert seen == ["a0"]


def test_global_cooperator_works_in_the_running_loop() -> None:
    import asyncio

    async def main() -> list:
        seen: list = []
        await task.coiterate(counting("a", 3, seen))
        working = task.cooperate(counting("b", 1, seen))
        await working.whenDone()
        return seen

    assert asyncio.run(main()) == ["a0", "a1", "a2", "b0"]
