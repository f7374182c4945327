"""Python files that make resources or write responses."""

import os
from pathlib import Path
from typing import Any

import pytest

from sennit.web import script
from sennit.web.resource import Resource
from sennit.web.server import Site, version
from sennit.web.static import Registry
from sennit.web.testing import BrokenResponse, Response, TestClient

PAGE = """
from sennit.web.resource import Resource
class Page(Resource):
    isLeaf = True
    def render_GET(self, request):
        return f"{text} {{b'/'.join(request.postpath).decode()}}"
resource = Page()
"""


class Cache:
    """As much of a registry as scripts need."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def getCachedPath(self, path: str) -> Any:
        return self.kept.get(path)

    def cachePath(self, path: str, resource: Any) -> None:
        self.kept[path] = resource


def write(path: Path, text: str, *, settled: bool = False) -> str:
    """Write a script; `settled`: as if that were long ago, as far as a program can say so."""
    path.write_text(text, encoding="utf-8")
    if settled:
        os.utime(path, (1, 1))
    return str(path)


def asked(resource: Any, target: str = "/", **attributes: Any) -> Response:
    site = Site(resource)
    vars(site).update(attributes)
    with TestClient(site) as client:
        return client.get(target)


class TestResourceScript:
    @pytest.mark.parametrize("convert", [str, os.fsencode])
    def test_resource_of_the_script_is_returned(self, tmp_path: Path, convert: Any) -> None:
        path = write(tmp_path / "a.rpy", PAGE.format(text="hello"))
        assert asked(script.ResourceScript(convert(path), Cache()), "/x/y").text == "hello x/y"

    def test_script_has_its_names(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.rpy", "resource = (__file__, registry, cache, recache)")
        registry = Cache()
        file, seen, cache, recache = script.ResourceScript(path, registry)
        assert (file, seen) == (path, registry)
        assert callable(cache)
        assert callable(recache)

    def test_script_runs_anew_each_time(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.rpy", "resource = object()", settled=True)
        assert script.ResourceScript(path, Cache()) is not script.ResourceScript(path, Cache())

    def test_changed_script_is_seen_at_once(self, tmp_path: Path) -> None:
        for number in range(5):
            path = write(tmp_path / "a.rpy", f"resource = {number}")
            assert script.ResourceScript(path, Cache()) == number

    def test_settled_script_is_compiled_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(script, "_SETTLED_AFTER", -1.0)
        path = write(tmp_path / "a.rpy", "resource = object()")
        script.ResourceScript(path, Cache())
        kept = script._compiled[path]
        script.ResourceScript(path, Cache())
        assert script._compiled[path] is kept
        write(tmp_path / "a.rpy", "resource = 'another'")
        assert script.ResourceScript(path, Cache()) == "another"

    def test_number_of_compiled_scripts_is_bounded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(script, "_SETTLED_AFTER", -1.0)
        monkeypatch.setattr(script, "_MOST_COMPILED", 2)
        for number in range(6):
            script.ResourceScript(write(tmp_path / f"{number}.rpy", "resource = 1"), Cache())
            assert len(script._compiled) <= 2

    def test_script_without_resource_is_a_500(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.rpy", "x = 1")
        response = asked(script.ResourceScript(path, Cache()))
        assert response.code == 500
        assert "Whoops! Internal Error" in response.text

    @pytest.mark.parametrize("text", ["1/0", "not python", "raise SystemError"])
    def test_failing_script_is_a_500(self, tmp_path: Path, text: str) -> None:
        path = write(tmp_path / "a.rpy", text)
        response = asked(script.ResourceScriptWrapper(path, Cache()))
        assert response.code == 500
        assert "Processing Failed" in response.text

    def test_encoding_of_the_file_counts(self, tmp_path: Path) -> None:
        path = tmp_path / "a.rpy"
        path.write_bytes(b"# coding: latin-1\nresource = '\xe4'\n")
        assert script.ResourceScript(str(path), Cache()) == "\u00e4"

    def test_classes_are_of_no_module(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.rpy", "class A: pass\nresource = A.__module__")
        assert script.ResourceScript(path, Cache()) == "__rpy__"


class TestCache:
    def test_cached_resource_is_used_again(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.rpy", "cache()\nresource = object()")
        registry = Cache()
        first = script.ResourceScript(path, registry)
        assert script.ResourceScript(path, registry) is first
        assert script.ResourceScript(path, Cache()) is not first

    def test_recache_makes_a_new_one_for_others(self, tmp_path: Path) -> None:
        registry = Cache()
        path = write(tmp_path / "a.rpy", "recache()\nresource = object()")
        first = script.ResourceScript(path, registry)
        second = script.ResourceScript(path, registry)
        assert first is not second
        assert registry.kept == {path: second}

    def test_script_without_resource_is_not_cached(self, tmp_path: Path) -> None:
        registry = Cache()
        script.ResourceScript(write(tmp_path / "a.rpy", "cache()"), registry)
        assert not registry.kept

    def test_registry_of_static_files_serves(self, tmp_path: Path) -> None:
        registry = Registry()
        path = write(tmp_path / "a.rpy", "cache()\nresource = object()")
        assert script.ResourceScript(path, registry) is script.ResourceScript(path, registry)

    def test_scanner_alone(self) -> None:
        registry = Cache()
        scanner = script.CacheScanner("a", registry)
        scanner.cache()
        assert scanner.doCache
        registry.cachePath("a", "kept")
        with pytest.raises(script.AlreadyCached) as raised:
            scanner.cache()
        assert raised.value.args == ("kept",)


class TestWrapper:
    def test_leaf_answers_there_and_below(self, tmp_path: Path) -> None:
        root = Resource()
        root.putChild(
            "app", script.ResourceScriptWrapper(write(tmp_path / "a.rpy", PAGE.format(text="leaf")))
        )
        with TestClient(Site(root)) as client:
            assert client.get("/app").text == "leaf "
            assert client.get("/app/x/y").text == "leaf x/y"

    def test_children_of_the_resource_are_found(self, tmp_path: Path) -> None:
        text = (
            PAGE.format(text="child")
            + "child, resource = resource, Resource()\nresource.putChild('x', child)\n"
        )
        wrapper = script.ResourceScriptWrapper(write(tmp_path / "a.rpy", text), Cache())
        assert asked(wrapper, "/x").text == "child "
        assert asked(wrapper, "/y").code == 404

    def test_registry_is_made_if_none_is_given(self, tmp_path: Path) -> None:
        wrapper = script.ResourceScriptWrapper(write(tmp_path / "a.rpy", "cache()\n" + PAGE.format(text="x")))
        assert asked(wrapper, "/").text == "x "
        assert isinstance(wrapper.registry, Registry)


class TestDirectory:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> script.ResourceScriptDirectory:
        write(tmp_path / "secret.rpy", PAGE.format(text="secret"))
        (tmp_path / "scripts" / "sub").mkdir(parents=True)
        write(tmp_path / "scripts" / "a.rpy", PAGE.format(text="a"))
        write(tmp_path / "scripts" / "sub" / "b \u00e4.rpy", PAGE.format(text="b"))
        return script.ResourceScriptDirectory(str(tmp_path / "scripts"))

    @pytest.mark.parametrize(("target", "text"), [("/a.rpy/x", "a x"), ("/sub/b%20%C3%A4.rpy", "b ")])
    def test_scripts_are_found(self, directory: Resource, target: str, text: str) -> None:
        assert asked(directory, target).text == text

    @pytest.mark.parametrize(
        "target",
        [
            "/",
            "/sub",
            "/sub/",
            "/none.rpy",
            "/../secret.rpy",
            "/%2E%2E/secret.rpy",
            "/..%2Fsecret.rpy",
            "/sub/..%2F..%2Fsecret.rpy",
            "/a.rpy%00",
            "/%FF",
            "/./a.rpy",
        ],
    )
    def test_all_else_is_a_404(self, directory: Resource, target: str) -> None:
        assert asked(directory, target).code == 404

    def test_absolute_path_is_a_404(self, directory: Resource, tmp_path: Path) -> None:
        assert asked(directory, "/" + str(tmp_path / "secret.rpy").replace("/", "%2F")).code == 404


class TestPythonScript:
    def test_output_is_what_the_script_writes(self, tmp_path: Path) -> None:
        text = (
            "request.write('hello ')\nrequest.write(b'world')\nassert registry == 'registry'\nassert __file__"
        )
        response = asked(script.PythonScript(write(tmp_path / "a.epy", text), "registry"), "/any/thing")
        assert (response.code, response.text) == (200, "hello world")
        assert response.header("X-Powered-By") == version.decode()

    def test_script_may_finish_itself(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.epy", "request.write('x')\nrequest.finish()")
        assert asked(script.PythonScript(path, None)).text == "x"

    def test_missing_file_is_a_404(self, tmp_path: Path) -> None:
        assert asked(script.PythonScript(str(tmp_path / "a.epy"), None)).code == 404

    def test_file_missing_to_the_script_is_a_500(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.epy", "open('/none/at/all')")
        assert asked(script.PythonScript(path, None)).code == 500

    def test_error_is_shown_escaped_if_the_site_wants_it(self, tmp_path: Path) -> None:
        page = script.PythonScript(write(tmp_path / "a.epy", "raise ValueError('<b>secret')"), None)
        hidden, shown = asked(page), asked(page, displayTracebacks=True)
        assert (hidden.code, shown.code) == (500, 500)
        assert "secret" not in hidden.text
        assert "&lt;b&gt;secret" in shown.text
        assert "<b>secret" not in shown.text

    def test_error_after_output_cuts_the_response(self, tmp_path: Path) -> None:
        page = script.PythonScript(write(tmp_path / "a.epy", "request.write('x')\n1/0"), None)
        with pytest.raises(BrokenResponse):
            asked(page)
