"""Coroutines and generators that wait for Deferreds, with and without asyncio."""

import asyncio
import contextvars
import gc

import pytest

from sennit.internet import defer, task
from sennit.internet.defer import Deferred, ensureDeferred, inlineCallbacks, returnValue


def collect(deferred: Deferred) -> list:
    results: list = []
    deferred.addBoth(results.append)
    return results


def test_ensureDeferred_resumes_within_the_firing() -> None:
    async def add(deferred: Deferred) -> int:
        return await deferred + 1

    waited: Deferred = Deferred()
    results = collect(ensureDeferred(add(waited)))
    assert results == []
    waited.callback(1)
    assert results == [2]


def test_ensureDeferred_raises_failure_in_coroutine() -> None:
    async def catch() -> str:
        try:
            await defer.fail(KeyError("k"))
        except KeyError as error:
            return f"caught {error}"
        return "not raised"

    assert collect(ensureDeferred(catch())) == ["caught 'k'"]


def test_ensureDeferred_takes_generator_and_deferred_and_refuses_the_rest() -> None:
    def generator():
        first = yield defer.succeed(1)
        return first + 1

    assert collect(ensureDeferred(generator())) == [2]
    deferred: Deferred = Deferred()
    assert ensureDeferred(deferred) is deferred
    with pytest.raises(TypeError, match="no coroutine"):
        ensureDeferred(3)  # type: ignore[call-overload]
    with pytest.raises(defer.NotACoroutineError):
        Deferred.fromCoroutine("x")  # type: ignore[arg-type]


def test_several_coroutines_await_one_deferred() -> None:
    async def wait() -> int:
        return await shared

    shared: Deferred = Deferred()
    results = [collect(ensureDeferred(wait())) for _ in range(3)]
    shared.callback(7)
    assert results == [[7]] * 3
    assert shared.result == 7


def test_several_coroutines_get_one_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def wait(shared: Deferred) -> None:
        await shared

    def share() -> None:
        shared: Deferred = Deferred()
        results = [collect(ensureDeferred(wait(shared))) for _ in range(2)]
        shared.errback(KeyError())
        assert all(one[0].check(KeyError) for one in results)

    share()
    gc.collect()
    assert caplog.records == []


def test_yield_from_works_like_await() -> None:
    def generator():
        return (yield from defer.succeed(5))

    assert collect(ensureDeferred(generator())) == [5]


def test_inlineCallbacks_gets_results_exceptions_and_plain_values() -> None:
    @inlineCallbacks
    def work(start: int):
        first = yield defer.succeed(start)
        plain = yield "plain"
        nothing = yield None
        try:
            yield defer.fail(KeyError())
        except KeyError:
            pass
        return first, plain, nothing

    assert collect(work(1)) == [(1, "plain", None)]
    assert work.__name__ == "work"


def test_inlineCallbacks_loop_over_fired_deferreds_does_not_recurse() -> None:
    @inlineCallbacks
    def count():
        total = 0
        for _ in range(20_000):
            total += yield defer.succeed(1)
        return total

    assert collect(count()) == [20_000]


def test_inlineCallbacks_waits_for_coroutines() -> None:
    async def inner() -> str:
        return "inner"

    @inlineCallbacks
    def work():
        return (yield inner())

    assert collect(work()) == ["inner"]


def test_inlineCallbacks_refuses_plain_function() -> None:
    with pytest.raises(TypeError, match="generator"):
        inlineCallbacks(lambda: 3)()  # type: ignore[arg-type,return-value]


def test_returnValue_ends_generator() -> None:
    @inlineCallbacks
    def work():
        yield defer.succeed(1)
        try:
            returnValue("old style")
        except Exception:
            returnValue("caught")

    assert collect(work()) == ["old style"]


def test_raised_exception_fails_the_deferred_with_traceback_of_the_program_only() -> None:
    async def outer() -> None:
        await inner()

    async def inner() -> None:
        raise ValueError("deep")

    [failure] = collect(ensureDeferred(outer()))
    assert [frame[0] for frame in failure.frames] == ["outer", "inner"]


def test_awaited_failure_keeps_its_traceback() -> None:
    async def bad() -> None:
        raise ValueError("deep")

    async def outer() -> None:
        await ensureDeferred(bad())

    [failure] = collect(ensureDeferred(outer()))
    assert [frame[0] for frame in failure.frames][-1] == "bad"
    assert 'raise ValueError("deep")' in failure.getTraceback()


def test_unhandled_error_of_coroutine_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def bad() -> None:
        raise ValueError("deep")

    ensureDeferred(bad())
    assert "Unhandled error in Deferred" in caplog.text


def test_SystemExit_becomes_a_failure() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    [failure] = collect(ensureDeferred(leave()))
    assert failure.check(SystemExit)


def test_cancel_reaches_what_the_coroutine_awaits() -> None:
    cancelled: list = []
    waited: Deferred = Deferred(cancelled.append)

    async def wait() -> None:
        await waited

    deferred = ensureDeferred(wait())
    results = collect(deferred)
    deferred.cancel()
    assert cancelled == [waited]
    assert results[0].check(defer.CancelledError)


def test_cancelled_generator_may_go_on() -> None:
    @inlineCallbacks
    def stubborn():
        try:
            yield Deferred()
        except defer.CancelledError:
            pass
        return (yield clean)

    clean: Deferred = Deferred()
    deferred = stubborn()
    results = collect(deferred)
    deferred.cancel()
    assert results == []
    clean.callback("finished all the same")
    assert results == ["finished all the same"]


def test_cancel_while_running_cancels_the_next_wait() -> None:
    handle: list = []

    async def work() -> None:
        await start
        handle[0].cancel()
        await Deferred()

    start: Deferred = Deferred()
    handle.append(ensureDeferred(work()))
    results = collect(handle[0])
    start.callback(None)
    assert results[0].check(defer.CancelledError)


def test_context_variables_are_the_coroutines_own() -> None:
    variable = contextvars.ContextVar("variable", default="outside")

    async def work(name: str, waited: Deferred) -> str:
        variable.set(name)
        await waited
        return variable.get()

    waits: list[Deferred] = [Deferred(), Deferred()]
    results = [collect(ensureDeferred(work(name, wait))) for name, wait in zip("ab", waits, strict=True)]
    for wait in reversed(waits):
        wait.callback(None)
    assert results == [["a"], ["b"]]
    assert variable.get() == "outside"


def test_coroutine_awaits_asyncio_things() -> None:
    async def work() -> list:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, "future")
        await asyncio.sleep(0)
        slept = await asyncio.sleep(0.001, "slept")
        run = await loop.run_in_executor(None, lambda: "executor")
        return [await future, slept, run, await asyncio.create_task(asyncio.sleep(0, "task"))]

    async def main() -> list:
        return await ensureDeferred(work())

    assert asyncio.run(main()) == ["future", "slept", "executor", "task"]


def test_inlineCallbacks_yields_asyncio_things() -> None:
    @inlineCallbacks
    def work():
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "future")
        return [
            (yield future),
            (yield asyncio.sleep(0, "slept")),
            (yield asyncio.create_task(asyncio.sleep(0, "t"))),
        ]

    async def main() -> list:
        return await work()

    assert asyncio.run(main()) == ["future", "slept", "t"]


def test_cancel_of_coroutine_that_sleeps_in_asyncio() -> None:
    async def main() -> None:
        ended: list = []

        async def work(seconds: float) -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                ended.append(seconds)

        for seconds in (0, 60):
            deferred = ensureDeferred(work(seconds))
            deferred.cancel()
            with pytest.raises(defer.CancelledError):
                await deferred
        assert ended == [0, 60]

    asyncio.run(main())


def test_awaiting_something_foreign_is_an_error_in_the_coroutine() -> None:
    class Foreign:
        def __await__(self):
            yield "not ours"

    async def work() -> None:
        await Foreign()

    [failure] = collect(ensureDeferred(work()))
    assert "neither to a Deferred nor to asyncio" in failure.getErrorMessage()


def test_task_awaits_deferred() -> None:
    async def main() -> int:
        deferred: Deferred = Deferred()
        asyncio.get_running_loop().call_soon(deferred.callback, 4)
        return await deferred + await defer.succeed(1)

    assert asyncio.run(main()) == 5


def test_task_gets_failure_with_traceback() -> None:
    async def bad() -> None:
        await asyncio.sleep(0)
        raise ValueError("deep")

    async def main() -> None:
        await ensureDeferred(bad())

    with pytest.raises(ValueError, match="deep") as caught:
        asyncio.run(main())
    assert caught.traceback[-1].name == "bad"


def test_cancelled_task_cancels_the_deferred_it_awaits() -> None:
    async def main() -> None:
        cancelled: list = []
        deferred: Deferred = Deferred(cancelled.append)

        async def wait() -> None:
            await deferred

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert cancelled == [deferred]

    asyncio.run(main())


def test_cancelled_task_is_cancelled_even_if_the_canceller_gives_a_result() -> None:
    async def main() -> None:
        deferred: Deferred = Deferred(lambda d: d.callback("instead"))

        async def wait() -> None:
            await deferred

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_gather_wait_for_and_timeout_take_deferreds() -> None:
    async def main() -> None:
        assert await asyncio.gather(defer.succeed(1), defer.succeed(2)) == [1, 2]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Deferred(), 0.001)
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.001):
                await Deferred()

    asyncio.run(main())


def test_task_inside_ensureDeferred_inside_task_each_resume_their_own_way() -> None:
    clock = task.Clock()

    async def inner() -> str:
        await task.deferLater(clock, 1)
        return "inner"

    async def middle() -> str:
        return await asyncio.create_task(inner()) + "+middle"

    async def main() -> str:
        deferred = ensureDeferred(middle())
        await asyncio.sleep(0)
        clock.advance(1)
        return await deferred + "+main"

    assert asyncio.run(main()) == "inner+middle+main"


def test_maybeDeferred_waits_for_any_awaitable() -> None:
    class Awaitable:
        def __await__(self):
            return (yield from defer.succeed("awaited"))

    assert collect(defer.maybeDeferred(Awaitable)) == ["awaited"]
