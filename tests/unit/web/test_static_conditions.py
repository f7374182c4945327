"""Conditional and range requests to a file: RFC 9110 sections 13 and 14 as a table."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sennit.web.server import Site
from sennit.web.static import File
from sennit.web.testing import Response, TestClient

WHEN = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Mon, 07 Nov 1994 08:49:37 GMT"
SECONDS = 784111777
CONTENT = b"0123456789"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "f").write_bytes(CONTENT)
    os.utime(tmp_path / "f", (SECONDS, SECONDS + 0.5))
    with TestClient(Site(File(str(tmp_path)))) as client:
        yield client


def tag_of(client: TestClient) -> str:
    tag = client.get("/f").header("ETag")
    assert tag is not None
    return tag


def ask(client: TestClient, method: str, **headers: str) -> Response:
    """`TAG` in a header stands for the file's tag."""
    tag = tag_of(client)
    fields = {name.replace("_", "-"): value.replace("TAG", tag) for name, value in headers.items()}
    return client.request(method, "/f", headers=fields)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"If_None_Match": "TAG"}, 304),
        ({"If_None_Match": "W/TAG"}, 304),
        ({"If_None_Match": '"a", TAG, "b"'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_Match": "TAG"}, 200),
        ({"If_Match": '"a", TAG'}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": "W/TAG"}, 412),
        ({"If_Match": '"other"'}, 412),
        ({"If_Modified_Since": WHEN}, 304),
        ({"If_Modified_Since": AFTER}, 304),
        ({"If_Modified_Since": BEFORE}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_Unmodified_Since": WHEN}, 200),
        ({"If_Unmodified_Since": BEFORE}, 412),
        # Section 13.2.2: the order in which they count.
        ({"If_None_Match": '"other"', "If_Modified_Since": WHEN}, 200),
        ({"If_None_Match": "TAG", "If_Modified_Since": BEFORE}, 304),
        ({"If_Match": "TAG", "If_Unmodified_Since": BEFORE}, 200),
        ({"If_Match": '"other"', "If_Unmodified_Since": WHEN}, 412),
        ({"If_Match": '"other"', "If_None_Match": "TAG"}, 412),
        ({"If_Match": '"other"', "If_Modified_Since": WHEN}, 412),
        ({"If_Match": "TAG", "If_None_Match": "TAG"}, 304),
        ({"If_Unmodified_Since": BEFORE, "If_None_Match": "TAG"}, 412),
        ({"If_Unmodified_Since": BEFORE, "If_Modified_Since": WHEN}, 412),
        ({"If_Unmodified_Since": WHEN, "If_Modified_Since": WHEN}, 304),
    ],
)
def test_conditions_are_met_in_order(
    client: TestClient, method: str, headers: dict[str, str], code: int
) -> None:
    response = ask(client, method, **headers)
    assert response.code == code
    assert response.body == (CONTENT if code == 200 and method == "GET" else b"")
    assert response.header("ETag") == tag_of(client)
    assert code == 412 or response.header("Last-Modified") == WHEN
    if code == 304:
        assert response.header("Content-Type") is None


@pytest.mark.parametrize(
    ("header", "code", "body", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-100", 206, CONTENT, "bytes 0-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=1-1,20-30", 206, b"1", "bytes 1-1/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=20-30,40-50", 416, b"", "bytes */10"),
        ("bytes=5-2", 200, CONTENT, None),
        ("bytes=", 200, CONTENT, None),
        ("lines=1-2", 200, CONTENT, None),
        ("bytes=0-5,3-8", 200, CONTENT, None),
    ],
)
def test_range_is_answered(
    client: TestClient, header: str, code: int, body: bytes, content_range: str | None
) -> None:
    response = client.get("/f", headers={"Range": header})
    assert (response.code, response.body, response.header("Content-Range")) == (code, body, content_range)
    assert response.header("Content-Length") == str(len(body))
    assert (response.header("Content-Type") is None) is (code == 416)


def test_ranges_are_answered_in_parts(client: TestClient) -> None:
    response = client.get("/f", headers={"Range": "bytes=5-6,0-1,50-60,-1"})
    assert (response.code, response.header("Content-Range")) == (206, None)
    found = re.fullmatch(r'multipart/byteranges; boundary="(\w+)"', response.header("Content-Type") or "")
    assert found is not None
    boundary = found[1].encode()
    head = b"\r\n--%b\r\nContent-type: text/html; charset=utf-8\r\nContent-range: bytes %b/10\r\n\r\n%b"
    parts = [(b"5-6", b"56"), (b"0-1", b"01"), (b"9-9", b"9")]
    expected = b"".join(head % (boundary, span, data) for span, data in parts)
    assert response.body == expected + b"\r\n--%b--\r\n" % boundary
    assert response.header("Content-Length") == str(len(response.body))


def test_large_ranges_are_answered_in_parts(client: TestClient, tmp_path: Path) -> None:
    content = os.urandom(1_000_000)
    (tmp_path / "big").write_bytes(content)
    response = client.get("/big", headers={"Range": "bytes=0-399999,500000-999999"})
    assert response.code == 206
    assert content[:400_000] in response.body
    assert content[500_000:] in response.body
    assert len(response.body) == int(response.header("Content-Length") or 0)


def test_more_ranges_than_allowed_get_the_whole(client: TestClient) -> None:
    client.site.resource.maxRanges = 2
    assert client.get("/f", headers={"Range": "bytes=0-0,2-2"}).code == 206
    assert client.get("/f", headers={"Range": "bytes=0-0,2-2,4-4"}).body == CONTENT


@pytest.mark.parametrize(
    ("condition", "code"),
    [("TAG", 206), ("W/TAG", 200), ('"other"', 200), (WHEN, 206), (BEFORE, 200), (AFTER, 200), ("junk", 200)],
)
def test_if_range_decides_between_part_and_whole(client: TestClient, condition: str, code: int) -> None:
    response = ask(client, "GET", Range="bytes=0-1", If_Range=condition)
    assert (response.code, response.body) == (code, b"01" if code == 206 else CONTENT)


def test_if_range_without_range_is_ignored(client: TestClient) -> None:
    assert ask(client, "GET", If_Range="TAG").code == 200


def test_conditions_go_before_range(client: TestClient) -> None:
    assert ask(client, "GET", Range="bytes=0-1", If_None_Match="TAG").code == 304
    assert ask(client, "GET", Range="bytes=50-", If_Match='"other"').code == 412


def test_head_knows_no_range(client: TestClient) -> None:
    response = ask(client, "HEAD", Range="bytes=0-1")
    assert (response.code, response.header("Content-Length")) == (200, "10")


def test_date_in_the_future_is_not_told(client: TestClient, tmp_path: Path) -> None:
    os.utime(tmp_path / "f", (4102444800, 4102444800))
    response = client.get("/f")
    assert "2100" not in (response.header("Last-Modified") or "")
    assert client.get("/f", headers={"If-Modified-Since": WHEN}).code == 200


def test_tag_changes_with_content(client: TestClient, tmp_path: Path) -> None:
    before = tag_of(client)
    (tmp_path / "f").write_bytes(b"9876543210")
    assert tag_of(client) != before
    (tmp_path / "g").write_bytes(CONTENT)
    os.utime(tmp_path / "g", ns=(0, os.stat(tmp_path / "f").st_mtime_ns))
    before = tag_of(client)
    (tmp_path / "g").replace(tmp_path / "f")
    assert tag_of(client) != before
