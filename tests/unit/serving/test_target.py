"""What TARGET names, and telling applications apart."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sennit.serving.settings import Settings
from sennit.serving.target import Target, TargetError, kind_of, load
from sennit.web.resource import Resource
from sennit.web.server import Site


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


class WSGIObject:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


class ASGIObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class ASGIThatTakesAnything:
    async def __call__(self, *arguments: Any) -> None: ...


def asgi2(scope: Any) -> Callable[..., Any]:
    return asgi


def wrapped(application: Any) -> Any:
    @functools.wraps(application)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return application(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (Site(Resource()), "site"),
        (Resource(), "resource"),
        (wsgi, "wsgi"),
        (WSGIObject(), "wsgi"),
        (WSGIObject().__call__, "wsgi"),
        (wrapped(wsgi), "wsgi"),
        (asgi, "asgi"),
        (ASGIObject(), "asgi"),
        (ASGIThatTakesAnything(), "asgi"),
        (wrapped(asgi), "asgi"),
        (functools.partial(asgi), "asgi"),
        (asgi2, None),
        (print, None),
        (Resource, None),
        ("text", None),
    ],
)
def test_kind_of(found: object, kind: str | None) -> None:
    assert kind_of(found) == kind


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return tmp_path


def loaded(directory: Path, target: str, **values: Any) -> Target:
    return load(Settings(target, frozenset(values), {"app_dir": str(directory), **values}))


def refusal(directory: Path, target: str, **values: Any) -> str:
    with pytest.raises(TargetError) as refused:
        loaded(directory, target, **values)
    return str(refused.value)


def write(directory: Path, name: str, text: str) -> None:
    (directory / f"{name}.py").write_text("from sennit.web.resource import Resource\n" + text)


def test_attribute_of_a_module(directory: Path) -> None:
    write(directory, "target_one", "class there: root = Resource()\n")
    target = loaded(directory, "target_one:there.root")
    assert (target.kind, type(target.found)) == ("resource", Resource)


def test_attribute_of_a_file(directory: Path) -> None:
    write(directory, "target-two", "site = 1\nmine = Resource()\n")
    assert loaded(directory, "target-two.py:mine").kind == "resource"


def test_usual_names_are_found(directory: Path) -> None:
    write(directory, "target_three", "def create_app(): return lambda environ, start_response: []\n")
    assert loaded(directory, "target_three").kind == "wsgi"


def test_file_imports_its_neighbours(directory: Path) -> None:
    (directory / "deep").mkdir()
    write(directory / "deep", "target_neighbour", "root = Resource()\n")
    (directory / "deep" / "target_four.py").write_text("from target_neighbour import root\n")
    assert loaded(directory, "deep/target_four.py").kind == "resource"


def test_resource_class_is_its_own_factory(directory: Path) -> None:
    write(directory, "target_five", "class Root(Resource): pass\n")
    assert type(loaded(directory, "target_five:Root").found).__name__ == "Root"


def test_factory_may_be_called_by_name_and_by_option(directory: Path) -> None:
    write(directory, "target_six", "def make(optional=None): return Resource()\n")
    assert loaded(directory, "target_six:make()").kind == "resource"
    assert loaded(directory, "target_six:make", factory=True).kind == "resource"
    assert loaded(directory, "target_six:make").kind == "resource"


def test_interface_overrides(directory: Path) -> None:
    write(directory, "target_seven", "def application(*arguments): pass\n")
    assert loaded(directory, "target_seven", interface="wsgi").kind == "wsgi"
    assert "--interface says which" in refusal(directory, "target_seven")
    assert "target_seven is a function" in refusal(directory, "target_seven", interface="site")


def test_directory(directory: Path) -> None:
    (directory / "files").mkdir()
    target = loaded(directory, "files")
    assert (target.kind, target.found) == ("directory", str(directory / "files"))
    assert "no such directory" in refusal(directory, "other", interface="directory")


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("target_absent:site", "no module 'target_absent'"),
        ("target_absent.py", "there is no file"),
        ("target_eight:absent", "there is no 'absent' in target_eight"),
        ("target_eight", "it has none of site, resource"),
    ],
)
def test_what_is_not_there_is_one_line(directory: Path, target: str, text: str) -> None:
    write(directory, "target_eight", "")
    told = refusal(directory, target)
    assert text in told
    assert "\n" not in told


@pytest.mark.parametrize("text", ["import absent_module\n", "1/0\n", "raise SystemExit(3)\n", "site = (\n"])
def test_failing_import_is_the_programs_own_traceback(directory: Path, text: str) -> None:
    (directory / "target_nine.py").write_text(text)
    told = refusal(directory, "target_nine")
    assert told.count("Traceback") <= 1
    assert "target_nine.py" in told.splitlines()[0] + told.splitlines()[1]
    assert "serving" not in told
    assert "importlib" not in told


def test_failing_factory_is_told_as_well(directory: Path) -> None:
    write(directory, "target_ten", "def create_app(): return 1/0\n")
    assert "ZeroDivisionError" in refusal(directory, "target_ten")
