"""The page that lists a directory."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sennit.web.server import Site
from sennit.web.static import DirectoryLister, File, formatFileSize
from sennit.web.testing import TestClient


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for number, (name, size) in enumerate((("b.txt", 2000), ("a.html", 10), ("C.tar.gz", 3 << 20))):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (1_000_000_000 + number, 1_000_000_000 + number))
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "ape").write_bytes(b"")
    return tmp_path


@pytest.fixture
def client(directory: Path) -> Iterator[TestClient]:
    with TestClient(Site(File(str(directory)))) as client:
        yield client


def names_in(page: str) -> list[str]:
    return re.findall(r'<td class="name"><a href="[^"]*">([^<]*)</a>', page)


def test_listing_shows_what_is_there(client: TestClient) -> None:
    response = client.get("/")
    page = response.text
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert "<title>Directory listing for /</title>" in page
    assert names_in(page) == ["zoo/", "a.html", "b.txt", "C.tar.gz"]
    for shown in ("[Directory]", "[text/plain]", "[gzip]", ">1K<", ">3M<", ">10B<", "2001-09-09 01:46"):
        assert shown in page
    assert 'title="2000 bytes"' in page
    assert 'datetime="2001-09-09T01:46:40Z"' in page
    assert re.findall(r'<tr class="(\w+)">', page) == ["odd", "even", "odd", "even"]


def test_listing_needs_nothing_from_elsewhere(client: TestClient) -> None:
    response = client.get("/")
    assert "prefers-color-scheme: dark" in response.text
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", response.text)
    assert "default-src 'none'" in (response.header("Content-Security-Policy") or "")
    assert response.header("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?sort=name", ["a.html", "b.txt", "C.tar.gz"]),
        ("?sort=name&order=desc", ["C.tar.gz", "b.txt", "a.html"]),
        ("?sort=size", ["a.html", "b.txt", "C.tar.gz"]),
        ("?sort=size&order=desc", ["C.tar.gz", "b.txt", "a.html"]),
        ("?sort=date", ["b.txt", "a.html", "C.tar.gz"]),
        ("?sort=type", ["C.tar.gz", "a.html", "b.txt"]),
        ("?sort=<script>&order=desc", ["a.html", "b.txt", "C.tar.gz"]),
        ("?sort=&order=", ["a.html", "b.txt", "C.tar.gz"]),
    ],
)
def test_listing_is_sorted_as_asked(client: TestClient, query: str, names: list[str]) -> None:
    page = client.get("/" + query).text
    assert names_in(page) == ["zoo/", *names]
    assert "<script" not in page


def test_headings_link_to_orders(client: TestClient) -> None:
    page = client.get("/?sort=size&order=desc").text
    assert '<th class="size" aria-sort="descending"><a href="?sort=size&amp;order=asc">' in page
    assert '<a href="?sort=date&amp;order=desc">' in page
    assert '<a href="?sort=name&amp;order=asc">' in page


def test_subdirectory_links_to_parent(client: TestClient) -> None:
    assert names_in(client.get("/zoo/").text) == ["../", "ape"]
    assert "../" not in client.get("/").text


def test_listing_leaves_out_what_is_not_served(client: TestClient, directory: Path) -> None:
    (directory / "leak").symlink_to("/etc/passwd")
    (directory / "broken").symlink_to("nowhere")
    (directory / "good").symlink_to("a.html")
    with open(os.fsencode(directory) + b"/\xff\xfe", "wb"):
        pass
    assert names_in(client.get("/").text) == ["zoo/", "a.html", "b.txt", "C.tar.gz", "good"]


def test_head_of_listing_has_its_length(client: TestClient) -> None:
    response = client.head("/")
    assert (response.code, response.body) == (200, b"")
    assert response.header("Content-Length") == client.get("/").header("Content-Length")


def test_listing_has_no_children(client: TestClient) -> None:
    assert client.get("//a.html").code == 404


def test_unreadable_directory_is_forbidden(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert client.get("/").code == 403


def test_lister_stands_alone(directory: Path) -> None:
    lister = DirectoryLister(str(directory), ["b.txt", "gone"])
    lister.isLeaf = True
    lister.linePattern = "<%(class)s %(href)s %(text)s %(size)s %(type)s %(encoding)s>"
    lister.template = "100%%: %(header)s %(tableContent)s"
    with TestClient(Site(lister)) as client:
        assert client.get("/<p>").text == (
            "100%: Directory listing for /&lt;p&gt; <odd b.txt b.txt 1K [text/plain] >"
        )


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1K"), (2047, "1K"), (1 << 20, "1M"), ((5 << 30) - 1, "4G")],
)
def test_size_is_rounded_down(size: int, text: str) -> None:
    assert formatFileSize(size) == text
