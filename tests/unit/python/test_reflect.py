"""Objects by their dotted names."""

import collections.abc
import sys
from pathlib import Path

import pytest

from sennit.python import reflect


class Outer:
    class Inner:
        def method(self) -> None:
            """Do nothing."""


def test_namedAny_finds_modules_classes_and_attributes() -> None:
    assert reflect.namedAny("collections.abc") is collections.abc
    assert reflect.namedAny("collections.OrderedDict.fromkeys") == collections.OrderedDict.fromkeys
    assert reflect.namedClass("collections.OrderedDict") is collections.OrderedDict
    assert reflect.namedModule("collections.abc") is collections.abc


def test_namedAny_finds_the_reactor() -> None:
    from sennit.internet import reactor

    assert reflect.namedAny("sennit.internet.reactor") is reactor
    assert reflect.namedAny("sennit.internet.reactor.run") == reactor.run


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", reflect.InvalidName),
        ("os..path", reflect.InvalidName),
        (".os", reflect.InvalidName),
        ("no_such_module_anywhere", reflect.ModuleNotFound),
        ("no_such_module_anywhere.x", reflect.ModuleNotFound),
        ("os.no_such_thing", reflect.ObjectNotFound),
        ("collections.OrderedDict.nothing", reflect.ObjectNotFound),
    ],
)
def test_namedAny_says_what_is_wrong(name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        reflect.namedAny(name)
    assert type(caught.value) is kind
    assert isinstance(caught.value, ValueError)


def test_errors_inside_of_an_existing_module_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_missing.py").write_text("import missing_from_everywhere\n")
    (tmp_path / "raises.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="missing_from_everywhere"):
        reflect.namedAny("needs_missing.thing")
    with pytest.raises(ZeroDivisionError):
        reflect.namedAny("raises.thing")
    assert "raises" not in sys.modules


def test_names_of_things() -> None:
    assert reflect.qual(Outer.Inner) == f"{__name__}.Outer.Inner"
    assert reflect.fullyQualifiedName(Outer.Inner.method) == f"{__name__}.Outer.Inner.method"
    assert reflect.fullyQualifiedName(collections.abc) == "collections.abc"


def test_safe_texts_never_raise() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise KeyError

    assert "KeyError" in reflect.safe_repr(Bad())
    assert "KeyError" in reflect.safe_str(Bad())
    assert reflect.safe_str(b"caf\xc3\xa9") == "café"
    assert reflect.safe_repr("x") == "'x'"
