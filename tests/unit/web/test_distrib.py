"""Pages of users."""

from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from sennit.web.distrib import UserDirectory
from sennit.web.server import Site
from sennit.web.testing import TestClient

Entry = namedtuple("Entry", "name password uid gid gecos home shell")


class Users:
    def __init__(self, *entries: Entry) -> None:
        self.entries = entries

    def getpwall(self) -> list[Entry]:
        return list(self.entries)

    def getpwnam(self, name: str) -> Entry:
        return {entry.name: entry for entry in self.entries}[name]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "ada" / "public_html").mkdir(parents=True)
    (tmp_path / "ada" / "public_html" / "index.html").write_text("Ada's")
    (tmp_path / "ada" / "secret").write_text("secret")
    (tmp_path / "bob").mkdir()
    users = Users(
        Entry("ada", "x", 1, 1, "Ada <L>,,,", str(tmp_path / "ada"), "/bin/sh"),
        Entry("bob", "x", 2, 2, "", str(tmp_path / "bob"), "/bin/sh"),
    )
    with TestClient(Site(UserDirectory(users))) as client:
        yield client


def test_users_with_pages_are_listed(client: TestClient) -> None:
    text = client.get("/").text
    assert '<a href="ada/">Ada &lt;L&gt;</a>' in text
    assert "bob" not in text


def test_pages_are_served(client: TestClient) -> None:
    assert client.get("/ada/").text == "Ada's"
    assert client.get("/ada").code == 302


@pytest.mark.parametrize("path", ["/bob/", "/eve/", "/ada/..%2fsecret", "/%ff/", "/a%00da/", "/ada.twistd/"])
def test_others_have_none(client: TestClient, path: str) -> None:
    assert client.get(path).code == 404
