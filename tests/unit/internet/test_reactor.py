"""The reactor: running and stopping, time, threads, system events."""

import asyncio
import os
import signal
import threading
import time

import pytest
from zope.interface.verify import verifyObject

from sennit.internet import error, interfaces, threads
from sennit.internet.defer import Deferred


def test_reactor_provides_its_interfaces(reactor) -> None:
    for interface in (
        interfaces.IReactorCore,
        interfaces.IReactorTime,
        interfaces.IReactorThreads,
        interfaces.IReactorTCP,
        interfaces.IReactorUNIX,
        interfaces.IReactorSocket,
    ):
        verifyObject(interface, reactor)


def test_importing_reactor_gives_the_one_object() -> None:
    import sennit.internet.reactor as imported
    from sennit.internet import reactor
    from sennit.internet._reactor import Reactor

    assert isinstance(reactor, Reactor)
    assert imported is reactor


def test_run_serves_calls_until_stop_and_can_be_repeated(reactor) -> None:
    order: list = []
    for turn in range(3):
        reactor.callLater(0.002, reactor.stop)
        reactor.callLater(0.001, order.append, turn)
        assert not reactor.running
        reactor.callWhenRunning(lambda: order.append(reactor.running))
        reactor.run()
    assert order == [True, 0, True, 1, True, 2]


def test_stop_with_nothing_running_ends_at_once(reactor) -> None:
    times = []
    for _ in range(5):  # the best of them: the machine may be busy with other things
        reactor.callWhenRunning(reactor.stop)
        begin = time.monotonic()
        reactor.run()
        times.append(time.monotonic() - begin)
    assert min(times) < 0.05


def test_stop_and_run_refuse_the_wrong_moment(reactor) -> None:
    with pytest.raises(error.ReactorNotRunning):
        reactor.stop()
    raised: list = []

    def misuse() -> None:
        for call in (reactor.run, reactor.iterate, reactor.stop, reactor.stop):
            try:
                call()
            except RuntimeError as caught:
                raised.append(type(caught))

    reactor.callWhenRunning(misuse)
    reactor.run()
    assert raised == [error.ReactorAlreadyRunning] * 2 + [error.ReactorNotRunning]


def test_run_inside_of_a_running_loop_is_refused(reactor) -> None:
    async def main() -> None:
        assert reactor.running
        with pytest.raises(error.ReactorAlreadyRunning, match="asyncio loop"):
            reactor.run()
        with pytest.raises(error.ReactorNotRunning):
            reactor.stop()

    asyncio.run(main())


def test_crash_ends_run_without_shutdown(reactor) -> None:
    seen: list = []
    trigger = reactor.addSystemEventTrigger("before", "shutdown", seen.append, "shutdown")
    reactor.callLater(0.001, reactor.crash)
    reactor.run()
    assert seen == []
    reactor.removeSystemEventTrigger(trigger)


def test_iterate_serves_what_waits_and_returns(reactor) -> None:
    seen: list = []
    reactor.callLater(0, seen.append, "now")
    reactor.callLater(60, seen.append, "late")
    for _ in range(3):
        reactor.iterate()
    reactor.iterate(0.001)
    assert seen == ["now"]


def test_system_events_of_a_run_come_in_order(reactor) -> None:
    order: list = []
    for event in ("shutdown", "startup"):
        for phase in ("after", "during", "before"):
            reactor.addSystemEventTrigger(phase, event, order.append, f"{phase} {event}")
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    assert order == [
        f"{phase} {event}" for event in ("startup", "shutdown") for phase in ("before", "during", "after")
    ]


def test_shutdown_waits_for_deferred_and_coroutine_from_before(reactor) -> None:
    order: list = []

    def finish(deferred: Deferred) -> None:
        order.append("deferred")
        deferred.callback(None)

    def wait() -> Deferred:
        deferred: Deferred = Deferred()
        reactor.callLater(0.01, finish, deferred)
        return deferred

    async def coroutine() -> None:
        await asyncio.sleep(0.005)
        order.append("coroutine")

    reactor.addSystemEventTrigger("before", "shutdown", wait)
    reactor.addSystemEventTrigger("before", "shutdown", coroutine)
    reactor.addSystemEventTrigger("during", "shutdown", order.append, "during")
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    # Both are waited for; on a busy machine either may be first.
    assert (sorted(order[:2]), order[2:]) == (["coroutine", "deferred"], ["during"])


def test_trigger_that_raises_is_logged_and_does_not_stop_the_rest(
    reactor, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list = []
    reactor.addSystemEventTrigger("before", "shutdown", lambda: 1 / 0)
    reactor.addSystemEventTrigger("before", "shutdown", seen.append, "next")
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    assert seen == ["next"]
    assert "ZeroDivisionError" in caplog.text


def test_triggers_are_checked(reactor) -> None:
    with pytest.raises(ValueError, match="'besides'"):
        reactor.addSystemEventTrigger("besides", "shutdown", print)
    with pytest.raises(TypeError, match="callable"):
        reactor.addSystemEventTrigger("before", "shutdown", None)
    with pytest.raises(TypeError, match="addSystemEventTrigger"):
        reactor.removeSystemEventTrigger("x")
    trigger = reactor.addSystemEventTrigger("before", "own", print)
    reactor.removeSystemEventTrigger(trigger)
    with pytest.raises(ValueError, match="already"):
        reactor.removeSystemEventTrigger(trigger)


def test_fireSystemEvent_calls_triggers_of_own_events(reactor) -> None:
    seen: list = []
    reactor.addSystemEventTrigger("during", "own", seen.append, "during")
    assert reactor.fireSystemEvent("own").called
    reactor.fireSystemEvent("own")
    assert seen == ["during"]


def test_tasks_left_at_the_end_are_cancelled_and_finish(reactor) -> None:
    ended: list = []

    async def endless() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    reactor.callWhenRunning(endless)
    reactor.callLater(0.001, reactor.stop)
    reactor.run()
    assert ended == [True]


def test_SystemExit_in_a_call_runs_shutdown_and_goes_through(reactor) -> None:
    seen: list = []

    def leave() -> None:
        raise SystemExit(5)

    reactor.addSystemEventTrigger("before", "shutdown", seen.append, "shutdown")
    reactor.callLater(0, leave)
    with pytest.raises(SystemExit) as caught:
        reactor.run()
    assert caught.value.code == 5
    assert seen == ["shutdown"]
    assert not reactor.running


# signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_in_order_and_handlers_are_restored(reactor, number: signal.Signals) -> None:
    seen: list = []
    before = signal.getsignal(number)
    reactor.addSystemEventTrigger("during", "shutdown", seen.append, "shutdown")
    reactor.callLater(0.001, os.kill, os.getpid(), number)
    reactor.run()
    assert seen == ["shutdown"]
    assert signal.getsignal(number) is before


def test_second_signal_cuts_what_the_first_waits_for(reactor) -> None:
    reactor.addSystemEventTrigger("before", "shutdown", Deferred)
    for delay in (0.001, 0.02):
        reactor.callLater(delay, os.kill, os.getpid(), signal.SIGTERM)
    begin = time.monotonic()
    reactor.run()
    assert time.monotonic() - begin < 1


def test_own_SIGINT_handler_of_the_program_is_left_alone(reactor) -> None:
    seen: list = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("mine"))
    try:
        reactor.callLater(0.001, os.kill, os.getpid(), signal.SIGINT)
        reactor.callLater(0.05, reactor.stop)
        reactor.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["mine"]


def test_without_signal_handlers_KeyboardInterrupt_runs_shutdown(reactor) -> None:
    seen: list = []
    reactor.addSystemEventTrigger("before", "shutdown", seen.append, "shutdown")
    reactor.callLater(0.001, signal.raise_signal, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        reactor.run(installSignalHandlers=False)
    assert seen == ["shutdown"]


def test_reactor_runs_in_another_thread(reactor) -> None:
    seen: list = []
    reactor.callLater(0.001, lambda: seen.append(threading.current_thread() is threading.main_thread()))
    reactor.callLater(0.002, reactor.stop)
    thread = threading.Thread(target=reactor.run)
    thread.start()
    thread.join(10)
    assert seen == [False]


def test_stop_may_come_from_another_thread(reactor) -> None:
    reactor.callWhenRunning(lambda: threading.Thread(target=reactor.stop).start())
    reactor.run()


# time


def test_callLater_logs_errors_and_goes_on(reactor, caplog: pytest.LogCaptureFixture) -> None:
    async def coroutine() -> None:
        raise KeyError("in a coroutine")

    reactor.callLater(0, lambda: 1 / 0)
    reactor.callLater(0, coroutine)
    reactor.callLater(0.005, reactor.stop)
    reactor.run()
    assert "ZeroDivisionError" in caplog.text
    assert "in a coroutine" in caplog.text


def test_delayed_call_can_be_put_off_and_brought_forward(reactor) -> None:
    order: list = []
    late = reactor.callLater(0.001, order.append, "put off")
    early = reactor.callLater(60, order.append, "brought forward")
    other = reactor.callLater(60, order.append, "earlier by delay")
    assert abs(early.getTime() - reactor.seconds() - 60) < 1
    late.reset(0.02)
    early.reset(0.002)
    other.delay(-59.99)
    reactor.callLater(0.03, reactor.stop)
    reactor.run()
    assert order == ["brought forward", "earlier by delay", "put off"]


def test_delayed_call_knows_its_state(reactor) -> None:
    call = reactor.callLater(0, print)
    assert call.active()
    assert reactor.getDelayedCalls() == [call]
    verifyObject(interfaces.IDelayedCall, call)
    call.cancel()
    assert not call.active()
    assert reactor.getDelayedCalls() == []
    for change in (call.cancel, lambda: call.reset(1), lambda: call.delay(1)):
        with pytest.raises(error.AlreadyCancelled):
            change()
    called = reactor.callLater(0, reactor.stop)
    reactor.run()
    with pytest.raises(error.AlreadyCalled):
        called.cancel()
    with pytest.raises(AssertionError):
        reactor.callLater(-0.1, print)


def test_callLater_uses_the_running_loop(reactor) -> None:
    async def main() -> None:
        called = asyncio.Event()
        reactor.callLater(0.001, called.set)
        await asyncio.wait_for(called.wait(), 1)
        late = reactor.callLater(10, print)
        assert reactor.getDelayedCalls() == [late]
        late.cancel()

    asyncio.run(main())


# threads


def test_callFromThread_calls_in_the_reactors_thread_in_order(reactor) -> None:
    seen: list = []

    def note(number: int) -> None:
        seen.append((number, threading.get_ident()))

    def work() -> None:
        for number in range(100):
            reactor.callFromThread(note, number)
        reactor.callFromThread(reactor.stop)

    reactor.callInThread(work)
    reactor.run()
    assert seen == [(number, threading.get_ident()) for number in range(100)]


def test_callInThread_logs_errors(reactor, caplog: pytest.LogCaptureFixture) -> None:
    def work() -> None:
        reactor.callFromThread(reactor.callLater, 0.001, reactor.stop)
        raise KeyError("in a thread")

    reactor.callInThread(work)
    reactor.run()
    assert "in a thread" in caplog.text


def test_thread_pool_lives_as_long_as_the_run(reactor) -> None:
    reactor.suggestThreadPoolSize(3)
    pool = reactor.getThreadPool()
    assert (pool.min, pool.max, pool.started) == (0, 3, False)
    reactor.callWhenRunning(lambda: reactor.callInThread(reactor.callFromThread, reactor.stop))
    reactor.run()
    assert pool.joined
    assert pool.workers == 0
    assert reactor.getThreadPool() is not pool


def test_shutdown_lets_calls_in_threads_finish(reactor) -> None:
    finished: list = []

    def work() -> None:
        reactor.callFromThread(reactor.stop)
        time.sleep(0.02)
        finished.append(threads.blockingCallFromThread(reactor, lambda: "answered"))

    reactor.callInThread(work)
    reactor.run()
    assert finished == ["answered"]


def test_deferToThreadPool_gives_result_or_failure_in_this_thread(reactor) -> None:
    results: list = []

    def note(result: object) -> None:
        results.append((result, threading.current_thread() is threading.main_thread()))
        if len(results) == 2:
            reactor.stop()

    def start() -> None:
        pool = reactor.getThreadPool()
        threads.deferToThreadPool(reactor, pool, divmod, 7, 2).addBoth(note)
        threads.deferToThreadPool(reactor, pool, int, "x").addErrback(lambda f: f.check(ValueError)).addBoth(
            note
        )

    reactor.callWhenRunning(start)
    reactor.run()
    assert sorted(results, key=str) == [((3, 1), True), (ValueError, True)]


def test_blockingCallFromThread_waits_for_coroutine_and_raises(reactor) -> None:
    results: list = []

    async def later() -> str:
        await asyncio.sleep(0.001)
        return "later"

    def work() -> None:
        results.append(threads.blockingCallFromThread(reactor, later))
        try:
            threads.blockingCallFromThread(reactor, lambda: 1 / 0)
        except ZeroDivisionError:
            results.append("raised")
        reactor.callFromThread(reactor.stop)

    reactor.callInThread(work)
    reactor.run()
    assert results == ["later", "raised"]


def test_deferToThread_returns_to_the_loop_it_was_called_in() -> None:
    from sennit.internet import reactor

    seen: list = []

    def work() -> int:
        reactor.callFromThread(seen.append, "from thread")
        return threading.get_ident()

    async def main() -> None:
        assert await threads.deferToThread(work) != threading.get_ident()
        done: Deferred = Deferred()
        calls = [(seen.append, [1], {}), (reactor.callFromThread, [done.callback, None], {})]
        threads.callMultipleInThread(calls)
        await done

    for _ in range(2):
        asyncio.run(main())
    assert seen == ["from thread", 1] * 2


def test_cancelled_deferToThread_ignores_the_late_result() -> None:
    async def main() -> None:
        go = threading.Event()
        deferred = threads.deferToThread(go.wait, 5)
        deferred.addErrback(lambda failure: None)
        deferred.cancel()
        go.set()
        await asyncio.sleep(0.01)

    asyncio.run(main())
