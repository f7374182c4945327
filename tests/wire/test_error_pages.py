"""Error answers: negotiated, escaped, replaceable, and silent about the program (P09, P21, P59)."""

import json

import pytest

from .conftest import OpenSite
from .helpers.client import ask, get
from .helpers.http1 import Response
from .helpers.script import path_of
from .helpers.server import LiveSite

SOURCES = {
    "missing": ("/nothing-here", 404),
    "raised": (path_of([["raise", "<b>secret</b>"]]), 500),
    "raised-in-coroutine": (path_of([["sleep", 0.001], ["raise", "<b>secret</b>"]], waits=True), 500),
    "raised-in-lookup": ("/raising/x", 500),
    "error": (path_of([["error", 418, "short & stout"]]), 418),
    "not-bytes": (path_of([["return", 12345]]), 500),
    "none": (path_of([["return", None]]), 500),
}


def sources() -> pytest.MarkDecorator:
    """Each way in which an error answer comes about."""
    return pytest.mark.parametrize(("path", "code"), SOURCES.values(), ids=list(SOURCES))


def _type(response: Response) -> bytes:
    return (response.value("content-type") or b"").partition(b";")[0].strip()


@sources()
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, b"text/html"),
        ("*/*", b"text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", b"text/html"),
        ("application/problem+json", b"application/problem+json"),
        ("application/json", b"application/problem+json"),
        ("text/plain", b"text/plain"),
        ("text/plain;q=0.5, application/problem+json;q=0.9", b"application/problem+json"),
        ("text/html;q=0, text/plain", b"text/plain"),
        ("image/png", b"text/html"),
    ],
)
def test_error_page_is_negotiated(
    site: LiveSite, path: str, code: int, accept: str | None, expected: bytes
) -> None:
    response = ask(site.port, get(path, *([f"Accept: {accept}"] if accept else [])))
    assert (response.code, _type(response)) == (code, expected)
    if expected == b"application/problem+json":
        problem = json.loads(response.body)
        assert problem["status"] == code
        assert isinstance(problem["title"], str)
    elif expected == b"text/plain":
        assert b"<" not in response.body
    else:
        assert str(code).encode() in response.body


@sources()
@pytest.mark.parametrize("accept", ["text/html", "application/problem+json", "text/plain"])
def test_error_page_shows_nothing_of_program(site: LiveSite, path: str, code: int, accept: str) -> None:
    """P59: neither the exception's text nor its frames."""
    response = ask(site.port, get(path, f"Accept: {accept}"))
    assert response.code == code
    for telltale in (b"secret", b"Traceback", b"RuntimeError", b".py", b"line ", b"12345"):
        assert telltale not in response.body


def test_programs_mistake_is_logged_with_traceback(site: LiveSite) -> None:
    for path in (SOURCES["raised"][0], SOURCES["raised-in-coroutine"][0], SOURCES["raised-in-lookup"][0]):
        site.server.take_logs()
        assert ask(site.port, get(path)).code == 500
        (record,) = (record for record in site.server.take_logs() if record["level"] in ("ERROR", "CRITICAL"))
        assert record["traceback"]


def test_raised_error_answer_is_not_logged_as_mistake(site: LiveSite) -> None:
    assert ask(site.port, get(SOURCES["error"][0])).code == 418
    assert [record for record in site.server.take_logs() if record["traceback"]] == []


def test_tracebacks_are_shown_escaped_where_asked_for(open_site: OpenSite) -> None:
    live = open_site(displayTracebacks=True)
    body = ask(live.port, get(SOURCES["raised"][0], "Accept: text/html")).body
    assert b"RuntimeError" in body
    assert b"&lt;b&gt;secret" in body
    assert b"<b>secret" not in body


@pytest.mark.parametrize(
    "target", ["/<script>x</script>", "/nothing?<script>", "/%3Cscript%3Ex", "/hello/<script>"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "<script>".strip("<>"), "DELETE"])
def test_error_page_escapes_target(site: LiveSite, target: str, method: str) -> None:
    response = ask(site.port, get(target, "Accept: text/html", method=method))
    assert response.code in (404, 405, 501)
    assert b"<script>" not in response.body


def test_error_page_escapes_message(site: LiveSite) -> None:
    response = ask(site.port, get(path_of([["error", 403, "<i>no</i>"]]), "Accept: text/html"))
    assert response.code == 403
    assert b"<i>no" not in response.body


@pytest.mark.parametrize("method", ["POST", "DELETE", "FOO", "get"])
def test_method_that_resource_lacks_is_refused_with_allow(site: LiveSite, method: str) -> None:
    """405 with `Allow` for the methods that all resources know; others may be a 501, as Twisted has it."""
    response = ask(site.port, get("/hello", method=method), method)
    assert response.code == 405 or (response.code == 501 and method != "POST")
    if response.code == 405:
        allowed = {name.strip() for name in (response.value("allow") or b"").split(b",")}
        assert {b"GET", b"HEAD"} <= allowed


def test_head_of_error_has_no_body(site: LiveSite) -> None:
    for path, code in SOURCES.values():
        assert ask(site.port, get(path, method="HEAD"), "HEAD").code == code


def test_error_after_first_write_ends_connection(site: LiveSite) -> None:
    """The status is out already: the client can tell from the missing end that the response is not whole."""
    for waits in (False, True):
        path = path_of([["write", "begun"], ["raise", "<b>secret</b>"]], waits=waits)
        response_bytes = _read_all(site, get(path))
        assert b"begun" in response_bytes
        assert b"secret" not in response_bytes
        assert response_bytes.count(b"HTTP/1.1 ") == 1
        assert not response_bytes.endswith(b"0\r\n\r\n")


def _read_all(site: LiveSite, request: bytes) -> bytes:
    from .helpers.client import Wire

    with Wire(site.port) as wire:
        wire.send(request)
        return wire.read_to_end(timeout=3)


def test_site_replaces_page_of_one_code(open_site: OpenSite) -> None:
    live = open_site(errorPages={"404": "gone fishing"})
    response = ask(live.port, get("/nothing-here"))
    assert (response.code, response.body) == (404, b"gone fishing")
    assert b"gone fishing" not in ask(live.port, get("/raising/418")).body


def test_site_replaces_page_of_any_code(open_site: OpenSite) -> None:
    live = open_site(errorPages={"0": "sorry"})
    for path, code in (("/nothing-here", 404), ("/raising/418", 418), ("/raising/x", 500)):
        response = ask(live.port, get(path))
        assert (response.code, response.body) == (code, b"sorry")
