"""DeferredLock, DeferredSemaphore and DeferredQueue."""

import pytest

from sennit.internet import defer
from sennit.internet.defer import Deferred, DeferredLock, DeferredQueue, DeferredSemaphore, ensureDeferred


def test_lock_is_held_by_one_at_a_time_in_order() -> None:
    lock = DeferredLock()
    order: list = []
    for name in "abc":
        lock.acquire().addCallback(lambda _, name=name: order.append(name))
    assert order == ["a"]
    assert lock.locked
    lock.release()
    assert order == ["a", "b"]
    lock.release()
    lock.release()
    assert order == ["a", "b", "c"]
    assert not lock.locked


def test_release_of_free_lock_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="nobody holds"):
        DeferredLock().release()


def test_cancelled_waiter_does_not_get_the_lock() -> None:
    lock = DeferredLock()
    lock.acquire()
    waiting = lock.acquire()
    waiting.cancel()
    waiting.addErrback(lambda failure: failure.trap(defer.CancelledError))
    lock.release()
    assert not lock.locked


def test_run_holds_the_lock_until_the_result_is_there() -> None:
    lock = DeferredLock()
    inner: Deferred = Deferred()
    results: list = []
    lock.run(lambda: inner).addCallback(results.append)
    assert lock.locked
    inner.callback("done")
    assert results == ["done"]
    assert not lock.locked


def test_run_releases_after_an_error() -> None:
    lock = DeferredLock()
    failures: list = []
    lock.run(lambda: 1 / 0).addErrback(failures.append)
    assert failures[0].check(ZeroDivisionError)
    assert not lock.locked


def test_async_with_holds_the_lock() -> None:
    lock = DeferredLock()
    inner: Deferred = Deferred()

    async def work() -> None:
        async with lock:
            await inner

    ensureDeferred(work())
    assert lock.locked
    inner.callback(None)
    assert not lock.locked


def test_semaphore_gives_its_number_of_tokens() -> None:
    semaphore = DeferredSemaphore(2)
    acquired = [semaphore.acquire().called for _ in range(3)]
    assert acquired == [True, True, False]
    with pytest.raises(ValueError, match="token"):
        DeferredSemaphore(0)


def test_queue_hands_out_in_order() -> None:
    queue: DeferredQueue = DeferredQueue()
    results: list = []
    queue.get().addCallback(results.append)
    for item in "abc":
        queue.put(item)
    queue.get().addCallback(results.append)
    queue.get().addCallback(results.append)
    assert results == ["a", "b", "c"]


def test_queue_has_limits_on_both_sides() -> None:
    queue: DeferredQueue = DeferredQueue(size=1, backlog=1)
    queue.put("a")
    with pytest.raises(defer.QueueOverflow):
        queue.put("b")
    queue.get()
    queue.get()
    with pytest.raises(defer.QueueUnderflow):
        queue.get()


def test_cancelled_get_takes_nothing() -> None:
    queue: DeferredQueue = DeferredQueue()
    waiting = queue.get()
    waiting.cancel()
    waiting.addErrback(lambda failure: failure.trap(defer.CancelledError))
    queue.put("kept")
    results: list = []
    queue.get().addCallback(results.append)
    assert results == ["kept"]
