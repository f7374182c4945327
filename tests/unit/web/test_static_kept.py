"""Files whose answers the engine gives again by itself: only while what they depend on is the same."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sennit._engine import FileAnswer, FileBody, FileCache
from sennit.web import _static_body
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import Data, File
from sennit.web.testing import TestClient
from tests.unit.web.doubles import Calls

Looks = Callable[[], int]
LARGE = 3 * _static_body.WHOLE


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once, and nothing is kept from other tests."""
    monkeypatch.setattr(_static_body, "_SETTLED", -1.0)
    for path in list(_static_body._kept):
        _static_body._drop(path)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """How often Python has looked for a file since the last call."""
    from sennit.web import static

    count = 0
    look = static.look

    def counted(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return look(*arguments)

    def since() -> int:
        nonlocal count
        seen, count = count, 0
        return seen

    monkeypatch.setattr(static, "look", counted)
    return since


@pytest.fixture
def root(tmp_path: Path) -> File:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "small.txt").write_bytes(b"small")
    (tmp_path / "sub" / "large.bin").write_bytes(b"l" * LARGE)
    (tmp_path / "sub" / "a b\u00e9.txt").write_bytes(b"odd name")
    return File(str(tmp_path))


@pytest.fixture
def client(root: File) -> Iterator[TestClient]:
    with TestClient(Site(root)) as client:
        yield client


def warm(client: TestClient, path: str) -> bytes:
    """Ask until the answer is kept: the first time reads the file, the second makes the answer."""
    for _ in range(3):
        body = client.get(path).body
    return body


class TestAgain:
    @pytest.mark.parametrize("name", ["small.txt", "large.bin"])
    def test_second_answer_is_the_same_without_python(
        self, client: TestClient, looks: Looks, name: str
    ) -> None:
        first = client.get(f"/sub/{name}")
        warm(client, f"/sub/{name}")
        assert looks() > 0
        again = client.get(f"/sub/{name}")
        assert looks() == 0
        assert (again.code, again.body) == (first.code, first.body)
        fields = [list(answer.headers.getAllRawHeaders()) for answer in (first, again)]
        for each in fields:
            each[:] = [field for field in each if field[0] != b"Date"]
        assert fields[0] == fields[1], "other headers, or in another order"

    def test_quoted_names_and_queries_are_kept_too(self, client: TestClient, looks: Looks) -> None:
        path = "/sub/a%20b%C3%A9.txt?version=2"
        assert warm(client, path) == b"odd name"
        looks()
        assert client.get(path).body == b"odd name"
        assert looks() == 0

    def test_resource_of_a_single_file_is_kept(self, tmp_path: Path, looks: Looks) -> None:
        (tmp_path / "logo").write_bytes(b"logo")
        parent = Resource()
        parent.putChild("mark", File(str(tmp_path / "logo")))
        with TestClient(Site(parent)) as client:
            assert warm(client, "/mark") == b"logo"
            looks()
            assert client.get("/mark").body == b"logo"
            assert looks() == 0

    def test_client_that_has_it_is_told_without_python(self, client: TestClient, looks: Looks) -> None:
        etag = client.get("/sub/small.txt").header("ETag") or ""
        first = client.get("/sub/small.txt", headers={"If-None-Match": etag})
        warm(client, "/sub/small.txt")
        looks()
        for condition in (etag, f"W/{etag}"):
            fields = {"If-None-Match": condition, "If-Modified-Since": "Thu, 01 Jan 1970 00:00:01 GMT"}
            again = client.get("/sub/small.txt", headers=fields)
            assert looks() == 0
            assert (again.code, again.body) == (first.code, b"") == (304, b"")
            names = [[name for name, _ in each.headers.getAllRawHeaders()] for each in (first, again)]
            assert names[0] == names[1], "other headers, or in another order"

    @pytest.mark.parametrize(("condition", "code"), [('"x"', 200), ('"x", {}', 304), ("*", 304), ("", 200)])
    def test_other_tags_are_compared_by_python(
        self, client: TestClient, looks: Looks, condition: str, code: int
    ) -> None:
        etag = client.get("/sub/small.txt").header("ETag") or ""
        warm(client, "/sub/small.txt")
        looks()
        headers = {"If-None-Match": condition.format(etag)}
        assert client.get("/sub/small.txt", headers=headers).code == code
        assert looks() > 0

    def test_conditions_and_ranges_are_still_answered(self, client: TestClient) -> None:
        warm(client, "/sub/small.txt")
        etag = client.get("/sub/small.txt").header("ETag") or ""
        assert client.get("/sub/small.txt", headers={"If-None-Match": etag}).code == 304
        assert client.get("/sub/small.txt", headers={"If-Match": '"x"'}).code == 412
        assert client.get("/sub/small.txt", headers={"Range": "bytes=1-2"}).body == b"ma"
        date = client.get("/sub/small.txt").header("Last-Modified") or ""
        assert client.get("/sub/small.txt", headers={"If-Modified-Since": date}).code == 304
        assert client.get("/sub/small.txt", headers={"If-Unmodified-Since": date}).code == 200
        assert client.head("/sub/small.txt").body == b""
        assert client.request("POST", "/sub/small.txt").code == 405

    def test_ranges_of_a_file_that_is_kept_open(self, client: TestClient) -> None:
        warm(client, "/sub/large.bin")
        answer = client.get("/sub/large.bin", headers={"Range": "bytes=5-20004"})
        assert (answer.code, answer.body) == (206, b"l" * 20_000)
        parts = client.get("/sub/large.bin", headers={"Range": "bytes=0-1,4-5"})
        assert (parts.code, parts.body.count(b"\r\n\r\nll\r\n")) == (206, 2)

    def test_access_log_has_path_and_length(self, root: File, tmp_path: Path) -> None:
        lines = []

        def formatter(timestamp: str, request: Any) -> str:
            lines.append((request.prepath, request.postpath, request.code, request.sentLength))
            return ""

        site = Site(root, logPath=str(tmp_path / "log"), logFormatter=formatter)
        site.startFactory()
        with TestClient(site) as client:
            warm(client, "/sub/small.txt")
            client.get("/sub/small.txt")
        site.stopFactory()
        assert len(lines) == 4
        assert lines[-1] == lines[0] == ([b"sub", b"small.txt"], [], 200, 5)

    def test_headers_set_on_the_way_are_sent(self, root: File) -> None:
        class Way(Resource):
            def getChild(self, path: bytes, request: Any) -> Any:
                request.setHeader("X-Way", "gone")
                return root

        with TestClient(Site(Way())) as client:
            for path in ("/x/sub/small.txt", "/x/sub/large.bin"):
                warm(client, path)
                answer = client.get(path)
                assert (answer.header("X-Way"), answer.header("Accept-Ranges")) == ("gone", "bytes")
                assert len(answer.body) == int(answer.header("Content-Length") or 0)


@pytest.mark.parametrize("name", ["small.txt", "large.bin"])
class TestChanges:
    def test_content_that_changes_is_seen(self, client: TestClient, tmp_path: Path, name: str) -> None:
        warm(client, f"/sub/{name}")
        (tmp_path / "sub" / name).write_bytes(b"other")
        os.utime(tmp_path / "sub" / name, (1, 1))
        assert client.get(f"/sub/{name}").body == b"other"

    def test_condition_is_compared_with_what_is_there_now(
        self, client: TestClient, tmp_path: Path, name: str
    ) -> None:
        warm(client, f"/sub/{name}")
        etag = client.get(f"/sub/{name}").header("ETag") or ""
        (tmp_path / "sub" / name).write_bytes(b"other")
        answer = client.get(f"/sub/{name}", headers={"If-None-Match": etag})
        assert (answer.code, answer.body) == (200, b"other")

    def test_file_in_its_place_is_seen(self, client: TestClient, tmp_path: Path, name: str) -> None:
        body = warm(client, f"/sub/{name}")
        info = os.stat(tmp_path / "sub" / name)
        (tmp_path / "new").write_bytes(b"n" * len(body))
        os.utime(tmp_path / "new", ns=(info.st_atime_ns, info.st_mtime_ns))
        (tmp_path / "new").replace(tmp_path / "sub" / name)
        assert client.get(f"/sub/{name}").body == b"n" * len(body)

    def test_removed_file_is_gone(self, client: TestClient, tmp_path: Path, name: str) -> None:
        warm(client, f"/sub/{name}")
        (tmp_path / "sub" / name).unlink()
        assert client.get(f"/sub/{name}").code == 404
        (tmp_path / "sub" / name).mkdir()
        assert client.get(f"/sub/{name}").code == 302

    def test_links_that_lead_out_are_not_followed(
        self, client: TestClient, tmp_path: Path, name: str
    ) -> None:
        outside = tmp_path.parent / f"{tmp_path.name}-outside"
        outside.mkdir()
        (outside / name).write_bytes(b"secret")
        warm(client, f"/sub/{name}")
        (tmp_path / "sub" / name).unlink()
        (tmp_path / "sub" / name).symlink_to(outside / name)
        assert client.get(f"/sub/{name}").code == 404
        (tmp_path / "sub").rename(tmp_path / "old")
        (tmp_path / "sub").symlink_to(outside)
        assert client.get(f"/sub/{name}").code == 404


class TestWhatElseItDependsOn:
    def test_new_compressed_sibling_is_found_in_time(
        self, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: Looks
    ) -> None:
        monkeypatch.setattr(_static_body, "_ALONE", 0.3)
        warm(client, "/sub/small.txt")
        looks()
        client.get("/sub/small.txt")
        assert looks() == 0
        (tmp_path / "sub" / "small.txt.gz").write_bytes(b"GZIP")
        time.sleep(0.35)
        gzip = {"Accept-Encoding": "gzip"}
        for _ in range(3):
            assert client.get("/sub/small.txt", headers=gzip).body == b"GZIP"
            plain = client.get("/sub/small.txt")
            assert (plain.body, plain.header("Vary")) == (b"small", "Accept-Encoding")

    def test_tree_without_siblings_leaves_the_others_theirs(self, client: TestClient, tmp_path: Path) -> None:
        (tmp_path / "sub" / "small.txt.gz").write_bytes(b"GZIP")
        bare = File(str(tmp_path))
        bare.precompressed = {}
        gzip = {"Accept-Encoding": "gzip"}
        with TestClient(Site(bare)) as other:
            for _ in range(3):
                assert other.get("/sub/small.txt", headers=gzip).body == b"small"
                assert client.get("/sub/small.txt", headers=gzip).body == b"GZIP"
                assert client.get("/sub/small.txt").header("Vary") == "Accept-Encoding"

    def test_child_of_the_program_comes_first(self, client: TestClient, root: File) -> None:
        warm(client, "/sub/small.txt")
        root.putChild("sub", Data(b"mine", "text/plain"))
        assert client.get("/sub").body == b"mine"
        assert client.get("/sub/small.txt").code == 404

    def test_processor_comes_first(self, client: TestClient, root: File) -> None:
        warm(client, "/sub/small.txt")
        root.processors[".txt"] = lambda path, registry: Calls(lambda request: b"processed")
        assert client.get("/sub/small.txt").body == b"processed"

    def test_attributes_of_the_class_count(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        warm(client, "/sub/small.txt")
        monkeypatch.setattr(File, "cacheControl", "no-store")
        assert client.get("/sub/small.txt").header("Cache-Control") == "no-store"

    def test_functions_that_are_replaced_are_called(
        self, client: TestClient, root: File, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        warm(client, "/sub/small.txt")
        with monkeypatch.context() as patched:
            patched.setattr(File, "getChild", lambda self, path, request: Data(b"class", "text/plain"))
            assert client.get("/sub").body == b"class"
        assert warm(client, "/sub/small.txt") == b"small"
        root.getChild = lambda path, request: Data(b"instance", "text/plain")  # type: ignore[method-assign]
        assert client.get("/sub").body == b"instance"

    def test_subclass_is_asked_each_time(self, tmp_path: Path) -> None:
        class Counting(File):
            asked = 0

            def getChild(self, path: bytes | str, request: Any) -> Any:
                Counting.asked += 1
                return super().getChild(path, request)

        (tmp_path / "f").write_bytes(b"x")
        with TestClient(Site(Counting(str(tmp_path)))) as client:
            for _ in range(5):
                assert client.get("/f").body == b"x"
        assert Counting.asked == 5

    def test_index_and_ignored_extensions_are_found_anew(
        self, client: TestClient, root: File, tmp_path: Path
    ) -> None:
        root.ignoreExt(".html")
        (tmp_path / "index.html").write_bytes(b"second choice")
        (tmp_path / "page.html").write_bytes(b"page")
        assert warm(client, "/") == b"second choice"
        assert warm(client, "/page") == b"page"
        (tmp_path / "index").write_bytes(b"first choice")
        (tmp_path / "page").write_bytes(b"exact")
        assert client.get("/").body == b"first choice"
        assert client.get("/page").body == b"exact"


class TestBounds:
    def test_number_of_names_is_bounded(self, client: TestClient, root: File) -> None:
        for number in range(5000):
            client.get(f"/sub/small.txt?{number}")
        assert len(root._ready) == 1
        warm(client, "/sub/" + "%73mall.txt")
        assert len(root._ready) == 2
        long = "/sub/" + "%73%6d%61%6c%6c%2e%74%78%74"
        assert len(long) < 256
        assert warm(client, long) == b"small"
        assert len(root._ready) == 3
        warm(client, "/sub/" * 60 + "small.txt")
        assert len(root._ready) == 3

    def test_open_files_are_bounded_and_closed(
        self, client: TestClient, root: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_static_body, "_MAX_KEPT_OPEN", 3)
        client.get("/")
        before = len(os.listdir("/proc/self/fd"))
        for number in range(10):
            (tmp_path / f"{number}").write_bytes(b"%d" % number * LARGE)
            assert warm(client, f"/{number}") == b"%d" % number * LARGE
        assert len(os.listdir("/proc/self/fd")) == before + 3
        for number in range(10):
            assert client.get(f"/{number}").body == b"%d" % number * LARGE
        for path in list(_static_body._kept):
            _static_body._drop(path)
        assert len(os.listdir("/proc/self/fd")) == before
        assert client.get("/9").body == b"9" * LARGE

    def test_long_file_is_not_kept_open(self, client: TestClient, tmp_path: Path) -> None:
        (tmp_path / "long").write_bytes(b"x" * (_static_body._LONGEST_KEPT_OPEN + 1))
        client.get("/")
        before = len(os.listdir("/proc/self/fd"))
        warm(client, "/long")
        assert len(os.listdir("/proc/self/fd")) == before


class TestBoundary:
    def test_body_of_a_kept_file_is_one_range(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"0123456789")

        def opened(*parts: tuple[bytes, int, int]) -> FileBody:
            return FileBody(os.open(tmp_path / "f", os.O_RDONLY), parts)

        info = os.stat(tmp_path / "f")
        body = opened((b"", 2, 3))
        other = body.again([(b"<", 7, 2), (b">", 0, 0)])
        assert (body.length, other.length) == (3, 4)
        assert (list(body), list(other)) == ([b"234"], [b"<", b"78", b">"])
        with pytest.raises(ValueError, match="one range"):
            body.again([])
        with pytest.raises(ValueError, match="one range"):
            FileAnswer(tmp_path / "f", info, [], opened((b"x", 0, 1)))
        with pytest.raises(ValueError, match="framing"):
            FileAnswer(tmp_path / "f", info, [("Content-Length", "1")], b"")
        with pytest.raises(TypeError, match="bytes or a FileBody"):
            FileAnswer(tmp_path / "f", info, [], "text")  # type: ignore[arg-type]

    @pytest.mark.parametrize("part", [(b"", 2**63 - 1, 1), (b"", 2**64 - 1, 1)])
    def test_range_beyond_all_files_is_refused(self, tmp_path: Path, part: tuple[bytes, int, int]) -> None:
        with pytest.raises(ValueError, match="as long as that"):
            FileBody(os.open(tmp_path, os.O_RDONLY), [part])
        with pytest.raises(ValueError, match="descriptor"):
            FileBody(-1, [])

    def test_forgotten_answer_is_a_mistake_of_the_program(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"x")
        answer = FileAnswer(tmp_path / "f", os.stat(tmp_path / "f"), [], b"x")
        with TestClient(Site(Calls(lambda request: answer))) as client:
            assert client.get("/").body == b"x"
            answer.forget()
            assert client.get("/").code == 500

    def test_cache_begins_empty(self) -> None:
        cache = FileCache()
        cache.clear()
        assert len(cache) == 0
