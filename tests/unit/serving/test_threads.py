"""Whether `--threads` is refused, and why."""

import sys
import sysconfig
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sennit.serving import threads
from sennit.serving.server import Server
from sennit.serving.settings import SettingError, Settings
from sennit.serving.target import Target
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.sessions import SQLiteSessionStore

IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def settings(count: int, target: str = "json:loads") -> Settings:
    values = {"threads": count, "interface": "wsgi"}
    return Settings(target, frozenset(values), values)


def gil(monkeypatch: pytest.MonkeyPatch, *enabled: bool) -> None:
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
    assert refusal(threads.refuse_in_vain) == (
        "--threads: this Python runs one thread at a time (it has the GIL):"
        " use --workers, or a free-threaded Python"
    )


def test_threads_are_refused_where_the_gil_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gil(monkeypatch, True)
    build(monkeypatch, free_threaded=True)
    assert "was told to keep the GIL (PYTHON_GIL=1, or -X gil=1): use --workers" in refusal(
        threads.refuse_in_vain
    )


def test_one_thread_is_never_refused() -> None:
    threads.refuse_in_vain(settings(1))
    assert threads.load_for(settings(1)).kind == "wsgi"


def test_several_threads_are_taken_without_the_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    gil(monkeypatch, False, False)
    threads.refuse_in_vain(settings(2))
    assert threads.load_for(settings(2)).kind == "wsgi"


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

    gil(monkeypatch, True)
    monkeypatch.setattr(threads, "load", load)
    monkeypatch.setattr(warnings, "showwarning", show)
    assert "has switched the GIL on (the module shop._fast did that): use --workers" in refusal(
        threads.load_for
    )
    assert len(shown) == 1
    assert warnings.showwarning is show


def test_sessions_in_a_store_keep_to_one_loop(tmp_path: Path) -> None:
    site = Site(Resource(), sessionStore=SQLiteSessionStore(tmp_path / "sessions"))
    with pytest.raises(SettingError, match="keeps its sessions in a store, which works in one event loop"):
        Server(Target(site, "site", "shop:site"), settings(2), [])
