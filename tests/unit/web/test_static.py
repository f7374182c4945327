"""Files and fixed bytes as resources."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sennit.python.filepath import FilePath
from sennit.web.iweb import IResource
from sennit.web.pages import errorPage
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import Data, File, Registry, addSlash, getTypeAndEncoding, loadMimeTypes
from sennit.web.testing import TestClient
from tests.unit.web.doubles import Calls, RequestDouble


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "hello.txt").write_bytes(b"hello world")
    (tmp_path / "page.html").write_bytes(b"<p>")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "sub" / "deep.txt").write_bytes(b"deep")
    return tmp_path


@pytest.fixture
def root(directory: Path) -> File:
    return File(str(directory))


@pytest.fixture
def client(root: File) -> Iterator[TestClient]:
    with TestClient(Site(root)) as client:
        yield client


class TestFile:
    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    def test_file_is_sent(self, root: File, version: str) -> None:
        with TestClient(Site(root), version=version) as client:
            response = client.get("/hello.txt")
        assert (response.code, response.body) == (200, b"hello world")
        assert response.header("Content-Length") == "11"
        assert response.header("Content-Type") == "text/plain; charset=utf-8"
        assert response.header("Accept-Ranges") == "bytes"
        assert (response.header("ETag") or "").startswith('"')
        assert (response.header("Last-Modified") or "").endswith(" GMT")

    @pytest.mark.parametrize("target", ["/hello.txt", "/empty", "/big"])
    def test_head_has_headers_of_get(self, client: TestClient, directory: Path, target: str) -> None:
        (directory / "big").write_bytes(b"b" * 300_000)
        os.utime(directory / "big", (1000, 1000))
        got, asked = client.get(target), client.head(target)
        assert (asked.code, asked.body) == (200, b"")
        for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"):
            assert asked.header(name) == got.header(name)

    @pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
    def test_other_methods_are_refused(self, client: TestClient, method: str) -> None:
        response = client.request(method, "/hello.txt")
        assert (response.code, response.header("Allow")) == (405 if method == "POST" else 501, "GET, HEAD")

    @pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 262_144, 262_145, 1_000_003])
    def test_file_of_any_size_is_whole(self, client: TestClient, directory: Path, size: int) -> None:
        content = os.urandom(size)
        (directory / "big").write_bytes(content)
        response = client.get("/big")
        assert response.body == content
        assert response.header("Content-Length") == str(size)
        assert client.get("/big", headers={"Range": "bytes=1-"}).body == content[1:]

    def test_file_in_subdirectory_is_found(self, client: TestClient) -> None:
        assert client.get("/sub/deep.txt").body == b"deep"

    def test_name_is_unquoted(self, client: TestClient, directory: Path) -> None:
        (directory / "ä b%2f.txt").write_bytes(b"odd")
        assert client.get("/%C3%A4%20b%252f.txt").body == b"odd"

    def test_file_that_is_no_directory_has_no_children(self, client: TestClient) -> None:
        assert client.get("/hello.txt/x").code == 404

    def test_missing_file_is_not_found_until_it_is_there(self, client: TestClient, directory: Path) -> None:
        response = client.get("/new.txt")
        assert response.code == 404
        assert "File not found." in response.text
        (directory / "new.txt").write_bytes(b"new")
        assert client.get("/new.txt").body == b"new"

    def test_single_file_is_served_anywhere(self, directory: Path) -> None:
        root = Resource()
        root.putChild("paper", File(directory / "hello.txt"))
        root.putChild("bytes", File(os.fsencode(directory / "hello.txt")))
        root.putChild("gone", File(str(directory / "nothing")))
        with TestClient(Site(root)) as client:
            assert client.get("/paper").body == b"hello world"
            assert client.get("/bytes").body == b"hello world"
            assert client.get("/gone").code == 404

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable_file_is_forbidden(self, client: TestClient, directory: Path) -> None:
        (directory / "hello.txt").chmod(0)
        assert client.get("/hello.txt").code == 403
        assert client.head("/hello.txt").code == 403

    def test_file_that_may_not_be_opened_is_forbidden(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: object, path: str) -> None:
            raise PermissionError(path)

        monkeypatch.setattr("sennit.web._static_body.OpenedFile.__init__", refuse)
        monkeypatch.setattr("sennit.web._static_body.OpenedFile.__del__", lambda self: None)
        assert client.get("/hello.txt").code == 403

    def test_pipe_is_not_waited_for(self, client: TestClient, directory: Path) -> None:
        os.mkfifo(directory / "pipe")
        assert client.get("/pipe").code == 404

    def test_children_of_program_come_first(self, client: TestClient, root: File) -> None:
        root.putChild("hello.txt", Data(b"mine", "text/plain"))
        assert client.get("/hello.txt").body == b"mine"

    def test_file_is_a_path(self, directory: Path) -> None:
        file = File(str(directory / "hello.txt"))
        assert isinstance(file, FilePath)
        assert (file.path, file.basename(), file.getsize()) == (str(directory / "hello.txt"), "hello.txt", 11)
        assert IResource.providedBy(file)

    def test_relative_path_is_made_absolute_at_once(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(directory)
        file = File("hello.txt")
        monkeypatch.chdir("/")
        with TestClient(Site(file)) as client:
            assert client.get("/").code == 404  # a file has no index
        assert file.path == str(directory / "hello.txt")

    def test_link_that_program_gave_is_followed(self, directory: Path) -> None:
        (directory / "way").symlink_to("sub")
        (directory / "direct").symlink_to("hello.txt")
        with TestClient(Site(File(str(directory / "way")))) as client:
            assert client.get("/deep.txt").body == b"deep"
        root = Resource()
        root.putChild("x", File(str(directory / "direct")))
        with TestClient(Site(root)) as client:
            assert client.get("/x").body == b"hello world"

    def test_cache_control_is_handed_down(self, client: TestClient, root: File) -> None:
        root.cacheControl = "public, max-age=3600"
        response = client.get("/sub/deep.txt")
        assert response.header("Cache-Control") == "public, max-age=3600"
        tag = response.header("ETag") or ""
        again = client.get("/sub/deep.txt", headers={"If-None-Match": tag})
        assert (again.code, again.header("Cache-Control")) == (304, "public, max-age=3600")


class TestDirectory:
    @pytest.mark.parametrize(
        ("target", "location"), [("/sub", "/sub/"), ("/sub?a=b&c", "/sub/?a=b&c"), ("/s%75b", "/s%75b/")]
    )
    def test_directory_without_slash_redirects(self, client: TestClient, target: str, location: str) -> None:
        response = client.get(target)
        assert (response.code, response.header("Location")) == (302, location)
        assert b"click here" in response.body

    def test_index_is_first_that_exists(self, client: TestClient, directory: Path) -> None:
        (directory / "index").mkdir()
        (directory / "index.htm").write_bytes(b"htm")
        assert client.get("/").body == b"htm"
        (directory / "index.html").write_bytes(b"html")
        assert client.get("/").body == b"html"

    def test_index_names_are_handed_down(self, client: TestClient, root: File) -> None:
        root.indexNames = ["deep.txt"]
        assert client.get("/sub/").body == b"deep"

    def test_index_names_belong_to_the_object(self, root: File) -> None:
        root.indexNames.append("home.html")
        root.processors[".x"] = lambda path, registry: Resource()
        assert "home.html" not in File("/").indexNames
        assert not File("/").processors

    def test_ignored_extension_is_tried_for_missing_name(self, client: TestClient, root: File) -> None:
        assert client.get("/hello").code == 404
        root.ignoreExt(".html")
        root.ignoreExt(".txt")
        assert client.get("/hello").body == b"hello world"
        assert client.get("/page").body == b"<p>"
        assert client.get("/sub/deep").body == b"deep"

    @pytest.mark.parametrize("options", [{"ignoredExts": ("*",)}, {"allowExt": 1}])
    def test_any_extension_is_tried(self, directory: Path, options: dict[str, Any]) -> None:
        with TestClient(Site(File(str(directory), **options))) as client:
            assert client.get("/hello").body == b"hello world"
            assert client.get("/nothing").code == 404

    def test_processor_makes_resource(self, client: TestClient, root: File, directory: Path) -> None:
        seen = []

        def process(path: str, registry: Registry) -> Resource:
            seen.append((path, registry))
            return Calls(lambda request: b"made of " + os.path.basename(path).encode())

        root.processors = {".txt": process}
        assert client.get("/hello.txt").body == b"made of hello.txt"
        assert client.get("/sub/deep.txt").body == b"made of deep.txt"
        assert client.get("/page.html").body == b"<p>"
        assert client.get("/hello.TXT").code == 404
        assert seen[0] == (str(directory / "hello.txt"), root.registry)
        assert seen[1] == (str(directory / "sub" / "deep.txt"), root.registry)

    def test_processor_makes_index(self, client: TestClient, root: File, directory: Path) -> None:
        (directory / "index.rpy").write_bytes(b"")
        root.processors = {".rpy": lambda path, registry: Calls(lambda request: b"made")}
        assert client.get("/").body == b"made"

    def test_processor_is_not_asked_for_link_outside(self, client: TestClient, root: File) -> None:
        os.symlink("/etc/passwd", os.path.join(root.path, "evil.rpy"))
        root.processors = {".rpy": lambda path, registry: Calls(lambda request: b"ran")}
        assert client.get("/evil.rpy").code == 404

    def test_own_not_found_page_is_handed_down(self, client: TestClient, root: File) -> None:
        root.childNotFound = errorPage(410, "Gone", "It was here.")
        assert client.get("/sub/nothing").code == 410
        assert client.get("/sub/..").code == 410

    def test_subclass_stays_for_children(self, directory: Path) -> None:
        class Shouting(File):
            def render_GET(self, request: Any) -> Any:
                return self.getContent().upper()

        with TestClient(Site(Shouting(str(directory)))) as client:
            assert client.get("/sub/deep.txt").body == b"DEEP"

    def test_subclass_with_constructor_is_called(self, directory: Path) -> None:
        class Counted(File):
            made = 0

            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                Counted.made += 1

        with TestClient(Site(Counted(str(directory)))) as client:
            assert client.get("/sub/deep.txt").body == b"deep"
        assert Counted.made == 3

    def test_own_children_are_confined(self, directory: Path) -> None:
        class Direct(File):
            def getChild(self, path: bytes | str, request: Any) -> Any:
                assert isinstance(path, bytes)
                return self.createSimilarFile(os.path.join(self.path, path.decode()))

        (directory / "leak").symlink_to("/etc")
        with TestClient(Site(Direct(str(directory)))) as client:
            assert client.get("/hello.txt").body == b"hello world"
            assert client.get("/leak/passwd").code == 404

    def test_entities_are_files(self, root: File) -> None:
        assert root.listNames() == ["empty", "hello.txt", "page.html", "sub"]
        entities = root.listEntities()
        assert [entity.basename() for entity in entities] == root.listNames()
        assert all(isinstance(entity, File) for entity in entities)
        assert File(os.path.join(root.path, "empty")).listNames() == []


class TestTypes:
    @pytest.mark.parametrize(
        ("name", "content_type", "encoding"),
        [
            ("a.html", "text/html; charset=utf-8", None),
            ("A.HTML", "text/html; charset=utf-8", None),
            ("a.js", "text/javascript; charset=utf-8", None),
            ("a.json", "application/json", None),
            ("a.png", "image/png", None),
            ("a.svg", "image/svg+xml", None),
            ("a.wasm", "application/wasm", None),
            ("a.unknown-thing", "text/html; charset=utf-8", None),
            ("README", "text/html; charset=utf-8", None),
            ("a.tar.gz", "application/x-tar", "gzip"),
            ("a.txt.bz2", "text/plain; charset=utf-8", "bzip2"),
            ("a.conf", "text/plain; charset=utf-8", None),
            ("a.flac", "audio/x-flac", None),
        ],
    )
    def test_name_tells_type(
        self, client: TestClient, directory: Path, name: str, content_type: str, encoding: str | None
    ) -> None:
        (directory / name).write_bytes(b"x")
        response = client.get("/" + name)
        assert response.header("Content-Type") == content_type
        assert response.header("Content-Encoding") == encoding

    def test_xml_says_its_own_charset(self, directory: Path) -> None:
        root = File(str(directory))
        root.contentTypes = {".xml": "text/xml", ".old": "text/plain; charset=latin-1"}
        (directory / "a.xml").write_bytes(b"x")
        (directory / "a.old").write_bytes(b"x")
        with TestClient(Site(root)) as client:
            assert client.get("/a.xml").header("Content-Type") == "text/xml"
            assert client.get("/a.old").header("Content-Type") == "text/plain; charset=latin-1"

    def test_charset_can_be_left_out(self, client: TestClient, root: File) -> None:
        root.charset = None
        assert client.get("/hello.txt").header("Content-Type") == "text/plain"

    def test_default_type_is_handed_down(self, directory: Path) -> None:
        with TestClient(Site(File(str(directory), "application/octet-stream"))) as client:
            assert client.get("/empty").header("Content-Type") == "application/octet-stream"

    def test_preset_type_counts(self, directory: Path) -> None:
        file = File(str(directory / "hello.txt"))
        file.type, file.encoding = "application/x-mine", "x-coded"
        root = Resource()
        root.putChild("f", file)
        with TestClient(Site(root)) as client:
            response = client.get("/f")
        assert response.header("Content-Type") == "application/x-mine"
        assert response.header("Content-Encoding") == "x-coded"

    def test_encoding_is_not_the_type(self) -> None:
        types, encodings = {".tar": "application/x-tar"}, {".gz": "gzip"}
        assert getTypeAndEncoding("x.tar.gz", types, encodings, "d") == ("application/x-tar", "gzip")
        assert getTypeAndEncoding("x.gz", types, encodings, "d") == ("d", "gzip")
        assert getTypeAndEncoding(".tar", types, encodings, "d") == ("d", None)

    def test_types_are_read_from_files(self, tmp_path: Path) -> None:
        (tmp_path / "mime.types").write_text("application/x-own own\n")
        types = loadMimeTypes([str(tmp_path / "mime.types"), str(tmp_path / "missing")])
        assert types[".own"] == "application/x-own"
        assert types[".css"] == "text/css"


class TestData:
    @pytest.mark.parametrize("data", [b"caf\xc3\xa9", "café"])
    def test_data_is_sent(self, data: bytes | str) -> None:
        root = Resource()
        root.putChild("d", Data(data, "text/x-mine"))
        with TestClient(Site(root)) as client:
            response, head = client.get("/d"), client.head("/d")
            assert client.get("/d/x").code == 404
            assert client.post("/d").code == 405
        assert (response.body, response.header("Content-Type")) == (b"caf\xc3\xa9", "text/x-mine")
        assert (head.body, head.header("Content-Length")) == (b"", "5")

    def test_data_of_root_needs_a_child(self) -> None:
        with TestClient(Site(Data(b"x", "text/plain"))) as client:
            assert client.get("/").code == 404


def test_registry_remembers_by_path() -> None:
    registry = Registry()
    registry.cachePath("/x", 1)
    assert (registry.getCachedPath("/x"), registry.getCachedPath("/y")) == (1, None)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        (b"/a", b"/a/"),
        (b"/a?b?c", b"/a/?b?c"),
        (b"//a/b", b"./b/"),
        (b"/\\a", b"./\\a/"),
        (b"http://h/a", b"./a/"),
    ],
)
def test_slash_is_added_to_the_path(uri: bytes, target: bytes) -> None:
    request: Any = RequestDouble()
    request.uri = uri
    assert addSlash(request) == target
