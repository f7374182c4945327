"""How responses are framed, by code, method and version (RFC 9112 section 6.3, RFC 9110 section 6.4.1)."""

import pytest

from .helpers.client import Wire, ask, get
from .helpers.script import Operation, path_of
from .helpers.server import LiveSite

BODILESS = (204, 304)
RETURNED = [["return", "body"]]
WRITTEN = [["write", "bo"], ["write", "dy"], ["finish"], ["return", "NOT_DONE_YET"]]
MEASURED = [["setHeader", "Content-Length", "4"], *WRITTEN]
WAYS = {"returned": RETURNED, "written": WRITTEN, "measured": MEASURED}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "FOO"])
@pytest.mark.parametrize("code", [200, 201, 203, 204, 205, 206, 301, 304, 400, 402, 404, 500, 599, 600, 999])
def test_response_is_framed_by_code_and_method(
    site: LiveSite, code: int, method: str, version: str, way: str
) -> None:
    """Whatever the program does, the next response is found where it begins."""
    script: list[Operation] = [["setResponseCode", code], *WAYS[way]]
    with Wire(site.port) as wire:
        fields = ["Connection: keep-alive"] if version == "1.0" else []
        wire.send(get(path_of(script), *fields, method=method, version=version) + get("/hello"))
        response = wire.response(method)
        assert response.code == code
        if code in BODILESS or method == "HEAD":
            assert response.framing == "none"
            assert response.values("transfer-encoding") == [] or method == "HEAD"
        elif code == 205:
            assert response.body == b""
            assert response.value("content-length") == b"0"
        else:
            assert response.body == b"body"
            expected = "length" if way != "written" else "chunked" if version == "1.1" else "close"
            assert response.framing == expected
        if response.closes:
            assert wire.wait_for_end()
        else:
            assert wire.response().body == b"hello"


@pytest.mark.parametrize("way", WAYS)
def test_server_keeps_http_1_1_connection_whatever_the_framing(site: LiveSite, way: str) -> None:
    for code in (200, 204, 205, 304, 404):
        assert not ask(site.port, get(path_of([["setResponseCode", code], *WAYS[way]]))).closes


def test_head_has_length_of_returned_body(site: LiveSite) -> None:
    response = ask(site.port, get("/hello", method="HEAD"), "HEAD")
    assert response.value("content-length") == b"5"


def test_head_has_length_the_program_set(site: LiveSite) -> None:
    script: list[Operation] = [["setHeader", "Content-Length", "12345"], ["return", ""]]
    assert ask(site.port, get(path_of(script), method="HEAD"), "HEAD").value("content-length") == b"12345"


def test_head_has_same_fields_as_get(site: LiveSite) -> None:
    got, head = ask(site.port, get("/hello")), ask(site.port, get("/hello", method="HEAD"), "HEAD")
    assert {name for name, _ in got.fields} == {name for name, _ in head.fields}


def test_response_to_http_1_0_is_never_chunked(site: LiveSite) -> None:
    for path in ("/chunks?3x1000", "/async-chunks?3x1000", path_of(WRITTEN)):
        response = ask(site.port, get(path, "Connection: keep-alive", version="1.0"))
        assert response.framing in ("close", "length")
        assert len(response.body) in (4, 3000)


@pytest.mark.parametrize("way", ["returned", "written"])
@pytest.mark.parametrize("length", ["3", "5", "1000"])
def test_wrong_length_of_program_never_breaks_framing(site: LiveSite, length: str, way: str) -> None:
    """A returned body has its true length; a written one is cut at its end, or the connection ends."""
    script: list[Operation] = [["setHeader", "Content-Length", length], *WAYS[way]]
    with Wire(site.port) as wire:
        wire.send(get(path_of(script)) + get("/hello"))
        if way == "returned":
            assert wire.response().body == b"body"
            assert wire.response().body == b"hello"
        elif length == "3":
            assert wire.response().body == b"bod"
            if wire.received or wire.receive_some():
                assert wire.response().body == b"hello"
        else:
            # Said more than there was: the connection must end inside the body, so that the client can tell.
            received = wire.read_to_end()
            assert received.endswith(b"body")
            assert b"hello" not in received


@pytest.mark.parametrize("length", ["x", "-1", "+4", "4, 4", "", "0x4"])
def test_malformed_length_of_program_is_not_sent(site: LiveSite, length: str) -> None:
    for way in ("returned", "written"):
        script: list[Operation] = [["setHeader", "Content-Length", length], *WAYS[way]]
        assert ask(site.port, get(path_of(script))).body == b"body"


def test_two_lengths_of_program_become_one(site: LiveSite) -> None:
    script: list[Operation] = [
        ["add-header", "Content-Length", "4"],
        ["add-header", "Content-Length", "9"],
        *RETURNED,
    ]
    assert ask(site.port, get(path_of(script))).value("content-length") == b"4"


@pytest.mark.parametrize("coding", ["chunked", "gzip, chunked", "identity"])
def test_transfer_coding_of_program_is_dropped(site: LiveSite, coding: str) -> None:
    for way in WAYS.values():
        script: list[Operation] = [["setHeader", "Transfer-Encoding", coding], *way]
        assert ask(site.port, get(path_of(script))).body == b"body"


@pytest.mark.parametrize("value", ["close", "Close", "x, close"])
def test_program_closes_connection_by_header(site: LiveSite, value: str) -> None:
    with Wire(site.port) as wire:
        wire.send(get(path_of([["setHeader", "Connection", value], *RETURNED])) + get("/evil"))
        assert wire.response().closes
        assert wire.wait_for_end()
    assert site.events("evil") == []


def test_response_has_date_and_server(site: LiveSite) -> None:
    response = ask(site.port, get("/hello"))
    assert response.value("date") is not None
    assert response.value("server") is not None
    assert response.value("content-type") == b"text/html"


def test_program_removes_and_replaces_default_headers(site: LiveSite) -> None:
    script: list[Operation] = [
        ["remove-header", "Server"],
        ["setHeader", "Content-Type", "text/plain"],
        *RETURNED,
    ]
    response = ask(site.port, get(path_of(script)))
    assert response.values("server") == []
    assert response.value("content-type") == b"text/plain"


@pytest.mark.parametrize("code", [204, 304])
def test_response_without_body_has_no_content_type_of_its_own(site: LiveSite, code: int) -> None:
    assert ask(site.port, get(f"/code/{code}")).values("content-type") == []


@pytest.mark.parametrize("path", ["/chunks?5x100", "/async-chunks?5x100"])
def test_iterator_is_streamed_in_chunks(site: LiveSite, path: str) -> None:
    response = ask(site.port, get(path))
    assert (response.framing, len(response.body), response.chunks) == ("chunked", 500, 5)


def test_empty_writes_never_end_a_chunked_body(site: LiveSite) -> None:
    script: list[Operation] = [
        ["write", "a"],
        ["write", ""],
        ["write", "b"],
        ["finish"],
        ["return", "NOT_DONE_YET"],
    ]
    with Wire(site.port) as wire:
        wire.send(get(path_of(script)) + get("/hello"))
        assert (wire.response().body, wire.response().body) == (b"ab", b"hello")


def test_program_sends_trailers(site: LiveSite) -> None:
    script: list[Operation] = [
        ["write", "a"],
        ["setTrailer", "X-Sum", "1"],
        ["finish"],
        ["return", "NOT_DONE_YET"],
    ]
    response = ask(site.port, get(path_of(script), "TE: trailers"))
    assert (response.body, response.trailers) == (b"a", [(b"x-sum", b"1")])
