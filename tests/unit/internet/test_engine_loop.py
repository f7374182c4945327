"""Sennit's own event loop: what its native queues, timers and turns promise."""

import asyncio
import contextvars
import gc
import logging
import socket
import subprocess
import sys
import threading
import time
import warnings
import weakref
from asyncio.futures import _set_result_unless_cancelled  # type: ignore[attr-defined]
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("sennit._engine")

from sennit.internet._engines import newEventLoop

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


@pytest.fixture(params=[False, True], ids=["plain", "debug"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """Our loop, as it is and in debug mode."""
    loop = newEventLoop()
    loop.set_debug(request.param)
    yield loop
    loop.close()


@pytest.fixture
def failures(loop: asyncio.AbstractEventLoop) -> list[dict[str, Any]]:
    """What the loop's exception handler has been told."""
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    return told


def runFor(loop: asyncio.AbstractEventLoop, seconds: float = 0.0) -> None:
    loop.run_until_complete(asyncio.sleep(seconds))


# order


def test_calls_are_made_in_their_order(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[int] = []
    for number in range(5):
        loop.call_soon(seen.append, number)
    runFor(loop)
    assert seen == [0, 1, 2, 3, 4]


def test_call_made_by_a_call_waits_for_the_next_turn(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []

    def first() -> None:
        loop.call_soon(seen.append, "third")

    loop.call_soon(first)
    loop.call_soon(seen.append, "second")
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["second"]
    runFor(loop)
    assert seen == ["second", "third"]


def test_timers_are_called_in_the_order_of_their_times_and_then_of_their_making(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[str] = []
    now = loop.time()
    loop.call_at(now + 0.004, seen.append, "late")
    for name in "abcdef":
        loop.call_at(now + 0.002, seen.append, name)
    loop.call_later(-1, seen.append, "at once")
    loop.call_later(60, seen.append, "never")
    runFor(loop, 0.02)
    assert "".join(seen) == "at onceabcdeflate"


def test_what_the_first_of_many_timers_ask_for_does_not_wait_for_the_last(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[object] = []
    reader, writer = socket.socketpair()

    def note_socket() -> None:
        seen.append("socket")
        loop.remove_reader(reader)

    with reader, writer:
        writer.send(b"x")
        loop.add_reader(reader, note_socket)
        when = loop.time()
        for number in range(1000):
            loop.call_at(when, seen.append, number)
        loop.call_at(when, loop.call_soon, seen.append, "none comes before")
        loop.call_at(when - 1, loop.call_soon, seen.append, "soon")
        runFor(loop, 0.01)
    assert [entry for entry in seen if isinstance(entry, int)] == list(range(1000))
    assert seen[-1] == "none comes before"
    assert seen.index("soon") < 200
    assert seen.index("socket") < 200


def test_timer_is_never_early(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        for seconds in (0.0003, 0.001, 0.0017, 0.005):
            due = loop.time() + seconds
            await asyncio.sleep(seconds)
            assert due <= loop.time() < due + 1

    loop.run_until_complete(main())


def test_loop_tells_the_monotonic_time(loop: asyncio.AbstractEventLoop) -> None:
    before = time.monotonic()
    assert before <= loop.time() <= time.monotonic()
    timer = loop.call_at(before + 7, print)
    assert timer.when() == before + 7


# cancelling


def test_cancelled_calls_are_not_made(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []
    handles: list[asyncio.Handle] = [
        loop.call_soon(seen.append, "soon"),
        loop.call_later(0, seen.append, "later"),
    ]
    for handle in handles:
        assert not handle.cancelled()
        handle.cancel()
        handle.cancel()
        assert handle.cancelled()
        assert "cancelled" in repr(handle)
    runFor(loop, 0.002)
    assert seen == []


def test_call_can_cancel_one_of_the_same_turn(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []
    second: list[asyncio.Handle] = []
    loop.call_soon(lambda: second[0].cancel())
    second.append(loop.call_soon(seen.append, "second"))
    runFor(loop)
    assert seen == []


def test_cancelled_handle_lets_go_of_its_arguments() -> None:
    class Argument:
        pass

    loop = newEventLoop()
    argument = Argument()
    gone = weakref.ref(argument)
    timer = loop.call_later(60, print, argument)
    del argument
    assert gone() is not None
    timer.cancel()
    assert gone() is None
    loop.close()


def test_cancelled_timers_do_not_pile_up() -> None:
    loop = newEventLoop()
    kept = [loop.call_later(60, print) for _ in range(50)]
    for _ in range(20):
        for timer in [loop.call_later(50, print) for _ in range(1000)]:
            timer.cancel()
        runFor(loop)
    assert len(loop._scheduled) < 200  # type: ignore[attr-defined]
    assert not any(timer.cancelled() for timer in kept)
    loop.close()


def test_timers_that_ran_and_are_cancelled_then_count_for_nothing() -> None:
    async def main() -> int:
        await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(300)))
        later = [loop.call_later(60, print) for _ in range(200)]
        later[0].cancel()  # the first in the queue
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return len(loop._scheduled)  # type: ignore[attr-defined]

    loop = newEventLoop()
    assert loop.run_until_complete(main()) == 199
    loop.close()


# contexts


def test_call_has_the_context_it_was_made_in(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []

    def see() -> None:
        seen.append(variable.get())
        variable.set("changed")

    own = contextvars.copy_context()
    own.run(variable.set, "own")
    token = variable.set("inside")
    loop.call_soon(see)
    loop.call_later(0, see)
    variable.reset(token)
    handle = loop.call_soon(see, context=own)
    timer = loop.call_later(0, see, context=own)
    for call in (handle, timer):
        # The handles of debug mode are asyncio's, which tell since 3.12.
        assert getattr(call, "get_context", lambda: own)() is own
    runFor(loop, 0.002)
    assert sorted(seen) == ["changed", "inside", "inside", "own"]
    assert own[variable] == "changed"
    assert variable.get() == "outside"


# exceptions


def test_exception_goes_to_the_handler_and_others_are_called(
    loop: asyncio.AbstractEventLoop, failures: list[dict[str, Any]]
) -> None:
    def fail() -> None:
        raise ValueError("wrong")

    seen: list[str] = []
    handle = loop.call_soon(fail)
    loop.call_soon(seen.append, "other")
    runFor(loop)
    assert seen == ["other"]
    (context,) = failures
    assert "fail" in context["message"]
    assert str(context["exception"]) == "wrong"
    assert context["exception"].__traceback__ is not None
    assert context["handle"] is handle


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_comes_out_of_the_loop(
    loop: asyncio.AbstractEventLoop, failures: list[dict[str, Any]], kind: type[BaseException]
) -> None:
    def end() -> None:
        raise kind

    seen: list[str] = []
    loop.call_soon(end)
    loop.call_soon(seen.append, "next")
    with pytest.raises(kind):
        loop.run_forever()
    assert seen == []
    runFor(loop)
    assert seen == ["next"]
    assert failures == []


def test_context_that_is_entered_already_fails_the_call_alone(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    context = contextvars.copy_context()
    seen: list[str] = []

    def within() -> None:
        loop.call_soon(seen.append, "no", context=context)
        loop.call_soon(seen.append, "yes")
        runFor(loop)

    context.run(within)
    assert seen == ["yes"]
    assert "already entered" in caplog.text


def test_closed_loop_takes_no_calls(loop: asyncio.AbstractEventLoop) -> None:
    loop.close()
    loop.close()
    calls: list[Callable[[], object]] = [
        lambda: loop.call_soon(print),
        lambda: loop.call_later(1, print),
        lambda: loop.call_at(1, print),
        lambda: loop.call_soon_threadsafe(print),
        loop.run_forever,
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_time_of_a_call_is_a_number(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(TypeError):
        loop.call_later(None, print)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        loop.call_at("soon", print)  # type: ignore[arg-type]


# handles


def test_handles_pass_for_those_of_asyncio(loop: asyncio.AbstractEventLoop) -> None:
    soon = loop.call_soon(print, 1)
    first, second = loop.call_at(1e9, print, 2), loop.call_at(2e9, print, 3)
    assert isinstance(soon, asyncio.Handle)
    assert not isinstance(soon, asyncio.TimerHandle)
    assert isinstance(first, asyncio.TimerHandle)
    assert isinstance(first, asyncio.Handle)
    assert first < second
    assert second > first
    assert first <= second
    assert second >= first
    assert first != second
    assert len({first, second, first}) == 2
    assert "print(" in repr(soon)
    assert "when=1000000000" in repr(first)
    assert weakref.ref(soon)() is soon


def test_future_of_the_loop_is_asyncios(loop: asyncio.AbstractEventLoop) -> None:
    future = loop.create_future()
    assert type(future) is asyncio.Future
    assert future.get_loop() is loop
    future.cancel()


def test_sleep_that_is_cancelled_or_awaited_late_ends_as_it_should(
    loop: asyncio.AbstractEventLoop, failures: list[dict[str, Any]]
) -> None:
    async def main() -> None:
        assert await asyncio.sleep(0.001, "result") == "result"
        given_up = asyncio.ensure_future(asyncio.sleep(0.002))
        await asyncio.sleep(0)
        given_up.cancel()
        futures: list[asyncio.Future[int]] = [loop.create_future() for _ in range(3)]
        for number, future in enumerate(futures):
            timer = loop.call_later(0.001, _set_result_unless_cancelled, future, number)
            assert "_set_result_unless_cancelled" in repr(timer)
        futures[1].cancel()
        futures[2].set_result(7)
        await asyncio.sleep(0.01)
        assert (futures[0].result(), futures[2].result()) == (0, 7)
        assert given_up.cancelled()

    loop.run_until_complete(main())
    # The one that had a result already.
    (context,) = failures
    assert isinstance(context["exception"], asyncio.InvalidStateError)
    assert "_set_result_unless_cancelled" in context["message"]


# debug mode


def test_debug_mode_names_slow_callbacks(caplog: pytest.LogCaptureFixture) -> None:
    loop = newEventLoop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.005
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        loop.call_soon(time.sleep, 0.01)
        runFor(loop)
        loop.set_debug(False)
        loop.call_soon(time.sleep, 0.01)
        runFor(loop)
    (record,) = caplog.records
    assert "sleep" in record.getMessage()
    assert "took 0.01" in record.getMessage()
    loop.close()


def test_debug_mode_knows_where_a_call_was_asked_for() -> None:
    loop = newEventLoop()
    loop.set_debug(True)
    for handle in (loop.call_soon(print), loop.call_later(60, print)):
        assert f"created at {__file__}" in repr(handle)
    with pytest.raises(TypeError):
        loop.call_later(1, 5)  # type: ignore[arg-type]
    refused: list[BaseException] = []

    def callFromElsewhere() -> None:
        try:
            loop.call_soon(print)
        except RuntimeError as error:
            refused.append(error)

    async def main() -> None:
        thread = threading.Thread(target=callFromElsewhere)
        thread.start()
        thread.join()

    loop.run_until_complete(main())
    assert "Non-thread-safe" in str(refused)
    loop.close()


def test_debug_mode_can_be_switched_while_calls_wait() -> None:
    loop = newEventLoop()
    seen: list[int] = []
    for number in range(6):
        loop.call_soon(loop.set_debug, number % 2 == 0)
        loop.call_soon(seen.append, number)
        loop.call_later(0.001, seen.append, number + 10)
    runFor(loop, 0.01)
    assert seen == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]
    loop.close()


# threads, and the end of it


def test_threads_wake_the_loop(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[int] = []
    full = asyncio.Event()

    def see(number: int) -> None:
        seen.append(number)
        if len(seen) == 300:
            full.set()

    def add(first: int) -> None:
        for number in range(first, first + 100):
            loop.call_soon_threadsafe(see, number)

    async def main() -> None:
        threads = [threading.Thread(target=add, args=(first,)) for first in (0, 100, 200)]
        for thread in threads:
            thread.start()
        await asyncio.wait_for(full.wait(), 10)

    loop.run_until_complete(main())
    assert sorted(seen) == list(range(300))
    assert [number for number in seen if number < 100] == list(range(100))


def test_loop_that_waits_for_ever_is_woken_by_a_thread(loop: asyncio.AbstractEventLoop) -> None:
    timer = threading.Timer(0.02, loop.call_soon_threadsafe, (loop.stop,))
    timer.start()
    loop.run_forever()
    timer.join()


def test_loop_with_calls_that_wait_is_collected() -> None:
    loop = newEventLoop()
    loop.call_soon(print, loop)
    loop.call_later(60, print, loop)
    gone = weakref.ref(loop)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    del loop
    gc.collect()
    assert gone() is None


def test_loop_that_nobody_closed_is_collected_with_its_calls() -> None:
    loop = newEventLoop()
    loop.call_soon(print, loop)
    loop.call_later(60, print, loop)
    sleeper = loop.create_future()
    loop.call_later(60, _set_result_unless_cancelled, sleeper, loop)
    gone = weakref.ref(loop)
    del loop, sleeper
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    assert gone() is None


def test_what_a_handle_of_somebodys_holds_is_not_collected() -> None:
    class Holder:
        itself: object = None

        def call(self) -> None:
            seen.append("called")

    seen: list[str] = []
    loop = newEventLoop()
    holder = Holder()
    holder.itself = holder
    handle: Any = loop.call_soon(holder.call)
    gone = weakref.ref(holder)
    del loop, holder
    gc.collect()
    assert gone() is not None
    runFor(handle._loop)
    assert seen == ["called"]
    handle._loop.close()


def test_handle_can_be_cancelled_by_who_hears_of_its_failure() -> None:
    loop = newEventLoop()
    loop.set_exception_handler(lambda _, context: context["handle"].cancel())
    handle = loop.call_soon(divmod, 1, 0)
    runFor(loop)
    assert handle.cancelled()
    loop.close()


def test_handle_that_was_called_lets_go_of_what_it_called() -> None:
    class Holder:
        handle: asyncio.Handle | None = None

        def call(self, fail: bool) -> None:
            if fail:
                raise ValueError("wrong")

    loop = newEventLoop()
    reprs: list[str] = []
    loop.set_exception_handler(lambda _, context: reprs.append(repr(context["handle"])))
    holders = [Holder(), Holder()]
    for holder, fail in zip(holders, (False, True), strict=True):
        holder.handle = loop.call_soon(holder.call, fail)
    gone = [weakref.ref(holder) for holder in holders]
    handle = holder.handle
    del holder, holders
    runFor(loop)
    gc.collect()
    assert [holder() for holder in gone] == [None, None]
    assert "Holder.call(" in reprs[0]
    assert handle is not None
    assert (repr(handle), handle.cancelled()) == ("<Handle called>", False)
    handle.cancel()
    assert handle.cancelled()
    loop.close()


def test_a_great_many_timers_leave_nothing_behind() -> None:
    program = """
import asyncio, gc, sys
from sennit.internet._engines import newEventLoop

async def main():
    loop = asyncio.get_running_loop()
    async def some():
        for turn in range(20):
            await asyncio.gather(*(asyncio.sleep(0.0001) for _ in range(500)))
            for timer in [loop.call_later(9, print, turn) for _ in range(2000)]:
                timer.cancel()
    await some()
    gc.collect()
    before = sys.getallocatedblocks()
    await some()
    gc.collect()
    print(sys.getallocatedblocks() - before)

with asyncio.Runner(loop_factory=newEventLoop) as runner:
    runner.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) < 500
