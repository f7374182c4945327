"""Probes of known holes in file servers: raw bytes against a directory, at once and byte by byte."""

import time
from pathlib import Path

import pytest

from sennit import _engine
from sennit.web._responses import ResponseReader
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import File

SECRET = b"SECRET OUTSIDE"


class Server:
    """A tree with a root directory at / and at /static, in memory."""

    def __init__(self, directory: Path) -> None:
        self.root = File(str(directory))
        self.root.putChild("static", File(str(directory)))
        self.root.putChild("", File(str(directory)))
        self.site = Site(self.root)

    def send(self, data: bytes, bytewise: bool = False) -> ResponseReader:
        channel = _engine.Channel(self.site.engineService())
        for piece in [data[at : at + 1] for at in range(len(data))] if bytewise else [data]:
            channel.receive(piece)
        reader = ResponseReader(data.partition(b" ")[0])
        while sent := channel.data_to_send():
            reader.receive(sent)
        assert reader.head is not None
        return reader

    def ask(self, target: bytes, *fields: bytes, bytewise: bool = False) -> ResponseReader:
        head = b"\r\n".join((b"GET %b HTTP/1.1" % target, b"Host: a", *fields, b"", b""))
        return self.send(head, bytewise)


def code_of(reader: ResponseReader) -> int:
    assert reader.head is not None
    return reader.head.code


def location_of(reader: ResponseReader) -> bytes:
    assert reader.head is not None
    return (reader.head.headers.getRawHeaders(b"location") or [b""])[-1]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    directory = tmp_path / "root"
    (directory / "sub").mkdir(parents=True)
    (directory / "evil.com").mkdir()
    (directory / "file.txt").write_bytes(b"0123456789")
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "secret").write_bytes(SECRET)
    (directory / "link").symlink_to("/etc/passwd")
    (directory / "linkdir").symlink_to(tmp_path / "root2")
    (directory / "file.txt.gz").symlink_to(tmp_path / "secret")
    return Server(directory)


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize(
    "target",
    [
        b"/static/../../secret",
        b"/static/../secret",
        b"/static/%2e%2e/secret",
        b"/static/%2E%2E/%2e%2e/secret",
        b"/static/..%2fsecret",
        b"/static/..%2f..%2fsecret",
        b"/static/%2e%2e%2fsecret",
        b"/static/..%5csecret",
        b"/static/%5c..%5csecret",
        b"/static//etc/passwd",
        b"/static/%2fetc%2fpasswd",
        b"/static/%2Fetc/passwd",
        b"//etc/passwd",
        b"/static/../root2/secret",
        b"/static2/secret",
        b"/static/..root2/secret",
        b"/static/file.txt%00.jpg",
        b"/static/%00",
        b"/static/%ff%fe",
        b"/static/%c0%ae%c0%ae/secret",
        b"/static/./file.txt",
        b"/static/%2e/file.txt",
        b"/static/file.txt/",
        b"/static/file.txt/x",
        b"/static/sub//file.txt",
        b"/static/" + b"x" * 300,
        b"/static/C:/x",
        b"/static/c:x",
        b"/static/CON",
        b"/static/NUL.txt",
        b"/static/file.txt::$DATA",
        b"/static/file.txt.",
        b"/static//h/s",
        b"/static/%5c%5ch%5cs",
    ],
)
def test_p46_p48_no_name_leads_out(server: Server, target: bytes, bytewise: bool) -> None:
    reader = server.ask(target, bytewise=bytewise)
    assert code_of(reader) == 404
    assert SECRET not in reader.takeBody()


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize("target", [b"/link", b"/linkdir/secret", b"/linkdir/", b"/linkdir", b"/static/link"])
def test_p47_no_link_leads_out(server: Server, target: bytes, bytewise: bool) -> None:
    assert code_of(server.ask(target, bytewise=bytewise)) == 404


def test_p47_no_linked_variant_leads_out(server: Server) -> None:
    assert code_of(server.ask(b"/file.txt.gz")) == 404
    assert server.ask(b"/file.txt", b"Accept-Encoding: gzip").takeBody() == b"0123456789"


def test_p47_links_can_be_allowed(server: Server) -> None:
    server.root.allowSymlinks = True
    assert server.ask(b"/linkdir/secret").takeBody() == SECRET
    assert server.ask(b"/file.txt", b"Accept-Encoding: gzip").takeBody() == SECRET


def test_p49_names_in_listing_are_escaped(server: Server) -> None:
    name = "<img src=x onerror=alert(1)>\"&'.txt"
    (Path(server.root.path) / name).write_bytes(b"")
    (Path(server.root.path) / "javascript:alert(1)").write_bytes(b"")
    page = server.ask(b"/static/").takeBody()
    assert b"<img" not in page
    assert b"&lt;img src=x onerror=alert(1)&gt;&quot;&amp;" in page
    assert b'href="javascript:' not in page
    assert b'href="javascript%3Aalert%281%29"' in page


def test_p49_path_in_listing_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "<script>").mkdir()
    page = Server(tmp_path).ask(b"/%3Cscript%3E/").takeBody()
    assert b"<script" not in page
    assert b"Directory listing for /&lt;script&gt;/" in page


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize(
    "target",
    [
        b"//evil.com",
        b"//evil.com?x=//a",
        b"//evil.com/..",
        b"/%2fevil.com",
        b"/%5cevil.com",
        b"///evil.com",
        b"/static//evil.com",
        b"/static/evil.com",
    ],
)
def test_p51_redirect_stays_here(server: Server, target: bytes, bytewise: bool) -> None:
    reader = server.ask(target, bytewise=bytewise)
    location = location_of(reader)
    assert code_of(reader) == (302 if location else 404)
    assert not location.startswith((b"//", b"/\\", b"http"))


def test_p51_redirect_leads_to_the_directory(server: Server) -> None:
    assert location_of(server.ask(b"//evil.com?q=1")) == b"./evil.com/?q=1"
    assert location_of(server.ask(b"/sub?q=1")) == b"/sub/?q=1"


@pytest.mark.parametrize(
    "ranges",
    [
        b",".join(b"%d-" % number for number in range(5000)),
        b"0-," * 10_000,
        b"-99999999999999999999",
        b"99999999999999999999-",
        b"0-99999999999999999999",
        b"0-5,3-8",
        b"0-,0-,0-",
        b"," * 30_000,
        b"0" * 30_000 + b"-",
    ],
)
def test_p52_greedy_ranges_are_refused(server: Server, ranges: bytes) -> None:
    start = time.perf_counter()
    reader = server.ask(b"/file.txt", b"Range: bytes=" + ranges)
    assert time.perf_counter() - start < 0.1
    assert code_of(reader) in (200, 416)
    assert reader.takeBody() in (b"0123456789", b"")


def test_redirect_page_is_no_script(server: Server) -> None:
    """P50: what is in the address comes back in the page, escaped."""
    (Path(server.root.path) / '"><script>').mkdir()
    reader = server.ask(b"/%22%3E%3Cscript%3E?%22><script>")
    assert code_of(reader) == 302
    assert b"<script" not in reader.takeBody()


def test_leaf_below_file_is_found_first(server: Server) -> None:
    server.root.putChild("sub", Resource())
    assert code_of(server.ask(b"/sub")) in (404, 405, 501)
