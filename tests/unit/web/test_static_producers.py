"""Producers of files, subclasses that send something else, and files that are whole responses."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from sennit.web.server import NOT_DONE_YET, Site
from sennit.web.static import (
    ASISProcessor,
    File,
    MultipleRangeStaticProducer,
    NoRangeStaticProducer,
    SingleRangeStaticProducer,
    StaticProducer,
)
from sennit.web.testing import TestClient
from tests.unit.web.doubles import clientOf

CONTENT = bytes(range(256)) * 1024


class Reversed(File):
    """Sends files backwards."""

    def openForReading(self) -> IO[bytes]:
        return io.BytesIO(self.getContent()[::-1])


class Marked(File):
    """Has a producer of its own."""

    def makeProducer(self, request: Any, fileForReading: IO[bytes]) -> StaticProducer:
        request.setHeader("X-Producer", "mine")
        return super().makeProducer(request, fileForReading)


@pytest.fixture(params=[Reversed, Marked])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    content = CONTENT[::-1] if request.param is Reversed else CONTENT
    (tmp_path / "f.bin").write_bytes(content)
    with TestClient(Site(request.param(str(tmp_path)))) as client:
        yield client


def test_customized_file_is_sent(client: TestClient) -> None:
    response = client.get("/f.bin")
    assert (response.code, response.body) == (200, CONTENT)
    assert response.header("Content-Length") == str(len(CONTENT))
    assert response.header("ETag") is None
    assert response.header("Content-Type") == "application/octet-stream"
    when = response.header("Last-Modified") or ""
    assert client.get("/f.bin", headers={"If-Modified-Since": when}).code == 304


def test_customized_file_has_ranges(client: TestClient) -> None:
    response = client.get("/f.bin", headers={"Range": "bytes=10-200009"})
    assert (response.code, response.body) == (206, CONTENT[10:200_010])
    assert response.header("Content-Range") == f"bytes 10-200009/{len(CONTENT)}"
    response = client.get("/f.bin", headers={"Range": "bytes=0-1,100-100099"})
    assert response.code == 206
    assert b"\r\n\r\n" + CONTENT[100:100_100] + b"\r\n--" in response.body
    assert len(response.body) == int(response.header("Content-Length") or 0)
    response = client.get("/f.bin", headers={"Range": "bytes=99999999-"})
    assert (response.code, response.body) == (416, b"")


def test_customized_file_answers_head(client: TestClient) -> None:
    response = client.head("/f.bin", headers={"Range": "bytes=0-1"})
    assert (response.code, response.body) == (200, b"")
    assert response.header("Content-Length") == str(len(CONTENT))


def test_customized_file_may_be_missing_or_forbidden(client: TestClient) -> None:
    class Refusing(File):
        def openForReading(self) -> IO[bytes]:
            raise PermissionError(self.path)

    assert client.get("/gone").code == 404
    with TestClient(Site(Refusing(client.site.resource.path))) as other:
        assert other.get("/f.bin").code == 403


def produce(make: Any) -> tuple[bytes, bool]:
    """The body that a producer makes, and whether its file is closed in the end."""
    file = io.BytesIO(CONTENT)

    def render(request: Any) -> int:
        make(request, file).start()
        return NOT_DONE_YET

    with clientOf(render) as client:
        return client.get("/").body, file.closed


def test_producers_send_and_close() -> None:
    assert produce(NoRangeStaticProducer) == (CONTENT, True)
    assert produce(lambda r, f: SingleRangeStaticProducer(r, f, 5, 100_000)) == (CONTENT[5:100_005], True)
    parts = [(b"<", 3, 2), (b"|", 0, 70_000), (b"", 1, 1), (b">", 0, 0)]
    expected = b"<\x03\x04|" + CONTENT[:70_000] + b"\x01>"
    assert produce(lambda r, f: MultipleRangeStaticProducer(r, f, parts)) == (expected, True)


def test_producers_end_where_the_file_ends() -> None:
    size = len(CONTENT)
    assert produce(lambda r, f: SingleRangeStaticProducer(r, f, size - 3, 10)) == (CONTENT[-3:], True)
    parts = [(b"<", size - 1, 9), (b"never", 0, 1)]
    assert produce(lambda r, f: MultipleRangeStaticProducer(r, f, parts)) == (b"<\xff", True)


def test_base_producer_does_nothing() -> None:
    producer = StaticProducer(Any, io.BytesIO())  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        producer.start()
    with pytest.raises(NotImplementedError):
        producer.resumeProducing()
    producer.stopProducing()
    producer.stopProducing()


@pytest.fixture
def asis(tmp_path: Path) -> Iterator[TestClient]:
    root = File(str(tmp_path))
    root.processors = {".asis": ASISProcessor}
    with TestClient(Site(root)) as client:
        yield client


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_asis_file_is_the_response(asis: TestClient, tmp_path: Path, newline: str) -> None:
    lines = [
        "HTTP/1.1 402 Pay Up",
        "X-Own: 1",
        "x-own: 2",
        "Server: Mine",
        "Content-Length: 99",
        "",
        "body\n",
    ]
    (tmp_path / "a.asis").write_text(newline.join(lines), newline="")
    response = asis.get("/a.asis")
    assert (response.code, response.reason, response.body) == (402, b"Pay Up", b"body\n")
    assert response.headers.getRawHeaders("x-own") == ["1", "2"]
    assert (response.header("Server"), response.header("Content-Length")) == ("Mine", "5")
    assert response.header("Content-Type") is None
    assert asis.head("/a.asis").code == 402


def test_asis_file_may_be_large_or_only_a_head(asis: TestClient, tmp_path: Path) -> None:
    (tmp_path / "a.asis").write_bytes(b"HTTP/1.0 200 OK\r\nContent-Type: x/y\r\n\r\n" + CONTENT)
    response = asis.get("/a.asis")
    assert (response.body, response.header("Content-Type")) == (CONTENT, "x/y")
    (tmp_path / "b.asis").write_bytes(b"HTTP/1.1 204 None\r\nX: 1")
    assert (asis.get("/b.asis").code, asis.get("/b.asis").header("X")) == (204, "1")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"HTTP/1.1 200 OK\nno header\n\n", b"HTTP/1.1 200 OK\n" + b"X: 1\n" * 20_000]
)
def test_asis_file_that_is_no_response_is_an_error(
    asis: TestClient, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.asis").write_bytes(content)
    assert asis.get("/a.asis").code == 500
    assert "a.asis" in caplog.text


def test_asis_file_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with TestClient(Site(ASISProcessor(str(tmp_path / "gone")))) as client:
        assert client.get("/").code == 404
