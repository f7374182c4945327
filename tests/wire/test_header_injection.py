"""What a program puts into headers, cookies and redirects never becomes another line (P20, P53)."""

import pytest

from .helpers.client import ask, get
from .helpers.script import Operation, path_of
from .helpers.server import LiveSite

BREAKS = [
    "a\r\nSet-Cookie: e=1",
    "a\nSet-Cookie: e=1",
    "a\rSet-Cookie: e=1",
    "a\r\n\r\n<script>",
    "a\x00b",
    "\r\na",
]
NAMES = ["X\r\nSet-Cookie: e", "X\nY", "X\rY", "X Y", "X:", "", "X\x00", "Ü", "X(", "X\x7f"]


def _both(text: str) -> list[object]:
    return [text, {"bytes": text.encode().decode("latin-1")}]


def _assert_one_answer(site: LiveSite, script: list[Operation], code: int = 200) -> None:
    """The script's answer has its own body, no cookie, and no control byte in any value."""
    response = ask(site.port, get(path_of([*script, ["return", "on"]])))
    assert (response.code, response.body) == (code, b"on")
    assert response.values("set-cookie") == []
    assert all(b"\0" not in value for _, value in response.fields)
    for head in response.interim:
        assert head.values("set-cookie") == []


@pytest.mark.parametrize("value", BREAKS, ids=repr)
def test_value_of_set_header_stays_one_line(site: LiveSite, value: str) -> None:
    for given in _both(value):
        _assert_one_answer(site, [["setHeader", "X-A", given]])


@pytest.mark.parametrize("value", BREAKS, ids=repr)
def test_value_of_added_header_stays_one_line(site: LiveSite, value: str) -> None:
    for given in _both(value):
        _assert_one_answer(site, [["add-header", "X-A", given], ["add-header", "X-A", "second"]])


@pytest.mark.parametrize("value", BREAKS, ids=repr)
@pytest.mark.parametrize(
    "name", ["Content-Length", "Connection", "Content-Type", "Server", "Date", "Transfer-Encoding"]
)
def test_value_of_meaningful_header_stays_one_line(site: LiveSite, name: str, value: str) -> None:
    _assert_one_answer(site, [["setHeader", name, value]])


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_name_that_is_no_token_is_refused(site: LiveSite, name: str) -> None:
    for given in _both(name):
        _assert_one_answer(site, [["setHeader", given, "v"], ["add-header", given, "v"]])
    raised = site.events("raised")
    assert [event["type"] for event in raised] == ["InvalidHeaderName"] * 4


@pytest.mark.parametrize("value", BREAKS, ids=repr)
def test_location_of_redirect_stays_one_line(site: LiveSite, value: str) -> None:
    for given in _both(value):
        response = ask(site.port, get(path_of([["redirect", given], ["return", "on"]])))
        assert response.values("set-cookie") == []
        assert response.body == b"on"


@pytest.mark.parametrize("value", [*BREAKS, "a; Domain=e", "a;Secure"], ids=repr)
@pytest.mark.parametrize("part", ["name", "value", "path", "domain", "expires", "max_age", "comment"])
def test_part_of_cookie_stays_in_its_place(site: LiveSite, part: str, value: str) -> None:
    """A cookie's part brings no second header and no further attribute (P53): made harmless or refused."""
    name, content = (value if part == key else "k" for key in ("name", "value"))
    extra = {} if part in ("name", "value") else {part: value}
    response = ask(site.port, get(path_of([["cookie", name, content, extra], ["return", "on"]])))
    assert response.body == b"on"
    cookies = response.values("set-cookie")
    if not cookies:
        assert [event["type"] for event in site.events("raised")] == ["ValueError"]
        return
    (cookie,) = cookies
    attributes = [attribute.partition(b"=")[0].strip().lower() for attribute in cookie.split(b";")[1:]]
    assert attributes == ([part.replace("_", "-").encode()] if extra else [])


@pytest.mark.parametrize("value", BREAKS, ids=repr)
def test_value_of_interim_header_stays_one_line(site: LiveSite, value: str) -> None:
    for given in _both(value):
        _assert_one_answer(site, [["writeInterim", 103, [["Link", given]]]])


@pytest.mark.parametrize("value", BREAKS, ids=repr)
def test_value_of_trailer_stays_one_line(site: LiveSite, value: str) -> None:
    tail: list[Operation] = [
        ["write", "on"],
        ["setTrailer", "X-T", value],
        ["finish"],
        ["return", "NOT_DONE_YET"],
    ]
    response = ask(site.port, get(path_of(tail), "TE: trailers"))
    assert response.body == b"on"
    assert [name for name, _ in response.trailers] in ([], [b"x-t"])


@pytest.mark.parametrize("value", BREAKS, ids=repr)
def test_etag_stays_one_line(site: LiveSite, value: str) -> None:
    _assert_one_answer(site, [["setETag", {"bytes": value}]])


def test_reflected_target_is_never_header(site: LiveSite) -> None:
    """An encoded line break in the path stays encoded wherever the server itself mentions the path."""
    response = ask(site.port, get("/nothing%0d%0aSet-Cookie:%20e=1"))
    assert response.code == 404
    assert response.values("set-cookie") == []
