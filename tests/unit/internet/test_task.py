"""Clock, deferLater, LoopingCall and react."""

import logging

import pytest
from zope.interface.verify import verifyObject

from sennit.internet import task
from sennit.internet.defer import CancelledError, Deferred
from sennit.internet.error import AlreadyCalled, AlreadyCancelled
from sennit.internet.interfaces import IDelayedCall, IReactorTime


def collect(deferred: Deferred) -> list:
    results: list = []
    deferred.addBoth(results.append)
    return results


def test_Clock_provides_its_interfaces() -> None:
    clock = task.Clock()
    verifyObject(IReactorTime, clock)
    verifyObject(IDelayedCall, clock.callLater(1, print))


def test_Clock_calls_in_order_of_time_and_making() -> None:
    clock = task.Clock()
    order: list = []
    for delay, name in ((2, "c"), (1, "a"), (1, "b")):
        clock.callLater(delay, order.append, name)
    clock.advance(1)
    assert order == ["a", "b"]
    assert [call.getTime() for call in clock.getDelayedCalls()] == [2]
    clock.pump([0.5, 0.5])
    assert order == ["a", "b", "c"]
    assert clock.seconds() == 2


def test_Clock_call_can_be_moved_and_cancelled() -> None:
    clock = task.Clock()
    order: list = []
    call = clock.callLater(1, order.append, "x")
    clock.callLater(3, order.append, "y")
    call.delay(3)
    assert call.getTime() == 4
    clock.advance(3)
    assert order == ["y"]
    call.reset(2)
    clock.advance(2)
    assert order == ["y", "x"]
    assert not call.active()
    with pytest.raises(AlreadyCalled):
        call.cancel()
    other = clock.callLater(1, order.append, "z")
    other.cancel()
    with pytest.raises(AlreadyCancelled):
        other.reset(1)
    assert clock.getDelayedCalls() == []


def test_negative_delay_is_an_assertion_error() -> None:
    with pytest.raises(AssertionError):
        task.Clock().callLater(-1, print)


def test_deferLater_fires_with_result_after_delay() -> None:
    clock = task.Clock()
    results = collect(task.deferLater(clock, 2, lambda *args, **kw: (args, kw), 1, two=2))
    nothing = collect(task.deferLater(clock, 2))
    clock.advance(2)
    assert results == [((1,), {"two": 2})]
    assert nothing == [None]


def test_deferLater_waits_for_coroutine_and_fails_with_its_exception() -> None:
    async def bad() -> None:
        raise KeyError

    clock = task.Clock()
    results = collect(task.deferLater(clock, 1, bad))
    clock.advance(1)
    assert results[0].check(KeyError)


def test_cancelled_deferLater_cancels_its_call() -> None:
    clock = task.Clock()
    deferred = task.deferLater(clock, 1, print)
    results = collect(deferred)
    deferred.cancel()
    assert results[0].check(CancelledError)
    assert clock.getDelayedCalls() == []


class Beats:
    """A LoopingCall on a Clock, with the times of its calls."""

    def __init__(self, looping: task.LoopingCall | None = None) -> None:
        self.clock = task.Clock()
        self.times: list[float] = []
        self.looping = looping or task.LoopingCall(self.beat)
        self.looping.clock = self.clock
        self.wait: Deferred | None = None

    def beat(self) -> Deferred | None:
        self.times.append(self.clock.seconds())
        return self.wait


def test_LoopingCall_beats_at_start_and_each_interval() -> None:
    beats = Beats()
    done = collect(beats.looping.start(2))
    assert beats.looping.running
    beats.clock.pump([1] * 5)
    assert beats.times == [0, 2, 4]
    beats.looping.stop()
    assert done == [beats.looping]
    assert beats.clock.getDelayedCalls() == []


def test_LoopingCall_can_begin_after_one_interval() -> None:
    beats = Beats()
    beats.looping.start(2, now=False)
    beats.clock.pump([1] * 4)
    assert beats.times == [2, 4]


def test_LoopingCall_leaves_out_missed_beats() -> None:
    beats = Beats()
    beats.looping.start(2)
    beats.clock.pump([5, 1])
    assert beats.times == [0, 5, 6]


def test_LoopingCall_waits_for_returned_deferred() -> None:
    beats = Beats()
    beats.wait = waited = Deferred()
    done = collect(beats.looping.start(1))
    beats.clock.advance(3.5)
    assert beats.times == [0]
    beats.wait = None
    waited.callback(None)
    beats.clock.advance(0.5)
    assert beats.times == [0, 4]
    beats.wait = waited = Deferred()
    beats.clock.advance(1)
    beats.looping.stop()
    assert done == []
    waited.callback(None)
    assert done == [beats.looping]


def test_LoopingCall_ends_with_an_exception() -> None:
    looping = task.LoopingCall(lambda: 1 / 0)
    looping.clock = task.Clock()
    results = collect(looping.start(1))
    assert results[0].check(ZeroDivisionError)
    assert not looping.running


def test_LoopingCall_runs_coroutine_functions() -> None:
    times: list = []

    async def beat() -> None:
        times.append(looping.clock.seconds())

    looping = task.LoopingCall(beat)
    looping.clock = task.Clock()
    looping.start(1)
    looping.clock.advance(1)
    assert times == [0, 1]


def test_LoopingCall_reset_starts_the_interval_anew() -> None:
    beats = Beats()
    beats.looping.start(2)
    beats.clock.advance(1.5)
    beats.looping.reset()
    beats.clock.advance(1)
    assert beats.times == [0]
    beats.clock.advance(1)
    assert beats.times == [0, 3.5]


def test_LoopingCall_with_interval_zero_beats_each_turn() -> None:
    beats = Beats()
    beats.wait = Deferred()
    beats.looping.start(0)
    beats.wait.callback(None)
    beats.wait = Deferred()
    beats.clock.advance(0)
    assert beats.times == [0, 0]


def test_LoopingCall_withCount_tells_how_many_beats_were_due() -> None:
    counts: list = []
    looping = task.LoopingCall.withCount(counts.append)
    looping.clock = clock = task.Clock()
    looping.start(0.25)
    for _ in range(10):
        clock.advance(0.25)
    assert counts == [1] * 11
    clock.advance(0.875)
    clock.advance(0.125)
    assert counts[11:] == [3, 1]


def test_LoopingCall_refuses_what_makes_no_sense() -> None:
    looping = task.LoopingCall(print)
    with pytest.raises(RuntimeError, match="doesn't run"):
        looping.stop()
    with pytest.raises(RuntimeError, match="doesn't run"):
        looping.reset()
    with pytest.raises(ValueError, match="negative"):
        looping.start(-1)
    beats = Beats()
    beats.looping.start(1)
    with pytest.raises(RuntimeError, match="runs already"):
        beats.looping.start(1)


def test_react_exits_with_zero_when_main_is_done(reactor) -> None:
    async def main(given, *argv: str) -> None:
        assert given is reactor
        assert argv == ("a", "b")
        await task.deferLater(given, 0.001)

    with pytest.raises(SystemExit) as caught:
        task.react(main, ["a", "b"], _reactor=reactor)
    assert caught.value.code == 0


def test_react_logs_error_and_exits_with_one(reactor, caplog: pytest.LogCaptureFixture) -> None:
    def main(_: object) -> None:
        raise KeyError("oops")

    with pytest.raises(SystemExit) as caught:
        task.react(main, _reactor=reactor)
    assert caught.value.code == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_react_exits_with_the_code_of_SystemExit(reactor) -> None:
    async def main(_: object) -> None:
        raise SystemExit(7)

    with pytest.raises(SystemExit) as caught:
        task.react(main, _reactor=reactor)
    assert caught.value.code == 7


def test_react_ends_when_main_stops_the_reactor(reactor) -> None:
    def main(given) -> Deferred:
        given.callLater(0, given.stop)
        return Deferred()

    with pytest.raises(SystemExit) as caught:
        task.react(main, _reactor=reactor)
    assert caught.value.code == 0
