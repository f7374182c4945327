"""Names that may become files, and links that may be followed."""

import os
from pathlib import Path

import pytest

from sennit.web._static_names import isDangerous, isSafeName, isWithin, look

WINDOWS_TRICKS = [
    "C:",
    "c:x",
    "CON",
    "con",
    "NUL.txt",
    "nul .txt",
    "aux",
    "PRN",
    "COM1",
    "lpt9.log",
    "COM¹",
    "CONIN$",
    "a::$DATA",
    "a.",
    "a ",
    "a. .",
    "a*",
    "what?",
    "a\x1fb",
]


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/", "a/b", "/etc", "a\\b", "\\\\host\\share", "a\0b", "\0", "..\\x", "C:/x", "a\n/b"],
)
def test_name_that_leads_elsewhere_is_refused(name: str, windows: bool) -> None:
    assert not isSafeName(name, windows)


@pytest.mark.parametrize("name", WINDOWS_TRICKS)
def test_name_that_is_special_on_windows_is_refused_there(name: str) -> None:
    assert not isSafeName(name, windows=True)
    assert isSafeName(name, windows=False)


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize(
    "name", ["a", "..a", "a..b", ".git", "a b.txt", "é", "console", "com10", "nulls.txt", "b-_~"]
)
def test_plain_name_is_allowed(name: str, windows: bool) -> None:
    assert isSafeName(name, windows)


@pytest.mark.parametrize(
    ("path", "is_dangerous"), [("..", True), ("a/b", True), ("a", False), ("...", False)]
)
def test_danger_is_named(path: str, is_dangerous: bool) -> None:
    assert isDangerous(path) is is_dangerous


def test_neighbour_with_same_beginning_is_not_within(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static2").mkdir()
    assert isWithin(str(tmp_path / "static"), str(tmp_path / "static"))
    assert isWithin(str(tmp_path / "static"), "/")
    assert not isWithin(str(tmp_path / "static2"), str(tmp_path / "static"))
    assert not isWithin(str(tmp_path), str(tmp_path / "static"))


def test_link_is_followed_only_within_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    os.symlink("file", root / "good")
    os.symlink("../secret", root / "bad")
    os.symlink("nowhere", root / "broken")
    good = look(str(root / "good"), str(root))
    assert good is not None
    assert good.st_size == 6
    assert look(str(root / "bad"), str(root)) is None
    assert look(str(root / "broken"), str(root)) is None
    outside = look(str(root / "bad"), None)
    assert outside is not None
    assert outside.st_size == 7


@pytest.mark.parametrize("path", ["/nothing/here", "a\0b", "x" * 300, "\udc80\udcff"])
def test_nothing_is_seen_where_nothing_can_be(path: str) -> None:
    assert look(path, "/") is None
