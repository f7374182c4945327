"""Compressed siblings: which is sent, and which are not."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sennit.web._static_variants import preferredCoding
from sennit.web.server import Site
from sennit.web.static import File
from sennit.web.testing import Response, TestClient

OFFERED = ["br", "zstd", "gzip"]


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, "identity"),
        (b"", "identity"),
        (b"gzip", "gzip"),
        (b"x-gzip", "gzip"),
        (b"GZIP", "gzip"),
        (b"gzip, deflate, br, zstd", "br"),
        (b"gzip;q=1.0, br;q=0.5", "gzip"),
        (b"gzip;q=0.5, br;q=0.50", "br"),
        (b"*", "br"),
        (b"br;q=0, *", "zstd"),
        (b"*;q=0", "identity"),
        (b"gzip;q=0", "identity"),
        (b"gzip;q=nonsense", "identity"),
        (b"deflate", "identity"),
        (b"identity, gzip;q=0.5", "identity"),
        (b"identity;q=0.5, gzip", "gzip"),
        (b"identity;q=0, gzip;q=0.1", "gzip"),
        (b"identity;q=0", "identity"),
        (b"gzip," * 500 + b"br;q=0.1", "gzip"),
    ],
)
def test_coding_follows_weights(accept: bytes | None, coding: str) -> None:
    assert preferredCoding(accept, OFFERED) == coding


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, content in (
        ("a.css", b"plain"),
        ("a.css.br", b"BR"),
        ("a.css.gz", b"GZIP"),
        ("b.css", b"alone"),
    ):
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def client(directory: Path) -> Iterator[TestClient]:
    with TestClient(Site(File(str(directory)))) as client:
        yield client


def get(client: TestClient, accept: str, **headers: str) -> Response:
    return client.get("/a.css", headers={"Accept-Encoding": accept, **headers})


@pytest.mark.parametrize(("accept", "body", "coding"), [("br", b"BR", "br"), ("gzip", b"GZIP", "gzip")])
def test_sibling_is_sent_in_place_of_file(client: TestClient, accept: str, body: bytes, coding: str) -> None:
    response = get(client, accept)
    assert (response.code, response.body) == (200, body)
    assert response.header("Content-Encoding") == coding
    assert response.header("Content-Type") == "text/css; charset=utf-8"
    assert response.header("Vary") == "Accept-Encoding"
    assert response.header("Content-Length") == str(len(body))


@pytest.mark.parametrize("headers", [{}, {"Accept-Encoding": "identity"}, {"Accept-Encoding": "zstd"}])
def test_file_with_siblings_always_varies(client: TestClient, headers: dict[str, str]) -> None:
    response = client.get("/a.css", headers=headers)
    assert (response.body, response.header("Content-Encoding")) == (b"plain", None)
    assert response.header("Vary") == "Accept-Encoding"


def test_several_headers_are_one_list(client: TestClient) -> None:
    response = client.get("/a.css", headers={"Accept-Encoding": ["br;q=0.1", "gzip"]})
    assert response.body == b"GZIP"


def test_file_without_siblings_does_not_vary(client: TestClient) -> None:
    response = client.get("/b.css", headers={"Accept-Encoding": "gzip"})
    assert (response.body, response.header("Vary")) == (b"alone", None)


def test_each_variant_has_its_own_tag(client: TestClient) -> None:
    tags = {get(client, accept).header("ETag") for accept in ("identity", "gzip", "br")}
    assert len(tags) == 3
    assert None not in tags
    tag = get(client, "gzip").header("ETag") or ""
    assert get(client, "gzip", **{"If-None-Match": tag}).code == 304
    assert get(client, "gzip", **{"If-None-Match": tag}).header("Vary") == "Accept-Encoding"
    assert get(client, "br", **{"If-None-Match": tag}).code == 200


def test_range_is_of_what_is_sent(client: TestClient) -> None:
    response = get(client, "gzip", Range="bytes=1-2")
    assert (response.code, response.body, response.header("Content-Range")) == (206, b"ZI", "bytes 1-2/4")


def test_sibling_older_than_file_is_not_sent(client: TestClient, directory: Path) -> None:
    os.utime(directory / "a.css.br", (1000, 1000))
    assert get(client, "br").body == b"plain"


def test_sibling_that_links_outside_is_not_sent(
    client: TestClient, directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("outside") / "secret"
    secret.write_bytes(b"SECRET")
    (directory / "b.css.gz").symlink_to(secret)
    assert client.get("/b.css", headers={"Accept-Encoding": "gzip"}).body == b"alone"


def test_siblings_can_be_turned_off(directory: Path) -> None:
    root = File(str(directory))
    root.precompressed = {}
    with TestClient(Site(root)) as client:
        response = get(client, "gzip")
    assert (response.body, response.header("Vary")) == (b"plain", None)


def test_sibling_asked_for_by_name_has_its_encoding(client: TestClient) -> None:
    response = client.get("/a.css.gz")
    assert (response.body, response.header("Content-Encoding")) == (b"GZIP", "gzip")
    assert (response.header("Content-Type"), response.header("Vary")) == ("text/css; charset=utf-8", None)


def test_vary_of_program_stays(directory: Path) -> None:
    class Wary(File):
        def render_GET(self, request: object) -> object:
            request.setHeader("Vary", "Cookie")  # type: ignore[attr-defined]
            return File.render_GET(self, request)  # type: ignore[arg-type]

    with TestClient(Site(Wary(str(directory)))) as client:
        assert get(client, "br").headers.getRawHeaders("vary") == ["Cookie", "Accept-Encoding"]
