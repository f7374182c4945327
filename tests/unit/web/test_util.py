"""Redirects."""

from typing import Any

import pytest

from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import TestClient
from sennit.web.util import Redirect, redirectTo
from tests.unit.web.doubles import RequestDouble


@pytest.mark.parametrize("url", [b"/a?b&c", "/a?b&c"])
def test_redirect_to_answers_and_links(url: bytes | str) -> None:
    request: Any = RequestDouble()
    body = redirectTo(url, request)
    assert (request.code, request.answerHeaders[b"Location"]) == (302, b"/a?b&c")
    assert request.answerHeaders[b"Content-Type"] == b"text/html; charset=utf-8"
    assert b'<a href="/a?b&amp;c">click here</a>' in body


def test_redirect_to_escapes() -> None:
    request: Any = RequestDouble()
    body = redirectTo(b'"><script>alert(1)</script>', request)
    assert b"<script" not in body
    assert b'href="&quot;&gt;' in body


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JavaScript:alert(1)", " java\tscript:alert(1)", "data:text/html,x", "\x01x:y"],
)
def test_redirect_to_does_not_link_other_schemes(url: str) -> None:
    request: Any = RequestDouble()
    body = redirectTo(url, request)
    assert b"href" not in body
    assert b"refresh" not in body


@pytest.mark.parametrize("url", ["https://a.example/", "//a.example/", "b:c/../x/"[2:], "?q=x:y"])
def test_redirect_to_links_web_addresses(url: str) -> None:
    request: Any = RequestDouble()
    assert b'<a href="' in redirectTo(url, request)


@pytest.mark.parametrize("target", ["/old", "/old/", "/old/below/it"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_redirect_answers_everything_below(target: str, method: str) -> None:
    root = Resource()
    root.putChild("old", Redirect("/new"))
    with TestClient(Site(root)) as client:
        response = client.request(method, target)
    assert (response.code, response.header("Location")) == (302, "/new")
