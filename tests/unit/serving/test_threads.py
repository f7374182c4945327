"""Whether `--threads` is refused, and why."""

import asyncio
import queue
import sys
import sysconfig
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sennit.serving import gil
from sennit.serving.hang import Watchdog
from sennit.serving.server import Server
from sennit.serving.settings import SettingError, Settings
from sennit.serving.target import Target
from sennit.serving.threads import LoopThreads
from sennit.web import _processes
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.sessions import SQLiteSessionStore

IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What loading a program with several threads tells all WSGI applications is undone."""
    monkeypatch.setattr(_processes, "servedByThreads", False)


def settings(count: int, target: str = "json:loads") -> Settings:
    values = {"threads": count, "interface": "wsgi"}
    return Settings(target, frozenset(values), values)


def gil_is(monkeypatch: pytest.MonkeyPatch, *enabled: bool) -> None:
    """What Python says of its GIL, from one question to the next."""
    answers = iter(enabled)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: next(answers), raising=False)


def build(monkeypatch: pytest.MonkeyPatch, *, free_threaded: bool) -> None:
    real = sysconfig.get_config_var
    monkeypatch.setattr(
        sysconfig,
        "get_config_var",
        lambda name: int(free_threaded) if name == "Py_GIL_DISABLED" else real(name),
    )


def refusal(refuse: Callable[[Settings], Any], count: int = 2) -> str:
    with pytest.raises(SettingError) as refused:
        refuse(settings(count))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.skipif(IS_FREE_THREADED, reason="this Python may have no GIL")
def test_threads_are_refused_by_a_python_with_the_gil() -> None:
    assert refusal(gil.refuse_in_vain) == (
        "--threads: this Python runs one thread at a time (it has the GIL):"
        " use --workers, or a free-threaded Python"
    )


def test_threads_are_refused_where_the_gil_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gil_is(monkeypatch, True)
    build(monkeypatch, free_threaded=True)
    assert "was told to keep the GIL (PYTHON_GIL=1, or -X gil=1): use --workers" in refusal(
        gil.refuse_in_vain
    )


def test_one_thread_is_never_refused() -> None:
    gil.refuse_in_vain(settings(1))
    assert gil.load_for(settings(1)).kind == "wsgi"


def test_several_threads_are_taken_without_the_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    gil_is(monkeypatch, False, False)
    gil.refuse_in_vain(settings(2))
    assert gil.load_for(settings(2)).kind == "wsgi"


def test_module_that_switches_the_gil_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "The global interpreter lock (GIL) has been enabled to load module 'shop._fast', which has not"
        " declared that it can run safely without the GIL."
    )

    def load(settings: Settings) -> Target:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(text, RuntimeWarning, stacklevel=1)
        return Target(str, "wsgi", "shop")

    shown: list[Any] = []

    def show(*warning: Any) -> None:
        shown.append(warning)

    gil_is(monkeypatch, True)
    monkeypatch.setattr(gil, "load", load)
    monkeypatch.setattr(warnings, "showwarning", show)
    assert "has switched the GIL on (the module shop._fast did that): use --workers" in refusal(gil.load_for)
    assert len(shown) == 1
    assert warnings.showwarning is show


def test_sessions_in_a_store_keep_to_one_loop(tmp_path: Path) -> None:
    site = Site(Resource(), sessionStore=SQLiteSessionStore(tmp_path / "sessions"))
    with pytest.raises(SettingError, match="keeps its sessions in a store, which works in one event loop"):
        Server(Target(site, "site", "shop:site"), settings(2), [])


def test_round_comes_by_every_loop_and_not_past_one_that_hangs() -> None:
    threads = LoopThreads(2)
    hangs = threading.Event()
    rounds: queue.SimpleQueue[str] = queue.SimpleQueue()

    def come() -> None:
        rounds.put(threading.current_thread().name)

    async def go() -> None:
        await threads.start([])
        threads.after_a_round(come)
        assert (await asyncio.to_thread(rounds.get, timeout=5)).startswith("sennit-loop-")
        threads.call_in_each(hangs.wait, 5)
        threads.after_a_round(come)
        await asyncio.sleep(0.05)
        assert rounds.empty()
        hangs.set()
        await asyncio.to_thread(rounds.get, timeout=5)
        await threads.drain()

    asyncio.run(go())
    threads.end()
    assert not [one for one in threading.enumerate() if one.name.startswith("sennit-loop-")]


def test_watchdog_tells_of_any_thread_that_has_given_signs() -> None:
    told: list[str] = []
    ended = threading.Event()
    watchdog = Watchdog(0.2, told.append)
    watchdog.start()

    def other() -> None:
        watchdog.beat()
        ended.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    until = time.monotonic() + 5
    while not told and time.monotonic() < until:
        watchdog.beat()
        time.sleep(0.01)
    ended.set()
    thread.join()
    watchdog.stop()
    assert len(told) == 1
    assert "in other" in told[0]
