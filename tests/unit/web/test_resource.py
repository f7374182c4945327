"""The tree: children, traversal, render methods."""

from typing import Any

import pytest

from sennit.web.error import UnsupportedMethod
from sennit.web.iweb import IResource
from sennit.web.resource import Resource, allowedMethodsOf, getChildForRequest
from tests.unit.web.doubles import RequestDouble


class Page(Resource):
    def render_GET(self, request: Any) -> str:
        return "page"


def find(resource: Any, *segments: bytes) -> tuple[Any, Any]:
    request: Any = RequestDouble(path=list(segments))
    return getChildForRequest(resource, request), request


def test_resource_provides_interface() -> None:
    assert IResource.providedBy(Resource())


@pytest.mark.parametrize("name", [b"a", "a"])
def test_put_child_takes_bytes_and_str(name: bytes | str) -> None:
    root, page = Resource(), Page()
    root.putChild(name, page)
    assert find(root, b"a")[0] is page


def test_put_child_encodes_str_as_utf8() -> None:
    root, page = Resource(), Page()
    root.putChild("ä", page)
    assert find(root, "ä".encode())[0] is page


def test_put_child_refuses_other_types() -> None:
    with pytest.raises(TypeError, match="bytes or str"):
        Resource().putChild(5, Page())  # type: ignore[arg-type]


def test_put_child_replaces_and_tells_the_server() -> None:
    root, first, second = Resource(), Page(), Page()
    root.server = server = object()
    root.putChild("a", first)
    root.putChild("a", second)
    assert root.children == {b"a": second}
    assert second.server is server


def test_traversal_moves_segments_to_prepath() -> None:
    root, middle, page = Resource(), Resource(), Page()
    root.putChild("a", middle)
    middle.putChild("b", page)
    found, request = find(root, b"a", b"b")
    assert found is page
    assert (request.prepath, request.postpath) == ([b"a", b"b"], [])


def test_traversal_stops_at_leaf() -> None:
    root, leaf = Resource(), Page()
    leaf.isLeaf = True
    root.putChild("a", leaf)
    found, request = find(root, b"a", b"b", b"c")
    assert found is leaf
    assert request.postpath == [b"b", b"c"]


def test_traversal_asks_get_child_for_what_is_not_static() -> None:
    class Users(Resource):
        def getChild(self, path: bytes, request: Any) -> Resource:
            page = Page()
            page.name = path  # type: ignore[attr-defined]
            return page

    found, _ = find(Users(), b"joe")
    assert found.name == b"joe"


def test_unknown_child_is_not_found() -> None:
    found, request = find(Resource(), b"a", b"b")
    assert found.render(request).code == 404


def test_render_calls_method() -> None:
    request: Any = RequestDouble()
    assert Page().render(request) == "page"


def test_render_head_falls_back_to_get() -> None:
    request: Any = RequestDouble(b"HEAD")
    assert Page().render(request) == "page"


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"get", b"\xff"])
def test_render_refuses_unknown_method(method: bytes) -> None:
    request: Any = RequestDouble(method)
    with pytest.raises(UnsupportedMethod) as caught:
        Page().render(request)
    assert caught.value.allowedMethods == (b"GET", b"HEAD")


def test_render_head_without_get_is_unsupported() -> None:
    class Sink(Resource):
        def render_POST(self, request: Any) -> str:
            return ""

    request: Any = RequestDouble(b"HEAD")
    with pytest.raises(UnsupportedMethod) as caught:
        Sink().render(request)
    assert caught.value.allowedMethods == (b"POST",)


def test_allowed_methods_can_be_declared() -> None:
    page = Page()
    page.allowedMethods = ["GET", b"PUT"]
    assert allowedMethodsOf(page) == [b"GET", b"PUT"]


def test_allowed_methods_has_own_head() -> None:
    class HeadOnly(Resource):
        def render_HEAD(self, request: Any) -> str:
            return ""

    assert allowedMethodsOf(HeadOnly()) == [b"HEAD"]


def test_collection_interface_lists_and_changes_children() -> None:
    root, page = Resource(), Page()
    root.reallyPutEntity("a", page)
    assert root.listNames() == root.listStaticNames() == [b"a"]
    assert root.listEntities() == root.listStaticEntities() == [(b"a", page)]
    assert root.listDynamicNames() == []
    assert root.listDynamicEntities() == []
    assert root.getStaticEntity("a") is page
    assert root.getDynamicEntity("a", None) is None
    root.delEntity("a")
    assert root.getStaticEntity("a") is None
    with pytest.raises(KeyError):
        root.delEntity("a")
