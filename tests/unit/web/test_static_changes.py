"""Files that change while they are served, and contents that are kept in memory."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sennit._engine import FileBody
from sennit.web import _static_body
from sennit.web._static_body import OpenedFile, Part, keptFile
from sennit.web.server import Site
from sennit.web.static import File
from sennit.web.testing import BrokenResponse, TestClient
from tests.unit.web.doubles import Calls

LONG_AGO = 1_000_000
# As much as a connection without a socket gives at a time.
PIECE = 128 << 10


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(Site(File(str(tmp_path)))) as client:
        yield client


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once: the time of their last change of any kind can't be set."""
    monkeypatch.setattr(_static_body, "_SETTLED", -1.0)


class TestChanges:
    def test_file_that_shrinks_cuts_the_response(self, client: TestClient, tmp_path: Path) -> None:
        (tmp_path / "big").write_bytes(b"b" * 8 * PIECE)
        with client.stream("GET", "/big") as response:
            pieces = response.pieces()
            received = len(next(pieces))
            os.truncate(tmp_path / "big", PIECE)
            with pytest.raises(BrokenResponse):
                received += sum(len(piece) for piece in pieces)
        assert response.headers.getRawHeaders("content-length") == [str(8 * PIECE)]

    def test_file_that_grows_is_sent_as_announced(self, client: TestClient, tmp_path: Path) -> None:
        (tmp_path / "big").write_bytes(b"b" * 8 * PIECE)
        with client.stream("GET", "/big") as response:
            pieces = response.pieces()
            received = next(pieces)
            with (tmp_path / "big").open("ab") as file:
                file.write(b"more" * PIECE)
            received += b"".join(pieces)
        assert received == b"b" * 8 * PIECE

    def test_file_that_is_replaced_is_sent_as_it_was(self, client: TestClient, tmp_path: Path) -> None:
        (tmp_path / "big").write_bytes(b"b" * 8 * PIECE)
        (tmp_path / "new").write_bytes(b"n" * 8 * PIECE)
        with client.stream("GET", "/big") as response:
            pieces = response.pieces()
            received = next(pieces)
            (tmp_path / "new").replace(tmp_path / "big")
            received += b"".join(pieces)
        assert received == b"b" * 8 * PIECE

    def test_parts_of_file_that_shrinks_are_cut(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"0123456789")
        file = OpenedFile(str(tmp_path / "f"))
        body = file.parts([Part(b"[", 0, 4), Part(b"|", 6, 4), Part(b"]", 0, 0)])
        os.truncate(tmp_path / "f", 2)
        assert list(body) == [b"[", b"01"]

    def test_small_file_that_shrinks_is_no_body(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"0123456789")
        file = OpenedFile(str(tmp_path / "f"))
        os.truncate(tmp_path / "f", 5)
        body = file.body(0, 10)
        assert isinstance(body, FileBody)
        assert list(body) == [b"01234"]

    def test_file_swapped_before_opening_is_looked_at_again(
        self, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "f").write_bytes(b"old")
        (tmp_path / "secret").write_bytes(b"new")
        os.symlink("/etc/hostname", tmp_path / "evil")
        swaps = {"f": "secret"}

        def opened(self: Any, path: str) -> None:
            name = os.path.basename(path)
            if name in swaps:
                os.replace(tmp_path / swaps.pop(name), path)
            original(self, path)

        original = OpenedFile.__init__
        monkeypatch.setattr(OpenedFile, "__init__", opened)
        assert client.get("/f").body == b"new"
        swaps["f"] = "evil"
        assert client.get("/f").code == 404

    def test_descriptor_is_closed_however_it_ends(self, client: TestClient, tmp_path: Path) -> None:
        (tmp_path / "big").write_bytes(b"b" * 8 * PIECE)
        (tmp_path / "small").write_bytes(b"s")
        client.get("/small")
        before = open_descriptors()
        for headers in (
            {},
            {"Range": "bytes=0-0,2-99999"},
            {"Range": "bytes=99999999-"},
            {"If-Match": '"x"'},
        ):
            client.get("/big", headers=headers)
            client.get("/small", headers=headers)
        client.head("/big")
        with client.stream("GET", "/big") as response:
            next(response.pieces())
            response.disconnect()
        assert open_descriptors() == before

    def test_body_that_nobody_takes_is_closed(self, tmp_path: Path) -> None:
        (tmp_path / "big").write_bytes(b"b" * 2 * PIECE)
        before = open_descriptors()
        body = OpenedFile(str(tmp_path / "big")).body(0, 2 * PIECE)
        assert isinstance(body, FileBody)
        body.close()
        body.close()
        assert open_descriptors() == before
        assert list(body) == []

    @pytest.mark.parametrize("path", ["/dev/null", "/"])
    def test_what_is_no_file_is_not_opened(self, path: str) -> None:
        before = open_descriptors()
        with pytest.raises(OSError):
            OpenedFile(path)
        assert open_descriptors() == before


@pytest.mark.usefixtures("settled")
class TestKept:
    def test_content_is_kept_until_file_changes(self, client: TestClient, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(b"one")
        first = client.get("/f")
        kept = keptFile(str(path), os.stat(path))
        assert kept is not None
        assert kept.body(0, 3) == b"one"
        again = client.get("/f")
        assert (again.body, again.header("ETag")) == (b"one", first.header("ETag"))
        path.write_bytes(b"two")
        os.utime(path, (LONG_AGO, LONG_AGO))
        assert client.get("/f").body == b"two"

    def test_kept_content_has_ranges(self, client: TestClient, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"0123456789")
        client.get("/f")
        assert client.get("/f", headers={"Range": "bytes=2-4"}).body == b"234"
        response = client.get("/f", headers={"Range": "bytes=2-4,6-6"})
        assert len(response.body) == int(response.header("Content-Length") or 0)
        assert b"\r\n\r\n234\r\n--" in response.body
        assert client.head("/f").header("Content-Length") == "10"

    def test_removed_file_is_gone(self, client: TestClient, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"x")
        assert client.get("/f").code == 200
        (tmp_path / "f").unlink()
        assert client.get("/f").code == 404

    def test_memory_is_bounded(
        self, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_static_body, "_kept", {})
        monkeypatch.setattr(_static_body, "_keptBytes", 0)
        monkeypatch.setattr(_static_body, "_MAX_KEPT_BYTES", 10_000)
        for number in range(20):
            (tmp_path / f"f{number}").write_bytes(b"x" * 1000)
            client.get(f"/f{number}")
        assert 0 < _static_body._keptBytes <= 10_000
        assert list(_static_body._kept)[-1] == str(tmp_path / "f19")
        for number in range(20):
            (tmp_path / f"f{number}").write_bytes(b"y")
            keptFile(str(tmp_path / f"f{number}"), os.stat(tmp_path / f"f{number}"))
        assert _static_body._keptBytes == 0


def test_file_that_has_just_changed_is_not_kept(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    client.get("/f")
    assert keptFile(str(tmp_path / "f"), os.stat(tmp_path / "f")) is None


@pytest.mark.usefixtures("settled")
def test_new_compressed_sibling_is_found_in_time(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_static_body, "_ALONE", 0.1)
    (tmp_path / "f").write_bytes(b"plain")
    for _ in range(2):
        assert client.get("/f", headers={"Accept-Encoding": "gzip"}).body == b"plain"
    (tmp_path / "f.gz").write_bytes(b"GZIP")
    time.sleep(0.15)
    assert client.get("/f", headers={"Accept-Encoding": "gzip"}).body == b"GZIP"


@pytest.mark.usefixtures("settled")
def test_kept_answer_follows_attributes(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"x")
    root = client.site.resource
    first = client.get("/f.txt")
    again = client.get("/f.txt")
    for name in ("ETag", "Last-Modified", "Content-Type", "Content-Length", "Accept-Ranges"):
        assert again.header(name) == first.header(name)
    root.cacheControl, root.charset = "no-store", "latin-1"
    changed = client.get("/f.txt")
    assert changed.header("Cache-Control") == "no-store"
    assert changed.header("Content-Type") == "text/plain; charset=latin-1"
    root.cacheControl = None
    assert client.get("/f.txt").header("Cache-Control") is None
    assert client.get("/f.txt", headers={"If-None-Match": first.header("ETag") or ""}).code == 304


def test_attributes_set_after_first_request_count(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "f.txt").write_bytes(b"x")
    root = client.site.resource
    assert client.get("/sub/f.txt").header("Cache-Control") is None
    root.cacheControl = "no-store"
    assert client.get("/sub/f.txt").header("Cache-Control") == "no-store"
    del root.cacheControl
    assert client.get("/sub/f.txt").header("Cache-Control") is None
    root.indexNames.insert(0, "f.txt")
    assert client.get("/sub/").body == b"x"
    root.processors[".txt"] = lambda path, registry: Calls(lambda request: b"processed")
    assert client.get("/sub/f.txt").body == b"processed"
    root.allowSymlinks = True
    os.symlink("/etc", tmp_path / "sub" / "etc")
    assert client.get("/sub/etc/hostname").code == 200
    root.allowSymlinks = False
    assert client.get("/sub/etc/hostname").code == 404


def test_name_that_becomes_a_directory_or_a_link_is_seen(client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    assert client.get("/f").code == 200
    path.unlink()
    path.mkdir()
    assert client.get("/f").code == 302
    path.rmdir()
    path.symlink_to("/etc/passwd")
    assert client.get("/f").code == 404
    path.unlink()
    assert client.get("/f").code == 404


def test_number_of_known_names_is_bounded(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sennit.web.static._MAX_MADE", 3)
    for number in range(10):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / "f").write_bytes(b"%d" % number)
        for _ in range(2):
            assert client.get(f"/d{number}/f").body == b"%d" % number
    assert len(client.site.resource._made) <= 3


def test_plain_file_is_made_once(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "f.txt").write_bytes(b"x")
    (tmp_path / "g.txt").write_bytes(b"y")
    made = client.site.resource._made
    client.get("/sub/f.txt")
    before = dict(made)
    client.get("/g.txt")
    client.get("/sub/f.txt")
    assert len(before) == 2
    assert {key: made[key] for key in before} == before
    assert all(made[key] is before[key] for key in before)
