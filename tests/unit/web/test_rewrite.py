"""Paths that are changed before they are looked up, and the demonstration page."""

from typing import Any

import pytest

from sennit.web import demo
from sennit.web.resource import Resource
from sennit.web.rewrite import RewriterResource, alias, tildeToUsers
from sennit.web.server import Site
from sennit.web.testing import Response, TestClient
from tests.unit.web.doubles import Calls


class Path(Resource):
    """Every path below is a page that tells it."""

    def getChild(self, path: bytes, request: Any) -> Resource:
        request.postpath.insert(0, request.prepath.pop())
        return Calls(tell)

    def render(self, request: Any) -> str:
        return "itself"


def tell(request: Any) -> str:
    return "|".join(segment.decode() for segment in request.postpath) + " " + str(request.path.decode())


def asked(target: str, *rules: Any, original: Resource | None = None) -> str:
    with TestClient(Site(RewriterResource(original or Path(), *rules))) as client:
        response: Response = client.get(target)
    assert response.code == 200
    return response.text


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/~ann", "users|ann /users/ann"),
        ("/~ann/x%20y/", "users|ann|x y| /users/ann/x%20y/"),
        ("/%7Eann", "users|ann /users/ann"),
        ("/a/~ann", "a|~ann /a/~ann"),
        ("/", " /"),
    ],
)
def test_tilde_leads_to_users(target: str, text: str) -> None:
    assert asked(target, tildeToUsers) == text


@pytest.mark.parametrize("convert", [str, str.encode])
@pytest.mark.parametrize(
    ("wanted", "source", "target", "text"),
    [
        ("a", "b", "/a", "b /b"),
        ("a", "b", "/a/", "b| /b/"),
        ("a", "b/c", "/a/d", "b|c|d /b/c/d"),
        ("a/b", "c", "/a/b/d", "c|d /c/d"),
        ("/a/", "/b/", "/a/d", "b|d /b/d"),
        ("a", "b", "/ab", "ab /ab"),
        ("a", "b", "/x/a", "x|a /x/a"),
        ("", "index", "/", "index /index"),
        ("a", "", "/a", " /"),
        ("a", "", "/a/b", "b /b"),
        ("\u00e4", "\u00f6", "/%C3%A4", "\u00f6 /%C3%B6"),
    ],
)
def test_alias_takes_the_place_of_a_path(
    convert: Any, wanted: str, source: str, target: str, text: str
) -> None:
    assert asked(target, alias(convert(wanted), convert(source))) == text


def test_rules_run_in_their_order() -> None:
    assert asked("/a", alias("a", "b"), alias("b", "c")).startswith("c ")
    assert asked("/a", alias("b", "c"), alias("a", "b")).startswith("b ")


def test_rule_may_give_text() -> None:
    def rule(request: Any) -> None:
        request.postpath = ["\u00e4", *request.postpath[1:]]

    assert asked("/x/y", rule).startswith("\u00e4|y ")


def test_rule_may_take_the_whole_path() -> None:
    assert asked("/x/y", lambda request: request.postpath.clear()) == "itself"


def test_leaf_sees_the_changed_path() -> None:
    assert asked("/~ann/x", tildeToUsers, original=Calls(tell)) == "users|ann|x /users/ann/x"


def test_rules_run_before_render() -> None:
    seen: list[bytes] = []
    root = Resource()
    root.putChild(
        "here", RewriterResource(Calls(lambda request: "x"), lambda request: seen.append(request.path))
    )
    with TestClient(Site(root)) as client:
        assert client.get("/here").text == "x"
    assert seen == [b"/here"]


def test_rewriter_below_a_path() -> None:
    root = Resource()
    root.putChild("below", RewriterResource(Path(), tildeToUsers))
    with TestClient(Site(root)) as client:
        assert client.get("/below/~ann").text == "users|ann /below/users/ann"


@pytest.mark.parametrize("target", ["/", "/any/thing"])
def test_demo_answers_every_path(target: str) -> None:
    with TestClient(Site(demo.Test())) as client:
        response = client.get(target)
        assert client.post(target).code == 405
    assert response.code == 200
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert "works" in response.text
