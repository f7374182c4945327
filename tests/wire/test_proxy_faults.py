"""What upstreams do wrong, and what their clients see of it."""

import time
from itertools import pairwise

import pytest

from .conftest import OpenSite, Proxied
from .helpers.client import Wire, ask, get, post
from .helpers.server import LiveSite
from .helpers.upstream import Upstream

OK = "HTTP/1.1 200 OK\r\n"

MALFORMED = {
    "two-lengths": f"{OK}Content-Length: 4\r\nContent-Length: 5\r\n\r\nevil",
    "two-equal-lengths": f"{OK}Content-Length: 4\r\nContent-Length: 4\r\n\r\nevil",
    "length-list": f"{OK}Content-Length: 4, 4\r\n\r\nevil",
    "length-with-sign": f"{OK}Content-Length: +4\r\n\r\nevil",
    "length-and-chunks": f"{OK}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two-codings": f"{OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown-coding": f"{OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding-on-1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare-line-feed": f"{OK}A: b\nContent-Length: 0\r\n\r\n",
    "line-feeds-only": "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare-carriage-return": f"{OK}A: b\rc\r\nContent-Length: 0\r\n\r\n",
    "folded": f"{OK}A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "space-before-colon": f"{OK}Content-Length : 0\r\n\r\n",
    "no-colon": f"{OK}Content-Length\r\n\r\n",
    "nul": f"{OK}A: b\0\r\nContent-Length: 0\r\n\r\n",
    "version-2": "HTTP/2 200\r\n\r\n",
    "no-version": "200 OK\r\n\r\n",
    "no-code": "HTTP/1.1 OK\r\n\r\n",
    "leading-empty-line": f"\r\n{OK}Content-Length: 0\r\n\r\n",
    "not-http": "SSH-2.0-OpenSSH_9.9\r\n",
    "switching": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "endless-interim": "HTTP/1.1 102 Processing\r\n\r\n" * 40,
    "many-fields": OK + "A: b\r\n" * 300 + "Content-Length: 0\r\n\r\n",
    "large-head": OK + f"A: {'b' * 200_000}\r\n",
    "long-status-line": f"HTTP/1.1 200 {'x' * 10_000}",
}


def _complaints(site: LiveSite) -> list[dict[str, object]]:
    return [entry for entry in site.server.take_logs() if entry["level"] != "INFO"]


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=list(MALFORMED))
def test_malformed_answer_is_a_502(proxied: Proxied, upstream: Upstream, answer: str) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        peer.send(answer)
        response = wire.response()
        while response.code == 102:
            response = wire.response()
        assert (response.code, response.closes) == (502, False)
        assert b"evil" not in response.body
        assert peer.has_ended()
        wire.send(get("/"))
        upstream.accept().serve()
        assert wire.response().code == 200


def test_fault_is_logged_in_one_line(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied()
    with Wire(site.port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        peer.send(MALFORMED["two-lengths"])
        wire.response()
    (entry,) = _complaints(site)
    assert entry["text"] == f"upstream 127.0.0.1:{upstream.port}: more than one Content-Length header"
    assert (entry["level"], entry["traceback"]) == ("WARNING", False)


def test_upstream_that_is_not_there_is_a_502(open_site: OpenSite) -> None:
    with Upstream() as gone:
        port = gone.port
    site = open_site(proxy={"host": "127.0.0.1", "port": port})
    assert ask(site.port, get("/", "Accept: text/plain")).code == 502
    assert ask(site.port, post("/", b"body"), "POST").code == 502
    (first, _) = _complaints(site)
    assert first["text"].startswith(f"upstream 127.0.0.1:{port}: no connection: Connection refused")


def test_unix_socket_that_is_not_there_is_a_502(open_site: OpenSite) -> None:
    site = open_site(proxy={"host": "unix:/nowhere/at/all", "port": None})
    assert ask(site.port, get("/")).code == 502


def test_all_that_wait_for_a_connection_that_can_not_be_made_are_answered(open_site: OpenSite) -> None:
    # Each that fails makes room for the next: a call within a call for each of them would overflow the stack.
    site = open_site(proxy={"host": "nobody.invalid", "port": 80, "maxConnections": 1})
    wires = [Wire(site.port, timeout=30) for _ in range(200)]
    try:
        for wire in wires:
            wire.send(get("/"))
        assert {wire.response(timeout=30).code for wire in wires} == {502}
    finally:
        for wire in wires:
            wire.close()


def test_name_that_is_not_known_is_a_502(open_site: OpenSite) -> None:
    site = open_site(proxy={"host": "nobody.invalid", "port": 80})
    with Wire(site.port, timeout=20) as wire:
        wire.send(get("/"))
        assert wire.response(timeout=20).code == 502


@pytest.mark.parametrize("sent", ["", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("by_reset", [False, True])
def test_upstream_that_closes_before_its_head_is_a_502(
    proxied: Proxied, upstream: Upstream, sent: str, by_reset: bool
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        peer.send(sent)
        if sent:
            time.sleep(0.05)
        if by_reset:
            peer.reset()
        else:
            peer.close()
        response = wire.response()
        assert response.code == 502
        assert not response.closes


def test_upstream_that_says_nothing_is_a_504(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied(readTimeout=0.3).port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        assert wire.response().code == 504
        assert peer.has_ended()


def test_slow_client_does_not_count_as_a_slow_upstream(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied(readTimeout=0.3).port) as wire:
        wire.send(get("/", "Content-Length: 2", method="POST") + b"a")
        peer = upstream.accept()
        peer.request()
        time.sleep(0.6)
        wire.send(b"b")
        assert peer.body(2) == b"ab"
        peer.answer()
        assert wire.response("POST").code == 200


def test_upstream_that_takes_nothing_is_a_504(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied({"maxBody": None}, readTimeout=0.3)
    with Wire(site.port) as wire:
        wire.send(get("/", f"Content-Length: {1 << 30}", method="POST"))
        wire.send_until_answered(b"x" * 65536 for _ in range(16384))
        assert wire.response("POST").code == 504


def test_connection_that_is_never_accepted_is_a_504(open_site: OpenSite) -> None:
    with Upstream(backlog=0) as full:
        fillers = [Wire(full.port)]
        try:
            site = open_site(proxy={"host": "127.0.0.1", "port": full.port, "connectTimeout": 0.3})
            with Wire(site.port) as wire:
                wire.send(get("/"))
                # A second connection fits the backlog on some systems; then nobody answers on it.
                code = _code_or_none(wire, 2.0)
            assert code in (504, None)
        finally:
            for filler in fillers:
                filler.close()


def _code_or_none(wire: Wire, seconds: float) -> int | None:
    return wire.response().code if wire.readable(seconds) else None


def test_answer_that_stops_is_cut_off_in_time(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied(readTimeout=0.3).port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        peer.send(f"{OK}Content-Length: 9\r\n\r\nabc")
        assert wire.read_to_end().endswith(b"\r\n\r\nabc")


FRAMINGS = {
    "length": f"{OK}Content-Length: 9\r\n\r\nabc",
    "chunks": f"{OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "broken-chunks": f"{OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef",
}


@pytest.mark.parametrize("by_reset", [False, True])
@pytest.mark.parametrize("answer", FRAMINGS.values(), ids=list(FRAMINGS))
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_answer_that_breaks_off_is_seen_to(
    proxied: Proxied, upstream: Upstream, answer: str, version: str, by_reset: bool
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", version=version))
        peer = upstream.accept()
        peer.request()
        peer.send(answer)
        time.sleep(0.05)
        if by_reset:
            peer.reset()
        else:
            peer.close()
        head, _, body = wire.read_to_end().partition(b"\r\n\r\n")
        by_length = b"content-length" in head.lower()
        by_chunks = b"chunked" in head.lower()
        # The client can tell: from its length, from the last chunk that isn't there, or from a reset.
        assert (by_length and body == b"abc") or (by_chunks and b"0\r\n" not in body) or wire.was_reset


def test_answer_until_close_that_is_reset_is_not_whole(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        peer.send("HTTP/1.0 200 OK\r\n\r\nabc")
        time.sleep(0.05)
        peer.reset()
        assert b"0\r\n\r\n" not in wire.read_to_end()


def test_bytes_behind_an_answer_never_reach_a_client(proxied: Proxied, upstream: Upstream) -> None:
    evil = f"{OK}Content-Length: 4\r\n\r\nevil"
    with Wire(proxied().port) as wire:
        for first, second in pairwise(["a", "b", "c"]):
            wire.send(get(f"/{first}") + get(f"/{second}"))
            peer = upstream.accept()
            peer.request()
            peer.send(f"{OK}Content-Length: 1\r\n\r\n{first}{evil}")
            assert wire.response().body == first.encode()
            upstream.accept().serve(second, "Connection: close")
            assert wire.response().body == second.encode()


def test_client_of_a_cut_answer_does_not_harm_others(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied()
    with Wire(site.port) as one, Wire(site.port) as two:
        one.send(get("/1"))
        first = upstream.accept()
        first.request()
        two.send(get("/2"))
        second = upstream.accept()
        second.request()
        first.reset()
        assert one.response().code == 502
        second.answer()
        assert two.response().code == 200
