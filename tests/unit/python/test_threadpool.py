"""A pool of threads."""

import contextvars
import threading
from collections.abc import Iterator

import pytest

from sennit.python.threadpool import ThreadPool


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    made = ThreadPool(0, 2, "test")
    made.start()
    yield made
    made.stop(5)


def wait(semaphore: threading.Semaphore, times: int = 1) -> None:
    for _ in range(times):
        assert semaphore.acquire(timeout=5)


def test_calls_run_in_other_threads_with_results_and_failures(pool: ThreadPool) -> None:
    done = threading.Semaphore(0)
    results: list = []

    def onResult(succeeded: bool, result: object) -> None:
        results.append((succeeded, result, threading.current_thread() is threading.main_thread()))
        done.release()

    pool.callInThreadWithCallback(onResult, divmod, 7, 2)
    wait(done)
    pool.callInThreadWithCallback(onResult, int, "x")
    wait(done)
    assert results[0] == (True, (3, 1), False)
    assert results[1][0] is False
    assert results[1][1].check(ValueError)


def test_threads_are_made_as_needed_up_to_the_maximum(pool: ThreadPool) -> None:
    go, running, done = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        running.release()
        go.wait(5)
        done.release()

    assert pool.workers == 0
    for _ in range(5):
        pool.callInThread(work)
    wait(running, 2)
    assert pool.workers == 2
    assert not running.acquire(timeout=0.02)
    go.set()
    wait(done, 5)


def test_an_idle_thread_is_used_again(pool: ThreadPool) -> None:
    done = threading.Semaphore(0)
    for _ in range(10):
        pool.callInThreadWithCallback(lambda *_: None, lambda: None)
        pool.callInThread(done.release)
        wait(done)
    assert pool.workers <= 2


def test_calls_before_start_wait_for_it() -> None:
    pool = ThreadPool(0, 1)
    done = threading.Semaphore(0)
    pool.callInThread(done.release)
    assert not done.acquire(timeout=0.02)
    pool.start()
    wait(done)
    assert pool.stop(5)


def test_stop_runs_what_waits_and_ends_the_threads() -> None:
    pool = ThreadPool(2, 2)
    pool.start()
    assert pool.workers == 2
    results: list = []
    for number in range(20):
        pool.callInThread(results.append, number)
    assert pool.stop(5)
    assert sorted(results) == list(range(20))
    assert pool.workers == 0
    pool.callInThread(results.append, "too late")
    assert "too late" not in results


def test_stop_gives_up_after_its_timeout() -> None:
    pool = ThreadPool(0, 1)
    pool.start()
    go = threading.Event()
    pool.callInThread(go.wait, 5)
    assert not pool.stop(0.01)
    go.set()
    assert pool.stop(5)


def test_stopped_pool_can_be_started_again() -> None:
    pool = ThreadPool(0, 1)
    done = threading.Semaphore(0)
    for _ in range(2):
        pool.start()
        pool.callInThread(done.release)
        wait(done)
        assert pool.stop(5)


def test_sizes_can_be_changed_and_are_checked(pool: ThreadPool) -> None:
    pool.adjustPoolsize(2, 3)
    assert pool.workers == 2
    pool.adjustPoolsize(0, 1)
    done = threading.Semaphore(0)
    pool.callInThread(done.release)
    wait(done)
    assert pool.stop(5)
    for sizes in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="threads"):
            ThreadPool(*sizes)
        with pytest.raises(ValueError, match="threads"):
            pool.adjustPoolsize(*sizes)


def test_mistakes_are_logged_and_the_thread_goes_on(
    pool: ThreadPool, caplog: pytest.LogCaptureFixture
) -> None:
    def raising(*_: object) -> None:
        raise KeyError("mistake")

    done = threading.Semaphore(0)
    pool.callInThread(raising)
    pool.callInThreadWithCallback(raising, lambda: None)
    pool.callInThread(done.release)
    wait(done)
    assert pool.stop(5)
    assert caplog.text.count("KeyError: 'mistake'") == 2


def test_calls_see_their_callers_context(pool: ThreadPool) -> None:
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("the caller's")
    results: list = []
    done = threading.Semaphore(0)

    def work() -> None:
        results.append(variable.get())
        variable.set("the thread's")
        done.release()

    for _ in range(2):
        pool.callInThread(work)
        wait(done)
    assert results == ["the caller's"] * 2
    assert variable.get() == "the caller's"


def test_statistics_are_logged(pool: ThreadPool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sennit")
    pool.dumpStats()
    assert "workers: 0" in caplog.text
