"""Addresses taken apart and put together."""

from typing import Any

import pytest

from sennit.python.urlpath import URLPath
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import TestClient

BASE = b"http://example.com/foo/bar?yes=no&no=yes#footer"


def path() -> URLPath:
    return URLPath.fromBytes(BASE)


def test_parts_are_bytes_as_they_stand() -> None:
    url = path()
    assert (url.scheme, url.netloc, url.path) == (b"http", b"example.com", b"/foo/bar")
    assert (url.query, url.fragment) == (b"yes=no&no=yes", b"footer")
    assert (str(url), url.asBytes()) == (BASE.decode(), BASE)


def test_missing_parts_have_defaults() -> None:
    assert str(URLPath()) == "http://localhost/"
    assert repr(URLPath(query=b"a")) == (
        "URLPath(scheme=b'http', netloc=b'localhost', path=b'/', query=b'a', fragment=b'')"
    )


def test_text_and_bytes_are_told_apart() -> None:
    wrong: Any = "http://a/"
    with pytest.raises(TypeError):
        URLPath.fromBytes(wrong)
    with pytest.raises(TypeError):
        URLPath.fromString(wrong.encode())
    assert str(URLPath.fromString("http://a/\u00e4 b?\u00f6")) == "http://a/%C3%A4%20b?%C3%B6"


def test_segments_come_after_the_root() -> None:
    assert path().pathList() == [b"", b"foo", b"bar"]
    assert URLPath.fromBytes(b"http://a/b%2Fc/").pathList(unquote=True) == [b"", b"b/c", b""]


@pytest.mark.parametrize(
    ("go", "expected"),
    [
        (lambda url: url.sibling(b"baz"), "http://example.com/foo/baz"),
        (lambda url: url.sibling(b"baz", keepQuery=True), "http://example.com/foo/baz?yes=no&no=yes"),
        (lambda url: url.child(b"gong"), "http://example.com/foo/bar/gong"),
        (lambda url: url.child(b"a/b c"), "http://example.com/foo/bar/a%2Fb%20c"),
        (lambda url: url.child(b"gong/").child(b"x"), "http://example.com/foo/bar/gong%2F/x"),
        (lambda url: url.here(), "http://example.com/foo/"),
        (lambda url: url.here().child(b"x"), "http://example.com/foo/x"),
        (lambda url: url.parent(), "http://example.com/"),
        (lambda url: url.parent().parent(), "http://example.com/"),
        (lambda url: url.click(b"/new?x#y"), "http://example.com/new?x#y"),
        (lambda url: url.click("other"), "http://example.com/foo/other"),
        (lambda url: url.click(b"https://b.example/c"), "https://b.example/c"),
    ],
)
def test_ways_lead_there(go: Any, expected: str) -> None:
    assert str(go(path())) == expected


def test_request_knows_its_address() -> None:
    class Where(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> str:
            return f"{request.URLPath().child(b'below')}"

    root = Resource()
    root.putChild("a b", Where())
    with TestClient(Site(root)) as client:
        assert client.get("/a%20b/rest").text == "http://localhost/a%20b/below"
