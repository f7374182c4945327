"""The names of Twisted as other names of Sennit's modules."""

import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sennit.serving import twisted_names


@pytest.fixture(autouse=True)
def names() -> Iterator[twisted_names.TwistedNames]:
    """The finder, for one test; what it brought in is forgotten afterwards."""
    assert "twisted" not in sys.modules
    yield twisted_names.install()
    twisted_names.uninstall()
    for name in [name for name in sys.modules if name.partition(".")[0] == "twisted"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "rest", ["", ".web", ".web.resource", ".web.error", ".internet", ".internet.reactor"]
)
def test_module_is_the_same_object(rest: str) -> None:
    assert importlib.import_module(f"twisted{rest}") is importlib.import_module(f"sennit{rest}")


def test_module_keeps_its_own_name_and_spec() -> None:
    module = importlib.import_module("twisted.web.resource")
    assert module.__name__ == "sennit.web.resource"
    assert module.__spec__ is not None
    assert module.__spec__.name == "sennit.web.resource"


def test_missing_module_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no counterpart of twisted\.words") as caught:
        importlib.import_module("twisted.words")
    assert caught.value.name == "twisted.words"


def test_module_below_a_missing_one_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no counterpart of twisted\.words"):
        importlib.import_module("twisted.words.protocols.irc")


def test_other_names_are_left_alone(names: twisted_names.TwistedNames) -> None:
    assert names.find_spec("twistedness", None) is None
    assert names.find_spec("sennit.web", None) is None


def test_installing_twice_is_once(names: twisted_names.TwistedNames) -> None:
    assert twisted_names.install() is names
    assert sum(isinstance(finder, twisted_names.TwistedNames) for finder in sys.meta_path) == 1


def test_uninstalling_ends_it() -> None:
    twisted_names.uninstall()
    with pytest.raises(ModuleNotFoundError, match="No module named 'twisted'"):
        importlib.import_module("twisted")


def test_twisted_itself_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    package = tmp_path / "twisted"
    package.mkdir()
    (package / "__init__.py").write_text("theirs = True")
    (package / "web.py").write_text("theirs = True")
    monkeypatch.syspath_prepend(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert importlib.import_module("twisted.web").theirs
    assert "Twisted is installed" in caplog.text
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'twisted\.internet'"):
        importlib.import_module("twisted.internet")
