"""`FilePath`."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from sennit.python.filepath import FilePath, InsecurePath


@pytest.fixture
def top(tmp_path: Path) -> FilePath[str]:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.txt").write_bytes(b"deep")
    (tmp_path / "a.txt").write_bytes(b"hello")
    (tmp_path / "a.html").write_bytes(b"")
    return FilePath(str(tmp_path))


class TestNames:
    def test_path_is_absolute_at_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        relative = FilePath("x/../y")
        monkeypatch.chdir("/")
        assert relative.path == str(tmp_path / "y")
        assert FilePath(b"/a").path == b"/a"
        assert FilePath(Path("/a")).path == "/a"

    @pytest.mark.parametrize("name", ["x", b"x"])
    def test_child_has_type_of_parent(self, name: str | bytes) -> None:
        assert FilePath("/a").child(name).path == "/a/x"
        assert FilePath(b"/a").child(name).path == b"/a/x"

    @pytest.mark.parametrize(
        "name", ["..", "../b", "b/c", "/b", "/", "x/../..", "a\0b", b"..", b"b/c", b"\0"]
    )
    def test_child_stays_inside(self, name: str | bytes) -> None:
        for path in (FilePath("/a"), FilePath(b"/a"), FilePath("/")):
            with pytest.raises(InsecurePath):
                path.child(name)

    @pytest.mark.parametrize("name", ["", "."])
    def test_child_may_be_the_path_itself(self, name: str) -> None:
        assert FilePath("/a").child(name) == FilePath("/a")

    def test_preauthorized_child_may_be_deeper(self) -> None:
        assert FilePath("/a").preauthChild("b/c").path == "/a/b/c"
        assert FilePath("/").preauthChild("b/c").path == "/b/c"
        for name in ("../ab", "/etc", "b/../../x", "b\0"):
            with pytest.raises(InsecurePath):
                FilePath("/a").preauthChild(name)

    def test_descendant_and_segments_are_inverse(self) -> None:
        top = FilePath("/a")
        below = top.descendant(["b", "c"])
        assert below.path == "/a/b/c"
        assert below.segmentsFrom(top) == ["b", "c"]
        assert top.segmentsFrom(top) == []
        with pytest.raises(ValueError, match="not below"):
            top.segmentsFrom(below)

    def test_relatives_are_found(self) -> None:
        path = FilePath("/a/b.tar.gz")
        assert (path.basename(), path.dirname()) == ("b.tar.gz", "/a")
        assert path.splitext() == ("/a/b.tar", ".gz")
        assert path.parent().path == "/a"
        assert [each.path for each in path.parents()] == ["/a", "/"]
        assert path.sibling("c").path == "/a/c"
        assert path.siblingExtension(".br").path == "/a/b.tar.gz.br"
        assert path.asBytesMode().path == b"/a/b.tar.gz"
        assert path.asBytesMode().asTextMode() == path

    def test_paths_compare_and_hash_by_path(self) -> None:
        a, b = FilePath("/a"), FilePath("/b")
        assert a == FilePath("/a")
        assert a != b
        assert a != "/a"
        assert a < b > a
        assert a <= FilePath("/a") >= a
        assert len({a, FilePath("/a"), b}) == 2
        assert repr(a) == "FilePath('/a')"
        assert os.fspath(a) == "/a"


class TestLooking:
    def test_kinds_are_told(self, top: FilePath[str]) -> None:
        file, missing = top.child("a.txt"), top.child("missing")
        assert (top.exists(), top.isdir(), top.isfile()) == (True, True, False)
        assert (file.exists(), file.isdir(), file.isfile()) == (True, False, True)
        assert (missing.exists(), missing.isdir(), missing.isfile()) == (False, False, False)
        assert (file.isSocket(), file.isBlockDevice(), file.islink()) == (False, False, False)

    def test_facts_are_told(self, top: FilePath[str]) -> None:
        file = top.child("a.txt")
        os.utime(file.path, (1000, 2000.5))
        info = os.stat(file.path)
        assert (file.getsize(), file.getAccessTime(), file.getModificationTime()) == (5, 1000, 2000.5)
        assert (file.getInodeNumber(), file.getDevice()) == (info.st_ino, info.st_dev)
        assert (file.getUserID(), file.getGroupID()) == (info.st_uid, info.st_gid)
        assert (file.getStatusChangeTime(), file.getNumberOfHardLinks()) == (info.st_ctime, 1)
        with pytest.raises(FileNotFoundError):
            top.child("missing").getsize()

    def test_facts_are_remembered_until_asked_anew(self, top: FilePath[str]) -> None:
        file = top.child("a.txt")
        assert file.getsize() == 5
        Path(file.path).write_bytes(b"longer than that")
        assert file.getsize() == 5
        file.restat()
        assert file.getsize() == 16
        os.unlink(file.path)
        assert file.exists()
        file.changed()
        assert not file.exists()
        file.restat(reraise=False)
        with pytest.raises(FileNotFoundError):
            file.restat()

    def test_directory_is_listed(self, top: FilePath[str]) -> None:
        assert sorted(top.listdir()) == ["a.html", "a.txt", "sub"]
        assert {child.basename() for child in top.children()} == {"a.html", "a.txt", "sub"}
        assert [child.basename() for child in top.globChildren("*.txt")] == ["a.txt"]
        assert [child.basename() for child in top.asBytesMode().globChildren("*.txt")] == [b"a.txt"]

    def test_tree_is_walked(self, top: FilePath[str]) -> None:
        top.linkTo(top.child("round"))
        names = [path.basename() for path in top.walk()][1:]
        assert names == ["a.html", "a.txt", "round", "sub", "deep.txt"]
        assert "deep.txt" not in [path.basename() for path in top.walk(lambda path: False)]

    def test_first_existing_is_found(self, top: FilePath[str]) -> None:
        found = top.childSearchPreauth("nothing", "sub/deep.txt", "a.txt")
        assert found is not None
        assert found.basename() == "deep.txt"
        assert top.childSearchPreauth("nothing") is None

    @pytest.mark.parametrize(
        ("extensions", "name"),
        [
            ((".py", ".txt", ".html"), "a.txt"),
            ((".html", ".txt"), "a.html"),
            (("*",), "a.html"),
            ((b".txt",), "a.txt"),
            ((".py",), None),
            (("",), None),
            ((), None),
        ],
    )
    def test_extension_is_found(
        self, top: FilePath[str], extensions: tuple[str | bytes, ...], name: str | None
    ) -> None:
        found = top.child("a").siblingExtensionSearch(*extensions)
        assert (found and found.basename()) == name

    def test_any_extension_is_taken_literally(self, top: FilePath[str]) -> None:
        assert top.child("[a]").siblingExtensionSearch("*") is None
        assert top.child("a.txt").siblingExtensionSearch("") == top.child("a.txt")
        assert FilePath("/nowhere/x").siblingExtensionSearch("*") is None

    def test_links_are_followed(self, top: FilePath[str]) -> None:
        link = top.child("link")
        top.child("a.txt").linkTo(link)
        assert link.islink()
        assert link.isfile()
        assert link.realpath() == top.realpath().child("a.txt")


class TestChanging:
    def test_file_is_read_and_written(self, top: FilePath[str]) -> None:
        file = top.child("a.txt")
        assert file.getContent() == b"hello"
        with file.open() as opened:
            assert opened.read() == b"hello"
        with file.open("w") as opened:
            opened.write(b"new")
        assert file.getContent() == b"new"

    def test_content_is_replaced_at_once(self, top: FilePath[str]) -> None:
        file = top.child("a.txt")
        before = os.stat(file.path).st_ino
        assert file.getsize() == 5
        file.setContent(b"other content")
        assert (file.getContent(), file.getsize()) == (b"other content", 13)
        assert os.stat(file.path).st_ino != before
        assert sorted(top.listdir()) == ["a.html", "a.txt", "sub"]

    def test_existing_file_is_not_made_anew(self, top: FilePath[str]) -> None:
        with pytest.raises(FileExistsError):
            top.child("a.txt").create()
        with pytest.raises(FileExistsError):
            FilePath(top.child("a.txt").path, alwaysCreate=True).open("w")
        with top.child("new").create() as file:
            file.write(b"x")
        assert top.child("new").getContent() == b"x"

    def test_directories_are_made_and_removed(self, top: FilePath[str]) -> None:
        deep = top.child("x").child("y")
        assert not deep.exists()
        deep.makedirs()
        assert deep.isdir()
        deep.makedirs(ignoreExistingDirectory=True)
        with pytest.raises(FileExistsError):
            deep.makedirs()
        deep.child("z").createDirectory()
        top.child("x").remove()
        assert not top.child("x").exists()

    def test_removing_link_leaves_target(self, top: FilePath[str]) -> None:
        link = top.child("link")
        top.child("sub").linkTo(link)
        link.remove()
        assert not link.islink()
        assert top.child("sub").child("deep.txt").exists()

    def test_touch_and_chmod_change_facts(self, top: FilePath[str]) -> None:
        new = top.child("new")
        assert not new.exists()
        new.touch()
        assert new.getsize() == 0
        new.chmod(0o600)
        assert os.stat(new.path).st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("name", ["a.txt", "sub"])
    def test_things_are_copied_and_moved(self, top: FilePath[str], name: str) -> None:
        copy, moved = top.child("copy"), top.child("moved")
        top.child(name).copyTo(copy)
        assert top.child(name).exists()
        copy.moveTo(moved)
        assert (copy.exists(), moved.exists()) == (False, True)
        assert moved.isdir() is (name == "sub")

    @pytest.mark.parametrize("follow", [True, False])
    def test_move_to_another_file_system_copies(
        self, top: FilePath[str], monkeypatch: pytest.MonkeyPatch, follow: bool
    ) -> None:
        def refuse(*paths: Any) -> None:
            raise OSError(errno.EXDEV, "another file system")

        link, moved = top.child("link"), top.child("moved")
        top.child("a.txt").linkTo(link)
        monkeypatch.setattr(os, "rename", refuse)
        link.moveTo(moved, followLinks=follow)
        assert not os.path.lexists(link.path)
        assert moved.islink() is not follow
        assert moved.getContent() == b"hello"

    def test_move_to_nowhere_fails(self, top: FilePath[str]) -> None:
        with pytest.raises(FileNotFoundError):
            top.child("a.txt").moveTo(top.child("none").child("x"))
