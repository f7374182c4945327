"""Cookies of requests and responses."""

import time
from typing import Any

import pytest

from sennit.web._cookies import makeCookie, parseCookies

NOTHING: dict[str, Any] = dict.fromkeys(
    ("expires", "domain", "path", "maxAge", "comment", "secure", "httpOnly", "sameSite")
)


def cookie(name: bytes | str, value: bytes | str, **attributes: Any) -> bytes:
    return makeCookie(name, value, **{**NOTHING, **attributes})


@pytest.mark.parametrize(
    ("headers", "cookies"),
    [
        ([b"a=1; b=2"], {b"a": b"1", b"b": b"2"}),
        ([b"a=1", b"a=2"], {b"a": b"2"}),
        ([b"a"], {}),
        ([b'a="x; y"'], {b"a": b'"x'}),
        ([b"a=b=c"], {b"a": b"b=c"}),
        ([b"=__Host-x=1; a=1"], {b"a": b"1"}),
        ([b"  a=1;;b=2"], {b"a": b"1", b"b": b"2"}),
        ([], {}),
    ],
)
def test_cookies_are_parsed(headers: list[bytes], cookies: dict[bytes, bytes]) -> None:
    assert parseCookies(headers) == cookies


def test_cookies_of_many_quotes_take_linear_time() -> None:
    began = time.perf_counter()
    parseCookies([b'a="' + b'\\"' * 100_000])
    assert time.perf_counter() - began < 0.5


def test_cookie_has_attributes_in_order() -> None:
    made = cookie(
        b"k",
        "v",
        expires="Sun, 06 Nov 1994 08:49:37 GMT",
        domain=b"example.com",
        path="/",
        maxAge=60,
        comment="c",
        secure=True,
        httpOnly=True,
        sameSite="Strict",
    )
    assert made == (
        b"k=v; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Domain=example.com; Path=/; Max-Age=60; Comment=c; "
        b"Secure; HttpOnly; SameSite=strict"
    )


@pytest.mark.parametrize("place", ["value", "path", "domain", "expires", "comment", "maxAge"])
def test_cookie_replaces_separators(place: str) -> None:
    evil = "a;b\r\nSet-Cookie: e=1"
    made = cookie("k", evil) if place == "value" else cookie("k", "v", **{place: evil})
    assert b"a b  Set-Cookie: e=1" in made
    assert b"\r" not in made
    assert made.count(b";") == (0 if place == "value" else 1)


@pytest.mark.parametrize("name", ["", "a=b", b"\x00"])
def test_cookie_refuses_bad_name(name: str) -> None:
    with pytest.raises(ValueError):
        cookie(name, "v")


def test_cookie_refuses_control_character() -> None:
    with pytest.raises(ValueError, match="control"):
        cookie("a", b"\x00")


def test_cookie_refuses_unknown_same_site() -> None:
    with pytest.raises(ValueError, match="sameSite"):
        cookie("a", "b", sameSite="always")


def test_cookie_refuses_same_site_none_unless_secure() -> None:
    with pytest.raises(ValueError, match="secure"):
        cookie("a", "b", sameSite="none")
    assert cookie("a", "b", sameSite=b"None", secure=True) == b"a=b; Secure; SameSite=none"


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("__Secure-a", {}),
        ("__Host-a", {"path": "/"}),
        ("__Host-a", {"secure": True}),
        ("__Host-a", {"secure": True, "path": "/", "domain": "a.example"}),
        ("__host-a", {"secure": True, "path": "/b"}),
    ],
)
def test_cookie_refuses_prefix_without_its_promise(name: str, attributes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        cookie(name, "v", **attributes)


def test_cookie_takes_prefix_with_its_promise() -> None:
    assert cookie("__Host-a", "v", secure=True, path="/") == b"__Host-a=v; Path=/; Secure"
