"""Requests that are passed on to another server, and its answers passed back."""

import hashlib
import threading
import time
from pathlib import Path

import pytest

from .conftest import OpenSite, Proxied, StartServer
from .helpers.client import Wire, ask, get, post, post_chunked
from .helpers.upstream import Upstream

MIB = 1 << 20


# requests


def test_request_is_passed_on_and_its_answer_back(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/a/%2Fb?c=d&e", "Accept: text/plain", "Cookie: x=y"))
        peer = upstream.accept()
        line, fields = peer.request()
        assert line == "GET /a/%2Fb?c=d&e HTTP/1.1"
        assert fields == [
            ("Host", f"127.0.0.1:{upstream.port}"),
            ("Accept", "text/plain"),
            ("Cookie", "x=y"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "a"),
            ("Forwarded", 'for=127.0.0.1;host="a";proto=http'),
            ("Via", "1.1 sennit"),
        ]
        peer.send(
            "HTTP/1.1 402 Pay Up\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 4\r\n\r\nmore"
        )
        response = wire.response()
    assert (response.code, response.reason, response.body) == (402, b"Pay Up", b"more")
    assert response.values("set-cookie") == [b"a=b", b"c=d"]
    assert response.value("content-type") is None
    assert response.value("via") == b"1.1 sennit"
    assert response.value("date") is not None
    assert not response.closes


@pytest.mark.parametrize(
    ("base", "asked", "passed"),
    [
        ("", "/", "/"),
        ("", "//a//", "//a//"),
        ("/base", "/", "/base/"),
        ("/base", "/x/y?z", "/base/x/y?z"),
        ("/base/", "/x", "/base/x"),
        ("base", "/x", "/base/x"),
        ("", "http://other:81/x?y", "/x?y"),
        ("", "http://other", "/"),
    ],
)
def test_path_below_is_appended(
    proxied: Proxied, upstream: Upstream, base: str, asked: str, passed: str
) -> None:
    with Wire(proxied(path=base).port) as wire:
        wire.send(get(asked))
        assert upstream.accept().serve() == f"GET {passed} HTTP/1.1"
        assert wire.response().code == 200


def test_children_go_before_the_upstream(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied()
    assert ask(site.port, get("/here/hello")).body == b"hello"
    assert ask(site.port, get("/here/nothing")).code == 404
    assert upstream.is_left_alone(0)


def test_fields_of_the_connection_end_at_the_proxy(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(
            get(
                "/",
                "Connection: keep-alive, X-Mine",
                "X-Mine: 1",
                "Keep-Alive: 5",
                "TE: gzip",
                "Upgrade: websocket",
                "Proxy-Connection: close",
                "Proxy-Authorization: Basic x",
                "Trailer: Sum",
                "X-Other: 2",
            )
        )
        peer = upstream.accept()
        assert set(peer.fields()) == {
            *("host", "x-other", "via", "forwarded"),
            *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"),
        }
        peer.answer(
            b"ok", "Connection: X-Theirs", "X-Theirs: 1", "Keep-Alive: timeout=5", "X-Kept: 1", "Upgrade: h2c"
        )
        response = wire.response()
    names = {name.lower() for name, _ in response.fields}
    assert names == {b"x-kept", b"content-length", b"via", b"date", b"server"}


def test_what_the_client_claims_about_itself_is_replaced(proxied: Proxied, upstream: Upstream) -> None:
    claims = [
        "X-Forwarded-For: 10.0.0.1",
        "X_Forwarded_For: 10.0.0.2",
        "Forwarded: for=x",
        "X-Real-IP: 10.0.0.3",
    ]
    with Wire(proxied().port) as wire:
        wire.send(get("/", *claims))
        fields = upstream.accept().fields()
    assert fields["x-forwarded-for"] == "127.0.0.1"
    assert fields["forwarded"] == 'for=127.0.0.1;host="a";proto=http'
    assert not {"x-real-ip", "x_forwarded_for"} & set(fields)


def test_claims_are_added_to_behind_a_trusted_proxy(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied(forwarded="append").port) as wire:
        wire.send(get("/", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https"))
        fields = upstream.accept().fields()
    assert fields["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"
    assert fields["x-forwarded-proto"] == "https"


def test_origin_is_what_proxies_say_that_the_site_trusts(open_site: OpenSite, upstream: Upstream) -> None:
    proxy = {"host": "127.0.0.1", "port": upstream.port}
    site = open_site(proxy=proxy, trustedProxies=["127.0.0.1"])
    with Wire(site.port) as wire:
        wire.send(
            get(
                "/",
                "X-Forwarded-For: 10.0.0.1, 192.0.2.9",
                "X-Forwarded-Proto: https",
                "X-Forwarded-Host: example.com",
            )
        )
        fields = upstream.accept().fields()
    assert fields["x-forwarded-for"] == "192.0.2.9"
    assert fields["x-forwarded-proto"] == "https"
    # Which is believed only if the site says so.
    assert fields["x-forwarded-host"] == "a"
    assert fields["forwarded"] == 'for=192.0.2.9;host="a";proto=https'


def test_forwarding_can_be_off_and_the_host_kept(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied(forwarded="off", preserveHost=True).port) as wire:
        wire.send(get("/", "X-Forwarded-For: 10.0.0.1", version="1.0"))
        fields = upstream.accept().fields()
    assert fields == {"host": "a", "x-forwarded-for": "10.0.0.1", "via": "1.0 sennit"}


def test_trailers_are_asked_for_by_clients_that_take_them(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", "TE: deflate, Trailers"))
        fields = upstream.accept().fields()
    assert (fields["te"], fields["connection"]) == ("trailers", "TE")


def test_connect_is_refused(proxied: Proxied, upstream: Upstream) -> None:
    assert ask(proxied().port, get("a:80", method="CONNECT"), "CONNECT").code in (404, 501)
    assert upstream.is_left_alone(0)


# bodies of requests


def test_body_of_known_length_goes_up_with_its_head(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(post("/form", b"a=b", "Content-Type: text/x"))
        peer = upstream.accept()
        fields = peer.fields()
        assert (fields["content-length"], fields["content-type"]) == ("3", "text/x")
        assert peer.body(3) == b"a=b"
        peer.answer()
        assert wire.response("POST").body == b"fine"


def test_chunked_body_goes_up_chunked(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(post_chunked("/", [b"one", b"two"]) + get("/next"))
        peer = upstream.accept()
        assert peer.fields()["transfer-encoding"] == "chunked"
        assert peer.chunks() == b"onetwo"
        peer.answer(b"1")
        assert wire.response("POST").body == b"1"
        assert peer.serve(b"2") == "GET /next HTTP/1.1"
        assert wire.response().body == b"2"


def test_body_is_passed_on_before_it_is_complete(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", "Content-Length: 6", method="POST") + b"abc")
        peer = upstream.accept()
        peer.request()
        assert peer.body(3) == b"abc"
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        assert wire.readable(2)
        wire.send(b"def")
        assert peer.body(3) == b"def"
        peer.send("0\r\n\r\n")
        assert wire.response("POST").body == b"x"


def test_body_waits_until_the_upstream_asks_for_it(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", "Content-Length: 3", "Expect: 100-continue", method="PUT"))
        peer = upstream.accept()
        assert peer.fields()["expect"] == "100-continue"
        assert not wire.readable(0.2)
        peer.send("HTTP/1.1 100 Continue\r\n\r\n")
        assert wire.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(b"abc")
        assert peer.body(3) == b"abc"
        peer.answer()
        assert wire.response("PUT").code == 200


def test_body_that_nobody_asks_for_is_asked_for_after_a_second(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", "Content-Length: 3", "Expect: 100-continue", method="POST"))
        peer = upstream.accept()
        peer.request()
        assert wire.readable(3)
        assert wire.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(b"abc")
        assert peer.body(3) == b"abc"


def test_refusal_comes_before_the_body(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", "Content-Length: 3", "Expect: 100-continue", method="POST"))
        peer = upstream.accept()
        peer.request()
        peer.answer(b"no", code=403)
        response = wire.response("POST")
    assert (response.code, response.closes) == (403, True)


def test_limit_of_the_site_holds_for_bodies(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied({"maxBody": 10})
    assert ask(site.port, post("/", b"x" * 11), "POST").code == 413
    assert upstream.is_left_alone(0)
    whole = post_chunked("/", [b"x" * 6, b"x" * 6])
    with Wire(site.port) as wire:
        # All at once it is known to be too much before anybody is asked.
        wire.send(whole)
        assert wire.response("POST").code == 413
    assert upstream.is_left_alone(0)
    with Wire(site.port) as wire:
        second = whole.rindex(b"6\r\n")
        wire.send(whole[:second])
        asked = upstream.accept()
        wire.send(whole[second:])
        assert wire.response("POST").code == 413
    assert asked.request()[0] == "POST / HTTP/1.1"


def test_malformed_body_never_ends_upstream(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n")
        peer = upstream.accept()
        peer.request()
        assert peer.body(8) == b"3\r\nabc\r\n"
        wire.send(b"zz\r\n")
        assert wire.response("POST").code == 400
        assert peer.has_ended()


# answers


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_answer_until_close_is_framed_for_the_client(
    proxied: Proxied, upstream: Upstream, version: str
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", version=version))
        peer = upstream.accept()
        peer.request()
        peer.send("HTTP/1.0 200 OK\r\n\r\n", "some text")
        peer.close()
        response = wire.response()
    assert response.body == b"some text"
    assert (response.value("transfer-encoding") == b"chunked") == (version == "1.1")
    assert response.value("via") == b"1.0 sennit"


def test_chunks_and_trailers_come_through(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/") + get("/", version="1.0"))
        peer = upstream.accept()
        for _ in range(2):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nTrailer: Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            peer.send("1;x=y\r\nd\r\n0\r\nSum: 4\r\nContent-Length: 9\r\n\r\n")
        new, old = wire.response(), wire.response()
    assert (new.body, new.trailers) == (b"abcd", [(b"sum", b"4")])
    assert (old.body, old.closes) == (b"abcd", True)


@pytest.mark.parametrize(
    ("method", "head", "length"),
    [
        ("HEAD", "200 OK\r\nContent-Length: 9", b"9"),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked", None),
        ("GET", "204 No Content\r\nContent-Length: 0", None),
        ("GET", "304 Not Modified\r\nContent-Length: 9", b"9"),
        ("GET", "205 Reset Content\r\nContent-Length: 0", b"0"),
    ],
)
def test_answer_without_body_leaves_both_connections_usable(
    proxied: Proxied, upstream: Upstream, method: str, head: str, length: bytes | None
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", method=method))
        peer = upstream.accept()
        peer.request()
        peer.send(f"HTTP/1.1 {head}\r\n\r\n")
        response = wire.response(method)
        assert (response.value("content-length"), response.body, response.closes) == (length, b"", False)
        wire.send(get("/next"))
        assert peer.serve() == "GET /next HTTP/1.1"
        assert wire.response().body == b"fine"


def test_interim_answers_are_passed_on(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        assert wire.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        peer.answer()
        assert wire.response().code == 200


def test_answer_is_passed_on_however_it_is_cut(proxied: Proxied, upstream: Upstream) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with Wire(proxied().port) as wire:
        peer = None
        for cut in range(1, len(answer), 7):
            wire.send(get(f"/{cut}"))
            peer = peer or upstream.accept()
            peer.request()
            peer.send(answer[:cut])
            time.sleep(0.005)
            peer.send(answer[cut:])
            assert wire.response().body == b"abc"


# connections to the upstream


def test_connection_is_used_again(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied()
    peer = None
    for number in range(5):
        with Wire(site.port) as wire:
            wire.send(get(f"/{number}"))
            peer = peer or upstream.accept()
            assert peer.serve() == f"GET /{number} HTTP/1.1"
            assert wire.response().body == b"fine"
    assert upstream.is_left_alone(0)


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
    ids=["closing", "old", "followed-by-more"],
)
def test_connection_that_can_not_be_trusted_is_not_used_again(
    proxied: Proxied, upstream: Upstream, answer: str
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        peer.send(answer)
        assert wire.response().body == b"ok"
        assert peer.has_ended()
        wire.send(get("/"))
        upstream.accept().serve(b"fresh")
        assert wire.response().body == b"fresh"


def test_connection_that_has_said_something_unasked_is_not_used_again(
    proxied: Proxied, upstream: Upstream
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.serve()
        wire.response()
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert peer.has_ended()
        wire.send(get("/"))
        upstream.accept().serve(b"fresh")
        assert wire.response().body == b"fresh"


def test_connections_at_rest_are_bounded_and_end_in_time(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied(maxIdle=1, idleTimeout=0.3)
    with Wire(site.port) as one, Wire(site.port) as two:
        one.send(get("/"))
        first = upstream.accept()
        two.send(get("/"))
        second = upstream.accept()
        first.serve()
        one.response()
        second.serve()
        two.response()
        assert second.has_ended()
        assert first.is_silent(0.1)
        assert first.has_ended()


def test_requests_wait_for_one_of_a_bounded_number_of_connections(
    proxied: Proxied, upstream: Upstream
) -> None:
    site = proxied(maxConnections=1)
    with Wire(site.port) as one, Wire(site.port) as two, Wire(site.port) as three:
        one.send(get("/1"))
        peer = upstream.accept()
        peer.request()
        two.send(get("/2"))
        assert upstream.is_left_alone()
        three.send(get("/3"))
        peer.answer()
        assert one.response().code == 200
        for number, wire in [(2, two), (3, three)]:
            assert peer.serve() == f"GET /{number} HTTP/1.1"
            assert wire.response().code == 200


def test_client_that_leaves_while_it_waits_for_a_connection_is_forgotten(
    proxied: Proxied, upstream: Upstream
) -> None:
    site = proxied(maxConnections=1)
    with Wire(site.port) as one, Wire(site.port) as two, Wire(site.port) as three:
        one.send(get("/1"))
        peer = upstream.accept()
        peer.request()
        two.send(get("/2"))
        assert upstream.is_left_alone(0.05)
        two.close()
        assert upstream.is_left_alone(0.05)
        three.send(get("/3"))
        peer.answer("1", "Connection: close")
        assert one.response().code == 200
        assert upstream.accept().serve() == "GET /3 HTTP/1.1"
        assert three.response().code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_idempotent_request_is_tried_again_when_a_rested_connection_fails(
    proxied: Proxied, upstream: Upstream, method: str
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/1"))
        peer = upstream.accept()
        peer.serve()
        wire.response()
        wire.send(get("/2", method=method))
        peer.request()
        peer.close()
        assert upstream.accept().serve() == f"{method} /2 HTTP/1.1"
        assert wire.response(method).code == 200


@pytest.mark.parametrize(
    "request_bytes",
    [get("/", "Content-Length: 0", method="POST"), post("/", b"x", method="PUT")],
    ids=["not-idempotent", "with-body"],
)
def test_other_requests_are_not_tried_again(
    proxied: Proxied, upstream: Upstream, request_bytes: bytes
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/1"))
        peer = upstream.accept()
        peer.serve()
        wire.response()
        wire.send(request_bytes)
        peer.request()
        peer.close()
        assert wire.response("POST").code == 502
    assert upstream.is_left_alone()


def test_request_is_tried_again_once_only(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/1"))
        peer = upstream.accept()
        peer.serve()
        wire.response()
        wire.send(get("/2"))
        peer.request()
        peer.close()
        again = upstream.accept()
        again.request()
        again.close()
        assert wire.response().code == 502
    assert upstream.is_left_alone()


def test_connection_closed_while_at_rest_costs_nothing(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/1"))
        peer = upstream.accept()
        peer.serve()
        wire.response()
        peer.close()
        wire.send(get("/2", "Content-Length: 0", method="POST"))
        upstream.accept().serve()
        assert wire.response("POST").code == 200


def test_upstream_over_a_unix_socket(open_site: OpenSite, tmp_path: Path) -> None:
    path = str(tmp_path / "up")
    with Upstream(path) as upstream:
        site = open_site(proxy={"host": f"unix:{path}", "port": None})
        with Wire(site.port) as wire:
            wire.send(get("/"))
            peer = upstream.accept()
            assert peer.fields()["host"] == "localhost"
            peer.answer()
            assert wire.response().body == b"fine"


def test_upstream_by_its_name(open_site: OpenSite, upstream: Upstream) -> None:
    site = open_site(proxy={"host": "localhost", "port": upstream.port})
    with Wire(site.port) as wire:
        for _ in range(2):
            wire.send(get("/"))
        peer = upstream.accept()
        assert peer.fields()["host"] == f"localhost:{upstream.port}"
        peer.answer()
        assert wire.response().body == b"fine"


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_loops_of_others_pass_on_as_well(own_server: StartServer, upstream: Upstream, kind: str) -> None:
    proxy = {"host": "127.0.0.1", "port": upstream.port, "readTimeout": 0.5}
    site = own_server(kind).open_site(proxy=proxy)
    with Wire(site.port) as wire:
        wire.send(post("/", b"x" * 300_000))
        peer = upstream.accept()
        peer.request()
        assert len(peer.body(300_000)) == 300_000
        peer.answer(b"y" * 300_000)
        assert len(wire.response("POST").body) == 300_000
        wire.send(get("/"))
        peer.request()
        assert wire.response().code == 504


# clients


def test_client_that_leaves_ends_the_request_upstream(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        wire.close()
        assert peer.has_ended()


def test_client_that_leaves_within_its_body_ends_the_request_upstream(
    proxied: Proxied, upstream: Upstream
) -> None:
    with Wire(proxied().port) as wire:
        wire.send(get("/", "Content-Length: 9", method="POST") + b"abc")
        peer = upstream.accept()
        peer.request()
        assert peer.body(3) == b"abc"
        wire.close()
        assert peer.has_ended()


def test_slow_client_holds_the_upstream_back_in_flat_memory(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied()
    before = site.server.resident_bytes()
    total = 48 * MIB
    with Wire(site.port, receive_buffer=65536) as wire:
        wire.send(get("/"))
        peer = upstream.accept()
        peer.request()
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n")
        sending = threading.Thread(target=peer.send, args=(b"z" * total,))
        sending.start()
        time.sleep(0.3)
        assert sending.is_alive(), "the proxy took all of it"
        assert site.server.resident_bytes() - before < 3 * MIB
        wire.read_fast()
        assert len(wire.response(timeout=20).body) == total
        sending.join()
    assert site.server.resident_bytes() - before < 3 * MIB


def test_slow_upstream_holds_the_client_back_in_flat_memory(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied({"maxBody": None})
    before = site.server.resident_bytes()
    body = b"0123456789abcdef" * (3 * MIB)
    with Wire(site.port, timeout=20) as wire:
        sending = threading.Thread(target=wire.send, args=(post("/", body),))
        sending.start()
        peer = upstream.accept()
        peer.request()
        time.sleep(0.3)
        assert sending.is_alive(), "the proxy took all of it"
        assert site.server.resident_bytes() - before < 3 * MIB
        digest, missing = hashlib.sha256(), len(body)
        while missing:
            piece = peer.body(min(missing, MIB))
            digest.update(piece)
            missing -= len(piece)
        sending.join()
        peer.answer()
        assert wire.response("POST").code == 200
    assert digest.digest() == hashlib.sha256(body).digest()
    assert site.server.resident_bytes() - before < 3 * MIB


# subclasses


def test_subclass_changes_the_request_and_the_response(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied(kind="changing", path="/up").port) as wire:
        peer = None
        for body in [b"body", b"b" * 300_000]:
            wire.send(post("/a/leaf?q", body, "Cookie: secret"))
            peer = peer or upstream.accept()
            line, fields = peer.request()
            names = {name.lower(): value for name, value in fields}
            assert line == "POST /up?q HTTP/1.1"
            assert (names["x-changed"], names["content-length"]) == ("yes", str(len(body)))
            assert "cookie" not in names
            assert peer.body(len(body)) == body
            peer.answer(b"ok", "Content-Type: text/plain", "Set-Cookie: their=1")
            response = wire.response("POST")
            assert response.value("x-added") == b"here"
            assert response.values("content-type") == [b"text/plain"]
            assert response.values("set-cookie") == [b"seen=1", b"their=1"]


def test_subclass_with_its_own_client_protocol(proxied: Proxied, upstream: Upstream) -> None:
    with Wire(proxied(kind="loud").port) as wire:
        wire.send(post("/a/b?c", b"body", "Connection: X-Mine", "Content-Type: text/x"))
        peer = upstream.accept()
        line, fields = peer.request()
        assert line == "POST /a/b?c HTTP/1.0"
        assert dict(fields)["content-length"] == "4"
        assert dict(fields)["connection"] == "close"
        assert peer.body(4) == b"body"
        peer.send("HTTP/1.1 200 Well\r\nX-Word: loud\r\nContent-Length: 4\r\n\r\nbody")
        response = wire.response("POST")
    assert (response.reason, response.value("x-word"), response.body) == (b"Well", b"LOUD", b"BODY")


def test_own_client_protocol_that_can_not_connect_is_a_502(open_site: OpenSite) -> None:
    with Upstream() as gone:
        port = gone.port
    site = open_site(proxy={"kind": "loud", "host": "127.0.0.1", "port": port})
    assert ask(site.port, get("/")).code == 502


def test_server_notes_nothing_of_all_that(proxied: Proxied, upstream: Upstream) -> None:
    site = proxied()
    with Wire(site.port) as wire:
        wire.send(get("/"))
        upstream.accept().serve()
        wire.response()
    assert [entry for entry in site.server.take_logs() if entry["level"] != "INFO"] == []
