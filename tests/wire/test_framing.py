"""Where a request ends: lengths, codings, and what follows (P01-P04, P08, P16)."""

import pytest

from .helpers.checks import assert_refused
from .helpers.client import EVIL, MODES, Wire, get, post, post_chunked
from .helpers.http1 import parse_all
from .helpers.refusals import FRAMING, Refusal
from .helpers.server import LiveSite


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("refusal", FRAMING, ids=str)
def test_server_refuses_framing(site: LiveSite, refusal: Refusal, mode: str) -> None:
    assert_refused(site, refusal, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", ["5", "05", "0000000000000000000000005"])
def test_server_reads_length_of_digits(site: LiveSite, value: str, mode: str) -> None:
    """RFC 9110 section 8.6 allows any number of digits; a refusal of absurd zeros would be safe, too."""
    with Wire(site.port) as wire:
        wire.send_as(
            mode, get("/echo", f"Content-Length: {value}", "Connection: close", method="POST") + b"AAAAA"
        )
        response = wire.response()
    assert (response.code, response.body) == (200, b"AAAAA") or (
        len(value) > 19 and response.code in (400, 413)
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", ["chunked", "Chunked", "CHUNKED", " \tchunked\t "])
def test_server_reads_chunked_in_any_case(site: LiveSite, value: str, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(
            mode, get("/echo", f"Transfer-Encoding:{value}", method="POST") + b"5\r\nAAAAA\r\n0\r\n\r\n"
        )
        assert wire.response().body == b"AAAAA"


@pytest.mark.parametrize("mode", MODES)
def test_server_takes_hidden_request_as_body(site: LiveSite, mode: str) -> None:
    """The length is what counts: a request inside a body is body."""
    with Wire(site.port) as wire:
        wire.send_as(mode, post("/echo", EVIL) + post_chunked("/echo", [EVIL[:9], EVIL[9:]]) + get("/hello"))
        assert [wire.response().body for _ in range(3)] == [EVIL, EVIL, b"hello"]
    assert site.events("evil") == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "FOO"])
def test_server_never_serves_body_that_program_ignored(site: LiveSite, method: str, mode: str) -> None:
    """P16: drained, or the connection closed; never read as the next request."""
    with Wire(site.port) as wire:
        wire.send_as(mode, post("/ignore", EVIL, method=method) + get("/hello"))
        response = wire.response(method)
        assert response.code == 200
        if response.closes:
            assert wire.wait_for_end()
        else:
            assert wire.response().body == b"hello"
    assert site.events("evil") == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", ["/nothing-here", "/hello", "/refuse", "/raising/x"])
def test_server_never_serves_body_of_error_answer(site: LiveSite, path: str, mode: str) -> None:
    """P16, where the answer doesn't come from a render method that saw the body."""
    with Wire(site.port) as wire:
        wire.send_as(mode, post(path, EVIL) + get("/hello"))
        response = wire.response("POST")
        assert response.code >= 400
        if response.closes:
            assert wire.wait_for_end()
        else:
            assert wire.response().body == b"hello"
    assert site.events("evil") == []


def test_server_drains_moderate_body_to_keep_connection(site: LiveSite) -> None:
    """P16: up to `maxDrain` of an unread body is thrown away."""
    with Wire(site.port) as wire:
        wire.send(post("/refuse", b"x" * 100_000) + get("/hello"))
        assert wire.response("POST").code == 403
        assert wire.response().body == b"hello"


def test_server_closes_rather_than_drain_large_body(site: LiveSite) -> None:
    """P16: more than `maxDrain` unread: the answer arrives, then the connection ends."""
    with Wire(site.port) as wire:
        wire.send(get("/refuse", "Content-Length: 10000000", method="POST"))
        response = wire.response("POST")
        assert response.code == 403
        assert response.closes
        assert wire.wait_for_end()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "body", [b"0\r\n", b"0", b"5\r\nAAAAA\r\n", b"5\r\nAAA", b"5\r\nAAAAA\r\n0\r\nA: b\r\n", b"5"], ids=repr
)
def test_server_takes_cut_off_chunked_body_for_incomplete(site: LiveSite, body: bytes, mode: str) -> None:
    """P08: the end of the connection doesn't end a body."""
    with Wire(site.port) as wire:
        wire.send_as(mode, get("/echo", "Transfer-Encoding: chunked", method="POST") + body)
        wire.half_close()
        rest = wire.read_to_end()
    assert rest == b"" or parse_all(rest, ["POST"])[0].code == 400
    assert site.take_events() == []


@pytest.mark.parametrize("mode", MODES)
def test_server_takes_cut_off_length_body_for_incomplete(site: LiveSite, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(mode, get("/echo", "Content-Length: 6", method="POST") + b"AAAAA")
        wire.half_close()
        rest = wire.read_to_end()
    assert rest == b"" or parse_all(rest, ["POST"])[0].code == 400
    assert site.take_events() == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "data", [b"GET", b"GET / HTTP/1.1\r\n", b"GET /hello HTTP/1.1\r\nHost: a\r\n"], ids=repr
)
def test_server_never_serves_cut_off_head(site: LiveSite, data: bytes, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(mode, data)
        wire.half_close()
        rest = wire.read_to_end()
    assert rest == b"" or parse_all(rest, ["GET"])[0].code == 400
    assert site.take_events() == []


@pytest.mark.parametrize("mode", MODES)
def test_server_drops_trailers(site: LiveSite, mode: str) -> None:
    """P08: trailers neither become headers nor frame anything."""
    request = get("/facts", "Transfer-Encoding: chunked", method="POST")
    body = (
        b"1\r\nA\r\n0\r\nContent-Length: 5\r\nHost: evil\r\nX-Trailer: t\r\nTransfer-Encoding: gzip\r\n\r\n"
    )
    with Wire(site.port) as wire:
        wire.send_as(mode, request + body + get("/hello"))
        fields = {name.lower(): values for name, values in wire.response().json()["fields"]}
        assert wire.response().body == b"hello"
    assert fields["host"] == ["a"]
    assert fields.get("transfer-encoding", ["chunked"]) == ["chunked"]
    assert not {"content-length", "x-trailer"} & set(fields)


@pytest.mark.parametrize("mode", MODES)
def test_server_takes_no_body_without_framing(site: LiveSite, mode: str) -> None:
    """RFC 9112 section 6.3: without Content-Length or coding a request has no body."""
    with Wire(site.port) as wire:
        wire.send_as(mode, get("/echo", method="POST") + get("/hello"))
        assert (wire.response().body, wire.response().body) == (b"", b"hello")
