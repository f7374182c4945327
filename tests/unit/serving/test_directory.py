"""Directories as the command line serves them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sennit.serving._directory import directory_resource
from sennit.web.server import Site
from sennit.web.testing import TestClient


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(Site(directory_resource(tmp_path))) as client:
        yield client


def test_file_is_sent(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    assert client.get("/a.txt").text == "hello"


def test_resource_script_is_run(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.rpy").write_text(
        "from sennit.web.static import Data\nresource = Data('made', 'text/plain')"
    )
    assert client.get("/deep/a.rpy").text == "made"


def test_script_that_writes_is_run(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "a.epy").write_text("request.write('written')")
    assert client.get("/a.epy").text == "written"


def test_directories_share_no_processors(tmp_path: Path) -> None:
    directory_resource(tmp_path).processors[".txt"] = directory_resource
    assert ".txt" not in directory_resource(tmp_path).processors
