"""Forms: hostile ones end, in bounded time and memory (P40-P44)."""

import time
from collections.abc import Iterator
from itertools import repeat

import pytest

from .conftest import OpenSite
from .helpers.client import Wire, ask, get, post
from .helpers.latency import GoodClient, tried_again_if_slow
from .helpers.server import LiveSite

MIB = 1 << 20
MULTIPART = "Content-Type: multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
END = b"\r\n--b--\r\n"


def send_form(
    site: LiveSite, pieces: list[bytes] | Iterator[bytes], length: int, content_type: str = MULTIPART
) -> int:
    """Send a form of `length` bytes in pieces; returns the code of the answer."""
    with Wire(site.port) as wire:
        wire.send(get("/form", f"Content-Length: {length}", content_type, method="POST"))
        wire.send_until_answered(pieces)
        return wire.response("POST", timeout=20).code


def test_program_gets_fields_of_both_kinds(site: LiveSite) -> None:
    body = FIELD + b"12345" + b'\r\n--b\r\nContent-Disposition: form-data; name="c"\r\n\r\n' + END
    assert ask(site.port, post("/form", body, MULTIPART)).json() == {"a": [5], "c": [0]}
    encoded = post(
        "/form?q=1", b"a=12345&c=&a=%00", "Content-Type: application/x-www-form-urlencoded; charset=utf-8"
    )
    assert ask(site.port, encoded).json() == {"q": [1], "a": [5, 1], "c": [0]}


@tried_again_if_slow
def test_server_refuses_million_parts(site: LiveSite) -> None:
    """P40: a million tiny parts."""
    part, count = FIELD + b"x\r\n", 1_000_000
    before = site.server.resident_bytes()
    with GoodClient(site.port) as good:
        assert send_form(site, repeat(part * 1000, count // 1000), len(part) * count) == 413
    assert site.server.resident_bytes() - before < 32 * MIB
    good.assert_served_quickly()
    assert site.events("form") == []


def test_server_refuses_gigabyte_field_at_once(open_site: OpenSite) -> None:
    """P40: declared, it is refused before the body; not declared, as soon as it passes the limit."""
    live = open_site({"maxBody": 64 * MIB})
    assert send_form(live, repeat(b"x" * 65536, 16384), 1 << 30) == 413


def test_server_refuses_large_field_without_filename(site: LiveSite) -> None:
    """P40: a field is memory, whatever its part says; a file of that size is not."""
    value = [b"x" * MIB] * 20
    length = len(FIELD) + 20 * MIB + len(END)
    assert send_form(site, [FIELD, *value, END], length) == 413
    assert send_form(site, [FILE, *value, END], len(FILE) + 20 * MIB + len(END)) in (200, 413)


@pytest.mark.parametrize(
    "filler", [b"\r", b"\n", b"\r\n", b"\r\n-", b"\r\n--", b"\r\n--x", b"--b", b"\r\n--b\r"], ids=repr
)
@tried_again_if_slow
def test_server_finds_boundary_in_linear_time(site: LiveSite, filler: bytes) -> None:
    """P41: ten megabytes that are nearly a boundary all the time."""
    data = (filler * (MIB // len(filler) + 1))[:MIB]
    body = FILE + data * 10 + END
    began = time.perf_counter()
    with GoodClient(site.port) as good:
        assert send_form(site, [body[i : i + MIB] for i in range(0, len(body), MIB)], len(body)) in (
            200,
            400,
            413,
        )
    assert time.perf_counter() - began < 3
    good.assert_served_quickly(usual=0.5, worst=1.5)


def test_server_survives_megabyte_boundary(site: LiveSite) -> None:
    """P41: the boundary comes in a header, so the header's limit holds."""
    assert send_form(site, iter(()), 0, "Content-Type: multipart/form-data; boundary=" + "b" * MIB) == 431
    long = b"b" * 30_000
    body = b"--" + long + FIELD[3:] + b"v\r\n--" + long + b"--\r\n"
    code = send_form(site, [body], len(body), f"Content-Type: multipart/form-data; boundary={long.decode()}")
    assert code in (200, 400)


def test_server_refuses_million_headers_in_part(site: LiveSite) -> None:
    """P42."""
    body = FIELD[:-2] + b"A: b\r\n" * 1_000_000
    assert send_form(site, [body, b"\r\nv", END], len(body) + 3 + len(END)) == 400
    assert site.events("form") == []


def test_server_refuses_large_header_in_part(site: LiveSite) -> None:
    """P42: 30 MB in one header of a part; 100 MB are above `maxBody` already in the ordinary way."""
    body = FIELD[:-2] + b"A: " + b"x" * (30 * MIB)
    assert send_form(site, [body, b"\r\n\r\nv", END], len(body) + 5 + len(END)) == 400
    assert site.events("form") == []


@pytest.mark.parametrize(
    "junk", [b"junk" * 100_000, b"\r\n" * 100_000, b"--b" * 50_000, b"\x00\xff" * 10_000]
)
def test_server_logs_no_storm_for_junk_after_form(site: LiveSite, junk: bytes) -> None:
    """P43: at most one log line per request."""
    site.server.take_logs()
    assert ask(site.port, post("/form", FIELD + b"v" + END + junk, MULTIPART)).code in (200, 400)
    assert len(site.server.take_logs()) <= 1


def test_form_cut_at_every_offset_ends(site: LiveSite) -> None:
    """P44: each is answered, with what there was or with 400, and never twice the same form for ever."""
    body = (
        FIELD + b"v1\r\n" + FILE.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n") + b"data" + END
    )
    with Wire(site.port) as wire:
        for end in range(len(body)):
            wire.send(post("/form", body[:end], MULTIPART))
            response = wire.response("POST")
            assert response.code in (200, 400)
            assert not response.closes
    assert [record for record in site.server.take_logs() if record["traceback"]] == []


def test_server_counts_memory_of_whole_form(site: LiveSite) -> None:
    """P44: each field is below the limit, their sum isn't."""
    parts = [FIELD + b"x" * 600_000 + b"\r\n" for _ in range(100)]
    assert send_form(site, [*parts, b"--b--\r\n"], sum(map(len, parts)) + 7) == 413


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="b',
        "multipart/form-data; boundary=\xff",
        "multipart/form-data; boundary=a; boundary=b",
        "application/x-www-form-urlencoded; charset=nonsense",
        "application/x-www-form-urlencoded; charset=utf-16",
        "\xff/\xfe",
        ";;;",
        "multipart/mixed; boundary=b",
    ],
)
def test_server_survives_odd_content_type(site: LiveSite, content_type: str) -> None:
    response = ask(site.port, post("/form", FIELD + b"v" + END, f"Content-Type: {content_type}"))
    assert response.code in (200, 400)
    assert [record for record in site.server.take_logs() if record["traceback"]] == []


@pytest.mark.parametrize(
    "data", [b"&" * MIB, b"=" * MIB, b"%" * MIB, b"%4" * MIB, b";" * MIB, b"a=%zz&" * 500, b"\xff" * MIB]
)
def test_server_reads_odd_urlencoded_form_in_linear_time(site: LiveSite, data: bytes) -> None:
    began = time.perf_counter()
    response = ask(site.port, post("/form", data, "Content-Type: application/x-www-form-urlencoded"))
    assert response.code in (200, 400, 413)
    assert time.perf_counter() - began < 1


def test_server_reads_large_query_in_linear_time(site: LiveSite) -> None:
    for query in ("&" * 8000, "a=b&" * 2000, "%" * 8000):
        began = time.perf_counter()
        assert ask(site.port, post(f"/form?{query}", b"")).code in (200, 400, 413)
        assert time.perf_counter() - began < 0.2
