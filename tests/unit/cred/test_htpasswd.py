"""Files made by htpasswd: which entries are taken, and when and where passwords are hashed."""

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from sennit.cred._htpasswd import apr1
from sennit.cred.checkers import HtpasswdFile
from sennit.cred.credentials import IUsernamePassword, UsernamePassword
from sennit.cred.error import UnauthorizedLogin
from tests.unit.cred.outcomes import avatarIdOf

SALT = b"$2b$04$abcdefghijklmnopqrstuu"
SECRET = bcrypt.hashpw(b"secret", SALT).replace(b"$2b$", b"$2y$")
# `openssl passwd -apr1 -salt` made these.
APR1 = {
    (b"secret", b"abcdefgh"): b"$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
    (b"", b"x"): b"$apr1$x$tMwYqBfQwi3FYAr0aJc8M/",
    (b"a password of more than sixteen bytes", b"12345678"): b"$apr1$12345678$JGzV.nxBNyP84/zq0Btaq0",
}
SHA = b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


def fileOf(directory: Path, *lines: bytes) -> Path:
    path = directory / "htpasswd"
    path.write_bytes(b"\n".join(lines))
    return path


class TestEntries:
    @pytest.mark.parametrize("prefix", [b"$2y$", b"$2b$", b"$2a$"])
    def test_bcrypt_is_taken(self, tmp_path: Path, prefix: bytes) -> None:
        entry = b"joe:" + SECRET.replace(b"$2y$", prefix)
        checker = HtpasswdFile(fileOf(tmp_path, b"# users", b"", entry + b":Joe Doe\r"))
        assert avatarIdOf(checker, UsernamePassword(b"joe", b"secret")) == b"joe"

    @pytest.mark.parametrize("entry", [APR1[b"secret", b"abcdefgh"], SHA])
    def test_weak_ones_are_taken_if_asked_for(self, tmp_path: Path, entry: bytes, caplog: Any) -> None:
        path = fileOf(tmp_path, b"joe:" + entry)
        assert avatarIdOf(HtpasswdFile(path, weak=True), UsernamePassword(b"joe", b"secret")) == b"joe"
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(HtpasswdFile(path, weak=True), UsernamePassword(b"joe", b"guess"))
        assert caplog.text == ""
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(HtpasswdFile(path), UsernamePassword(b"joe", b"secret"))
        assert f"{path}:1" in caplog.text
        assert "weak=True" in caplog.text

    @pytest.mark.parametrize("entry", [b"secret", b"$6$salt$hash", b"", b"$2y$04$broken"])
    def test_others_are_refused_and_logged(self, tmp_path: Path, entry: bytes, caplog: Any) -> None:
        checker = HtpasswdFile(fileOf(tmp_path, b"joe:" + entry), weak=True)
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(checker, UsernamePassword(b"joe", b"secret"))
        assert str(tmp_path) in caplog.text

    @pytest.mark.parametrize(("shown", "entry"), APR1.items())
    def test_apr1_is_apaches(self, shown: tuple[bytes, bytes], entry: bytes) -> None:
        assert apr1(*shown) == entry

    def test_change_is_seen(self, tmp_path: Path) -> None:
        path = fileOf(tmp_path, b"joe:" + SECRET)
        checker = HtpasswdFile(path)
        assert avatarIdOf(checker, UsernamePassword(b"joe", b"secret")) == b"joe"
        path.write_bytes(b"joe:" + bcrypt.hashpw(b"changed", SALT))
        os.utime(path, ns=(1, 1))
        assert avatarIdOf(checker, UsernamePassword(b"joe", b"changed")) == b"joe"
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(checker, UsernamePassword(b"joe", b"secret"))

    def test_missing_file_is_logged_and_refused(self, tmp_path: Path, caplog: Any) -> None:
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(HtpasswdFile(tmp_path / "none"), UsernamePassword(b"joe", b"secret"))
        assert "can't be read" in caplog.text

    def test_digests_are_not_taken(self) -> None:
        assert HtpasswdFile("file").credentialInterfaces == (IUsernamePassword,)


class TestPasswords:
    def test_wrong_one_is_refused(self, tmp_path: Path) -> None:
        checker = HtpasswdFile(fileOf(tmp_path, b"joe:" + SECRET))
        for name, password in [(b"joe", b"guess"), (b"joe", b""), (b"ann", b"secret"), (b"", b"")]:
            with pytest.raises(UnauthorizedLogin):
                avatarIdOf(checker, UsernamePassword(name, password))

    def test_long_one_is_cut_where_bcrypt_does(self, tmp_path: Path) -> None:
        entry = bcrypt.hashpw(b"x" * 72, SALT)
        checker = HtpasswdFile(fileOf(tmp_path, b"joe:" + entry))
        assert avatarIdOf(checker, UsernamePassword(b"joe", b"x" * 100)) == b"joe"

    @pytest.mark.parametrize("password", [b"x" * 256, b"secret\0"])
    def test_one_that_htpasswd_could_not_make_is_refused(self, tmp_path: Path, password: bytes) -> None:
        lines = [b"joe:" + bcrypt.hashpw(b"x" * 72, SALT), b"ann:" + SECRET]
        checker = HtpasswdFile(fileOf(tmp_path, *lines))
        for name in (b"joe", b"ann"):
            with pytest.raises(UnauthorizedLogin):
                avatarIdOf(checker, UsernamePassword(name, password))


class Watched(HtpasswdFile):
    """Remembers what was hashed, and in which threads."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self.hashed: list[tuple[bytes, bytes]] = []
        self.threads: list[threading.Thread] = []

    def _check(self, password: bytes, stored: bytes) -> bool:
        self.hashed.append((password, stored))
        self.threads.append(threading.current_thread())
        return super()._check(password, stored)


class TestHashing:
    def test_right_password_is_hashed_once(self, tmp_path: Path) -> None:
        checker = Watched(fileOf(tmp_path, b"joe:" + SECRET))
        for _ in range(3):
            avatarIdOf(checker, UsernamePassword(b"joe", b"secret"))
        assert len(checker.hashed) == 1

    def test_right_password_is_not_remembered_for_ever(self, tmp_path: Path) -> None:
        checker = Watched(fileOf(tmp_path, b"joe:" + SECRET), remember=0)
        for _ in range(2):
            avatarIdOf(checker, UsernamePassword(b"joe", b"secret"))
        assert len(checker.hashed) == 2

    def test_wrong_password_is_hashed_each_time(self, tmp_path: Path) -> None:
        checker = Watched(fileOf(tmp_path, b"joe:" + SECRET))
        avatarIdOf(checker, UsernamePassword(b"joe", b"secret"))
        for _ in range(2):
            with pytest.raises(UnauthorizedLogin):
                avatarIdOf(checker, UsernamePassword(b"joe", b"guess"))
        assert len(checker.hashed) == 3

    def test_password_of_unknown_name_is_hashed_too(self, tmp_path: Path) -> None:
        checker = Watched(fileOf(tmp_path, b"joe:" + SECRET))
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(checker, UsernamePassword(b"ann", b"secret"))
        assert checker.hashed == [(b"secret", SECRET)]

    def test_is_done_in_a_thread_where_a_loop_runs(self, tmp_path: Path) -> None:
        checker = Watched(fileOf(tmp_path, b"joe:" + SECRET))

        async def main() -> None:
            assert await checker.requestAvatarId(UsernamePassword(b"joe", b"secret")) == b"joe"

        asyncio.run(main())
        assert checker.threads[0] is not threading.main_thread()


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(ImportError, match=r"sennit\[htpasswd\]"):
        HtpasswdFile("file")
