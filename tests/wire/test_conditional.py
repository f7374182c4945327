"""Conditional requests (RFC 9110 section 13)."""

import pytest

from .helpers.client import Wire, ask, get
from .helpers.script import Operation, path_of, raw
from .helpers.server import LiveSite

ETAG: list[Operation] = [["setETag", raw(b'"tag"')], ["return", "body"]]
WEAK: list[Operation] = [["setETag", raw(b'W/"tag"')], ["return", "body"]]
MODIFIED: list[Operation] = [["setLastModified", 784111777], ["return", "body"]]
WHEN = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        ('"tag"', True),
        ('"other"', False),
        ('"a", "tag", "b"', True),
        ('"a","tag"', True),
        ('"a" , "b"', False),
        ("*", True),
        ('W/"tag"', True),
        ("tag", False),
        ('"tag', False),
        ("", False),
        ('"ta", "g"', False),
        ('"x,tag"', False),
    ],
)
def test_if_none_match_is_compared_with_each_tag(site: LiveSite, value: str, matches: bool) -> None:
    """Weakly, as section 13.1.2 says."""
    for script in (ETAG, WEAK):
        response = ask(site.port, get(path_of(script), f"If-None-Match: {value}"))
        assert response.code == (304 if matches else 200)
        assert response.body == (b"" if matches else b"body")
        assert response.value("etag") == (b'"tag"' if script is ETAG else b'W/"tag"')


@pytest.mark.parametrize(("method", "code"), [("GET", 304), ("HEAD", 304), ("POST", 412), ("PUT", 412)])
def test_matching_tag_answers_by_method(site: LiveSite, method: str, code: int) -> None:
    response = ask(site.port, get(path_of(ETAG), 'If-None-Match: "tag"', method=method), method)
    assert response.code == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (WHEN, 304),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 304),
        ("Sun Nov  6 08:49:37 1994", 304),
        ("Mon, 07 Nov 1994 08:49:37 GMT", 304),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("Sun, 06 Nov 1994", 200),
        ("yesterday", 200),
        ("", 200),
        ("99999999999999999999", 200),
        ("Sun, 99 Nov 1994 08:49:37 GMT", 200),
    ],
)
def test_if_modified_since_is_compared(site: LiveSite, value: str, code: int) -> None:
    response = ask(site.port, get(path_of(MODIFIED), f"If-Modified-Since: {value}"))
    assert response.code == code
    assert response.value("last-modified") == WHEN.encode()


def test_if_none_match_goes_before_if_modified_since(site: LiveSite) -> None:
    """RFC 9110 section 13.1.3: with If-None-Match the date is not looked at."""
    script: list[Operation] = [*ETAG[:1], *MODIFIED]
    response = ask(site.port, get(path_of(script), 'If-None-Match: "other"', f"If-Modified-Since: {WHEN}"))
    assert response.code == 200


def test_not_modified_leaves_connection_in_step(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(get(path_of(ETAG), 'If-None-Match: "tag"') + get("/hello"))
        response = wire.response()
        assert (response.code, response.values("content-type")) == (304, [])
        assert wire.response().body == b"hello"
