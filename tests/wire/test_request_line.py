"""Request lines: what is served, what is refused (P09, P12, P13, P17, P35)."""

from itertools import repeat

import pytest

from .conftest import OpenSite
from .helpers.checks import assert_alive, assert_refused
from .helpers.client import EVIL, MODES, Wire, ask, get
from .helpers.http1 import parse_all
from .helpers.refusals import REQUEST_LINES, Refusal
from .helpers.server import LiveSite


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("refusal", REQUEST_LINES, ids=str)
def test_server_refuses_request_line(site: LiveSite, refusal: Refusal, mode: str) -> None:
    assert_refused(site, refusal, mode)


@pytest.mark.parametrize("mode", MODES)
def test_server_serves_request_after_one_empty_line(site: LiveSite, mode: str) -> None:
    with Wire(site.port) as wire:
        wire.send_as(mode, b"\r\n" + get("/hello"))
        assert wire.response().body == b"hello"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", ["http://a/hello", "HTTP://a:80/hello", "https://b/hello"])
def test_server_serves_absolute_form(site: LiveSite, target: str, mode: str) -> None:
    """RFC 9112 section 3.2.2: a server must accept it."""
    with Wire(site.port) as wire:
        wire.send_as(mode, get(target))
        assert wire.response().body == b"hello"


def test_server_takes_path_of_absolute_form_for_program(site: LiveSite) -> None:
    facts = ask(site.port, get("http://other.example/facts/x?y=1")).json()
    assert facts["path"] == "/facts/x"
    assert facts["postpath"] == ["x"]


def test_server_answers_options_star_without_traversal(site: LiveSite) -> None:
    response = ask(site.port, get("*", method="OPTIONS"))
    assert (response.code, response.value("content-length")) in [(200, b"0"), (204, None)]
    assert site.take_events() == []


def test_server_refuses_connect(site: LiveSite) -> None:
    """Sennit is no proxy: the tunnel's bytes must not be served as requests either."""
    with Wire(site.port) as wire:
        wire.send(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + EVIL)
        response = wire.response("CONNECT")
        assert response.code in (400, 405, 501)
        assert wire.wait_for_end()
    assert site.events("evil") == []


@pytest.mark.parametrize("method", ["get", "Get", "FOO", "PROPFIND", "X-Y", "!#$%&'*+-.^_`|~0"])
def test_server_hands_any_token_as_method_to_program(site: LiveSite, method: str) -> None:
    assert ask(site.port, get("/facts", method=method)).json()["method"] == method


@pytest.mark.parametrize("mode", MODES)
def test_server_passes_percent_encoded_bytes(site: LiveSite, mode: str) -> None:
    """P35: any byte may come percent-encoded, in the path and in the query."""
    with Wire(site.port) as wire:
        wire.send_as(mode, get("/facts/%80%ff%00%2F/%zz?%80=%ff"))
        facts = wire.response().json()
    assert facts["postpath"] == ["\x80\xff\x00/", "%zz"]
    assert facts["uri"] == "/facts/%80%ff%00%2F/%zz?%80=%ff"


def test_server_refuses_error_text_of_other_requests(site: LiveSite) -> None:
    """P09: the answer to a bad request holds none of its bytes, nor those of the request before it."""
    with Wire(site.port) as wire:
        wire.send(get("/hello", "Authorization: first-secret"))
        assert wire.response().code == 200
        wire.send(b"GET /second-secret HTTP/1.1\nHost: third-secret\n\n")
        assert b"secret" not in wire.read_to_end()


def test_server_refuses_long_target_at_limit(site: LiveSite) -> None:
    """P17: 414 as soon as the limit is passed, while the line is still coming."""
    with Wire(site.port) as wire:
        wire.send(b"GET /" + b"a" * 8300)
        response = wire.response()
        assert response.code == 414
        assert wire.wait_for_end()
    assert site.take_events() == []


def test_server_refuses_dripped_megabyte_target(site: LiveSite) -> None:
    """P17: the rest of what a client is determined to send costs no memory."""
    before = site.server.resident_bytes()
    with Wire(site.port) as wire:
        wire.send(b"GET /")
        sent = wire.send_pieces(repeat(b"a" * 100, 10_000))
        wire.send(b" HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL)
        assert sent <= 1_000_000
        assert parse_all(wire.read_to_end(), ["GET"])[0].code == 414
    assert site.take_events() == []
    assert site.server.resident_bytes() - before < 2 << 20


def test_server_refuses_long_method(site: LiveSite) -> None:
    with Wire(site.port) as wire:
        wire.send(b"A" * 9000)
        assert wire.response().code in (400, 414, 501)
        assert wire.wait_for_end()


@pytest.mark.parametrize("size", [1024, 4096, 8192, 16384, 32768, 65536])
def test_server_never_serves_request_after_bad_one_of_buffer_size(open_site: OpenSite, size: int) -> None:
    """P15: a bad request that fills a receive buffer exactly, and the next one just behind it."""
    live = open_site()
    head, tail = b"GET /hello HTTP/1.1\r\nHost: a\r\n", b"B: \x00\r\n\r\n"
    padding = size - len(head) - len(tail)
    lines = [900] * (padding // 900 - 1)
    lines.append(padding - sum(lines))
    bad = head + b"".join(b"A: %s\r\n" % (b"x" * (line - 5)) for line in lines) + tail
    assert len(bad) == size
    with Wire(live.port) as wire:
        wire.send(bad + EVIL)
        (response,) = parse_all(wire.read_to_end(), ["GET"])
    assert response.code in (400, 431)
    assert live.take_events() == []


def test_server_serves_after_all_refusals(site: LiveSite) -> None:
    for refusal in REQUEST_LINES * 5:
        with Wire(site.port) as wire:
            wire.send(refusal.data)
    assert_alive(site)
