"""Response codes: all of them, their reasons, and interim responses."""

import json

import pytest

from .helpers.client import Wire, ask, get
from .helpers.script import Operation, path_of
from .helpers.server import LiveSite


def test_program_answers_with_every_final_code(site: LiveSite) -> None:
    """200 to 999 in one pipeline: each with its code, and with its own body or none."""
    codes = list(range(200, 1000))
    with Wire(site.port) as wire:
        wire.send(b"".join(get(f"/code/{code}") for code in codes))
        responses = [wire.response() for _ in codes]
    assert [response.code for response in responses] == codes
    assert all(response.body == b"body" for response in responses if response.code not in (204, 205, 304))


def test_program_streams_with_every_final_code(site: LiveSite) -> None:
    codes = list(range(200, 1000))
    with Wire(site.port) as wire:
        wire.send(b"".join(get(f"/code/{code}/stream") for code in codes))
        assert [wire.response().code for _ in codes] == codes


@pytest.mark.parametrize("code", [-200, -1, 0, 1, 99, 100, 102, 103, 104, 150, 199, 1000, 2**31, 2**70])
def test_program_gets_value_error_for_impossible_code(site: LiveSite, code: int) -> None:
    """At the call, and the request goes on with the code it had."""
    response = ask(site.port, get(path_of([["setResponseCode", code], ["return", "on"]])))
    assert (response.code, response.body) == (200, b"on")
    (raised,) = site.events("raised")
    assert raised["type"] == "ValueError"
    assert str(code) in raised["text"]


@pytest.mark.parametrize("code", ["200", 200.5, None, [200]])
def test_program_gets_error_for_code_that_is_no_integer(site: LiveSite, code: object) -> None:
    assert ask(site.port, get(path_of([["setResponseCode", code], ["return", "on"]]))).code == 200
    (raised,) = site.events("raised")
    assert raised["type"] in ("ValueError", "TypeError")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (200, b"OK"),
        (402, b"Payment Required"),
        (404, b"Not Found"),
        (418, b"I'm a teapot"),
        (500, b"Internal Server Error"),
    ],
)
def test_code_has_registered_reason(site: LiveSite, code: int, reason: bytes) -> None:
    assert ask(site.port, get(f"/code/{code}")).reason == reason


@pytest.mark.parametrize("reason", ["Pay Up", "naïve", "tab\there"])
def test_program_sets_reason_as_text_or_bytes(site: LiveSite, reason: str) -> None:
    as_bytes = {"bytes": reason.encode().decode("latin-1")}
    for given in (reason, as_bytes):
        assert ask(site.port, get(path_of([["setResponseCode", 402, given]]))).reason == reason.encode()


@pytest.mark.parametrize("reason", ["x\r\nY: z", "x\ny", "x\ry", "x\x00y", "\r\n\r\nbody"])
def test_reason_never_breaks_status_line(site: LiveSite, reason: str) -> None:
    """P21: refused at the call."""
    for given in (reason, {"bytes": reason}):
        response = ask(site.port, get(path_of([["setResponseCode", 402, given], ["return", "on"]])))
        assert response.values("y") == []
        assert response.body == b"on"
    assert [raised["type"] for raised in site.events("raised")] == ["ValueError", "ValueError"]


def test_reason_is_never_put_into_page_unescaped(site: LiveSite) -> None:
    """P21: `<script>` as a reason or a message is text."""
    for operation in (["error", 418, "<script>"], ["error", 418, "<script>", "<b>not</b>"]):
        response = ask(site.port, get(path_of([operation]), "Accept: text/html"))
        assert response.code == 418
        assert b"<script>" not in response.body


@pytest.mark.parametrize("code", [100, 102, 103, 104, 199])
def test_program_sends_interim_response(site: LiveSite, code: int) -> None:
    script: list[Operation] = [
        ["writeInterim", code, [["Link", "</a.css>; rel=preload"]]],
        ["return", "done"],
    ]
    response = ask(site.port, get(path_of(script)))
    assert [(head.code, head.values("link")) for head in response.interim] == [
        (code, [b"</a.css>; rel=preload"])
    ]
    assert (response.code, response.body, response.values("link")) == (200, b"done", [])


def test_interim_response_arrives_before_final_one(site: LiveSite) -> None:
    script: list[Operation] = [
        ["writeInterim", 103, {"Link": ["</a>", "</b>"]}],
        ["sleep", 0.3],
        ["return", "done"],
    ]
    with Wire(site.port) as wire:
        wire.send(get(path_of(script, waits=True)))
        head = wire.head(timeout=0.25)
        assert head.startswith(b"HTTP/1.1 103 Early Hints\r\n")
        assert head.lower().count(b"\r\nlink: ") == 2
        assert wire.response().body == b"done"


def test_program_sends_several_interim_responses(site: LiveSite) -> None:
    script: list[Operation] = [
        ["writeInterim", 102],
        ["writeInterim", 103],
        ["writeInterim", 103],
        ["return", "done"],
    ]
    assert [head.code for head in ask(site.port, get(path_of(script))).interim] == [102, 103, 103]


def test_http_1_0_client_gets_no_interim_response(site: LiveSite) -> None:
    """RFC 9110 section 15.2."""
    script: list[Operation] = [["writeInterim", 103, [["Link", "</a>"]]], ["return", "done"]]
    response = ask(site.port, get(path_of(script), version="1.0"))
    assert (response.interim, response.body) == ([], b"done")


@pytest.mark.parametrize("code", [99, 101, 200, 204, 404])
def test_program_gets_value_error_for_interim_code_that_is_final(site: LiveSite, code: int) -> None:
    response = ask(site.port, get(path_of([["writeInterim", code], ["return", "on"]])))
    assert (response.interim, response.body) == ([], b"on")
    assert [raised["type"] for raised in site.events("raised")] == ["ValueError"]


def test_interim_response_after_first_write_never_reaches_body(site: LiveSite) -> None:
    script: list[Operation] = [
        ["write", "a"],
        ["writeInterim", 103],
        ["write", "b"],
        ["finish"],
        ["return", "NOT_DONE_YET"],
    ]
    assert ask(site.port, get(path_of(script))).body == b"ab"


def test_code_after_first_write_has_no_effect(site: LiveSite) -> None:
    script: list[Operation] = [
        ["write", "a"],
        ["setResponseCode", 500],
        ["finish"],
        ["return", "NOT_DONE_YET"],
    ]
    assert ask(site.port, get(path_of(script))).code == 200


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 409, 418, 429, 451, 500, 503, 599, 600])
def test_error_raised_in_rendering_answers_with_its_code(site: LiveSite, code: int) -> None:
    for waits in (False, True):
        response = ask(
            site.port,
            get(path_of([["error", code, "told"]], waits=waits), "Accept: application/problem+json"),
        )
        assert response.code == code
        assert json.loads(response.body)["status"] == code


@pytest.mark.parametrize("code", [402, 404, 418, 503])
def test_error_raised_in_traversal_answers_with_its_code(site: LiveSite, code: int) -> None:
    assert ask(site.port, get(f"/raising/{code}")).code == code
