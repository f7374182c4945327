"""The chain of callbacks of a Deferred."""

import asyncio
import gc
import logging
import weakref

import pytest

from sennit.internet import defer, task
from sennit.internet.defer import Deferred
from sennit.python.failure import Failure


def collect(deferred: Deferred) -> list:
    """What comes out of `deferred`, as a list that fills."""
    results: list = []
    deferred.addBoth(results.append)
    return results


def test_callback_gets_result_and_extra_arguments() -> None:
    deferred: Deferred = Deferred()
    deferred.addCallback(lambda *args, **kw: (args, kw), 2, three=3)
    deferred.callback(1)
    assert deferred.result == ((1, 2), {"three": 3})


def test_callback_added_after_firing_runs_at_once() -> None:
    assert collect(defer.succeed("there")) == ["there"]


def test_callback_returns_next_result() -> None:
    deferred = defer.succeed(1).addCallback(lambda n: n + 1).addCallback(lambda n: n * 10)
    assert collect(deferred) == [20]


def test_exception_goes_to_next_errback_and_back() -> None:
    seen: list = []
    deferred = defer.succeed(0).addCallback(lambda _: 1 / 0)
    deferred.addCallback(lambda _: seen.append("skipped"))
    deferred.addErrback(lambda failure: failure.trap(ZeroDivisionError).__name__)
    assert collect(deferred) == ["ZeroDivisionError"]
    assert seen == []


def test_returned_failure_is_a_failure() -> None:
    deferred = defer.succeed(0).addCallback(lambda _: Failure(KeyError("x")))
    [failure] = collect(deferred)
    assert failure.check(KeyError)


def test_addCallbacks_runs_only_one_of_the_two() -> None:
    seen: list = []
    deferred: Deferred = Deferred()
    deferred.addCallbacks(
        lambda r, *a, **k: seen.append(("ok", r, a, k)),
        lambda f, *a, **k: seen.append(("fail", f, a, k)),
        (1,),
        {"x": 2},
        (3,),
        {"y": 4},
    )
    deferred.callback("r")
    assert seen == [("ok", "r", (1,), {"x": 2})]


def test_addCallbacks_refuses_what_is_not_callable() -> None:
    with pytest.raises(TypeError, match="callable"):
        Deferred().addCallback("no function")  # type: ignore[arg-type]


def test_second_firing_raises_AlreadyCalledError() -> None:
    deferred = defer.succeed(1)
    with pytest.raises(defer.AlreadyCalledError):
        deferred.callback(2)
    with pytest.raises(defer.AlreadyCalledError):
        deferred.errback(ValueError())


def test_callback_refuses_deferred() -> None:
    with pytest.raises(TypeError, match="Deferred"):
        Deferred().callback(Deferred())


def test_errback_takes_exception_failure_and_current_one() -> None:
    for give in (ValueError("a"), Failure(ValueError("a"))):
        [failure] = collect(defer.fail(give))
        assert failure.check(ValueError)
    deferred: Deferred = Deferred()
    try:
        raise KeyError("now")
    except KeyError:
        deferred.errback()
    assert collect(deferred)[0].check(KeyError)


def test_returned_deferred_pauses_the_chain() -> None:
    inner: Deferred = Deferred()
    results = collect(defer.succeed(0).addCallback(lambda _: inner))
    assert results == []
    inner.callback("late")
    assert results == ["late"]


def test_returned_deferred_with_result_is_taken_at_once() -> None:
    inner = defer.succeed("early")
    assert collect(defer.succeed(0).addCallback(lambda _: inner)) == ["early"]
    assert inner.result is None


def test_callbacks_added_to_the_inner_one_later_run_after_the_waiting_chain() -> None:
    order: list = []
    inner: Deferred = Deferred()
    defer.succeed(0).addCallback(lambda _: inner).addCallback(lambda _: order.append("outer"))
    inner.addCallback(lambda _: order.append("inner"))
    inner.callback(None)
    assert order == ["outer", "inner"]


def test_deferred_returned_by_its_own_callback_fails() -> None:
    deferred: Deferred = Deferred()
    deferred.addCallback(lambda _: deferred)
    deferred.callback(1)
    assert collect(deferred)[0].check(RuntimeError)


def test_chain_of_many_thousand_deferreds_runs() -> None:
    first: Deferred = Deferred()
    last = first
    for _ in range(10_000):
        following: Deferred = Deferred()
        following.addCallback(lambda _, previous=last: previous)
        following.callback(None)
        last = following
    results = collect(last)
    first.callback("through")
    assert results == ["through"]


def test_callback_that_adds_callbacks_runs_them_in_order() -> None:
    order: list = []
    deferred: Deferred = Deferred()

    def first(result: int) -> int:
        deferred.addCallback(lambda _: order.append("added"))
        order.append("first")
        return result

    deferred.addCallback(first)
    deferred.addCallback(lambda _: order.append("second"))
    deferred.callback(1)
    assert order == ["first", "second", "added"]


def test_pause_holds_callbacks_until_unpaused_as_often() -> None:
    deferred: Deferred = Deferred()
    results = collect(deferred)
    deferred.pause()
    deferred.pause()
    deferred.callback(1)
    deferred.unpause()
    assert results == []
    deferred.unpause()
    assert results == [1]


def test_chainDeferred_passes_result_and_failure() -> None:
    for fire in (lambda d: d.callback("r"), lambda d: d.errback(KeyError())):
        first: Deferred = Deferred()
        second: Deferred = Deferred()
        results = collect(second)
        first.chainDeferred(second)
        fire(first)
        assert results == ["r"] or results[0].check(KeyError)
        assert first.result is None


def test_cancel_without_canceller_fails_and_ignores_late_result() -> None:
    deferred: Deferred = Deferred()
    results = collect(deferred)
    deferred.cancel()
    assert results[0].check(defer.CancelledError)
    deferred.callback("late")
    with pytest.raises(defer.AlreadyCalledError):
        deferred.callback("later")


def test_cancel_calls_canceller_which_may_fire() -> None:
    deferred: Deferred = Deferred(lambda d: d.callback("instead"))
    deferred.cancel()
    assert collect(deferred) == ["instead"]


def test_cancel_of_fired_deferred_does_nothing() -> None:
    deferred = defer.succeed(1)
    deferred.cancel()
    assert collect(deferred) == [1]


def test_cancel_reaches_the_deferred_that_is_waited_for() -> None:
    cancelled: list = []
    inner: Deferred = Deferred(cancelled.append)
    outer = defer.succeed(0).addCallback(lambda _: inner)
    outer.cancel()
    assert cancelled == [inner]
    assert collect(outer)[0].check(defer.CancelledError)


def test_addTimeout_turns_late_into_TimeoutError() -> None:
    clock = task.Clock()
    deferred: Deferred = Deferred()
    results = collect(deferred.addTimeout(5, clock))
    clock.advance(5)
    assert results[0].check(defer.TimeoutError)
    assert results[0].check(TimeoutError)
    assert "5 seconds" in results[0].getErrorMessage()


def test_addTimeout_stops_its_timer_after_a_result() -> None:
    clock = task.Clock()
    deferred: Deferred = Deferred()
    results = collect(deferred.addTimeout(5, clock))
    deferred.callback("in time")
    assert results == ["in time"]
    assert clock.getDelayedCalls() == []


def test_addTimeout_asks_onTimeoutCancel() -> None:
    clock = task.Clock()
    deferred: Deferred = Deferred()
    results = collect(deferred.addTimeout(5, clock, lambda result, timeout: ("gave up", timeout)))
    clock.advance(6)
    assert results == [("gave up", 5)]


def test_unhandled_failure_is_logged_when_dropped(caplog: pytest.LogCaptureFixture) -> None:
    def failing(_: object) -> None:
        raise ValueError("nobody catches me")

    def make() -> None:
        deferred: Deferred = Deferred()
        deferred.addCallback(failing)
        deferred.callback(None)

    gc.disable()
    try:
        make()
        [record] = caplog.records
    finally:
        gc.enable()
    assert record.getMessage() == "Unhandled error in Deferred"
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)
    assert "in failing" in caplog.text


def test_handled_failure_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    defer.fail(ValueError()).addErrback(lambda _: None)
    late = defer.fail(ValueError())
    late.addErrback(lambda _: None)
    del late
    gc.collect()
    assert caplog.records == []


def test_failure_taken_by_outer_deferred_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    defer.succeed(0).addCallback(lambda _: defer.fail(ValueError("once")))
    gc.collect()
    assert len(caplog.records) == 1


def test_failure_at_the_end_keeps_no_locals_alive() -> None:
    class Big:
        pass

    def failing(_: object) -> None:
        big = Big()
        references.append(weakref.ref(big))
        raise ValueError

    references: list = []
    deferred = defer.succeed(0).addCallback(failing)
    assert references[0]() is None
    deferred.addErrback(lambda _: None)


def test_debugging_tells_where_it_was_made_and_fired() -> None:
    defer.setDebugging(True)
    try:
        assert defer.getDebugging()
        deferred: Deferred = Deferred()
        deferred.callback(1)
        with pytest.raises(defer.AlreadyCalledError, match="created") as caught:
            deferred.callback(2)
    finally:
        defer.setDebugging(False)
    assert str(caught.value).count("test_debugging_tells") == 2


def test_repr_names_result_and_what_is_waited_for() -> None:
    assert "current result: 'x'" in repr(defer.succeed("x"))
    inner: Deferred = Deferred()
    outer = defer.succeed(0).addCallback(lambda _: inner)
    assert f"waiting on Deferred at {id(inner):#x}" in repr(outer)
    assert "result" not in repr(inner)


def test_execute_and_maybeDeferred_catch_what_is_raised() -> None:
    assert collect(defer.execute(int, "12")) == [12]
    assert collect(defer.execute(int, "x"))[0].check(ValueError)
    assert collect(defer.maybeDeferred(int, "x"))[0].check(ValueError)
    assert collect(defer.maybeDeferred(lambda: Failure(KeyError())))[0].check(KeyError)
    inner: Deferred = Deferred()
    assert defer.maybeDeferred(lambda: inner) is inner


def test_maybeDeferred_runs_coroutine() -> None:
    async def answer() -> int:
        return 42

    assert collect(defer.maybeDeferred(answer)) == [42]


def test_logError_logs_and_passes_on(caplog: pytest.LogCaptureFixture) -> None:
    results = collect(defer.fail(ValueError("seen")).addErrback(defer.logError))
    assert results[0].check(ValueError)
    assert len(caplog.records) == 1
    assert defer.passthru(3) == 3


def test_asFuture_passes_result_failure_and_cancel() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await defer.succeed(3).asFuture(loop) == 3
        with pytest.raises(KeyError):
            await defer.fail(KeyError()).asFuture(loop)
        cancelled: list = []
        deferred: Deferred = Deferred(cancelled.append)
        deferred.asFuture(loop).cancel()
        await asyncio.sleep(0)
        assert cancelled == [deferred]
        other: Deferred = Deferred()
        future = other.asFuture(loop)
        other.cancel()
        assert future.cancelled()

    asyncio.run(main())


def test_fromFuture_passes_result_exception_and_cancel() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        good, bad, cancelled, ours = (loop.create_future() for _ in range(4))
        good.set_result(1)
        bad.set_exception(KeyError())
        cancelled.cancel()
        results = [collect(Deferred.fromFuture(future)) for future in (good, bad, cancelled)]
        mine = Deferred.fromFuture(ours)
        results.append(collect(mine))
        mine.cancel()
        await asyncio.sleep(0)
        assert results[0] == [1]
        assert results[1][0].check(KeyError)
        assert results[2][0].check(defer.CancelledError)
        assert results[3][0].check(defer.CancelledError)
        assert ours.cancelled()

    asyncio.run(main())
