"""Checkers in memory, of files of passwords, and for anonymous visitors."""

import os
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sennit.cred import checkers, credentials
from sennit.cred._comparing import sameSecret
from sennit.cred.checkers import FilePasswordDB, InMemoryUsernamePasswordDatabaseDontUse
from sennit.cred.credentials import UsernamePassword
from sennit.cred.error import UnauthorizedLogin
from sennit.internet.defer import succeed
from tests.unit.cred.outcomes import avatarIdOf


class Counting:
    """Credentials that remember what they were compared with."""

    def __init__(self, username: bytes, answer: Any = False) -> None:
        self.username = username
        self.answer = answer
        self.compared: list[bytes] = []

    def checkPassword(self, password: bytes) -> Any:
        self.compared.append(password)
        return self.answer


@pytest.mark.parametrize(
    ("shown", "right", "same"),
    [
        (b"secret", b"secret", True),
        (b"sekret", b"secret", False),
        (b"secre", b"secret", False),
        (b"", b"", True),
        ("grün", "grün".encode(), True),
        (b"gr\xfcn", "grün", False),
    ],
)
def test_secrets_are_compared_as_bytes(shown: Any, right: Any, same: bool) -> None:
    assert sameSecret(shown, right) == same
    assert UsernamePassword(b"joe", shown).checkPassword(right) == same


@pytest.mark.parametrize(
    "checker",
    [
        checkers.AllowAnonymousAccess(),
        InMemoryUsernamePasswordDatabaseDontUse(),
        FilePasswordDB("f"),
        checkers.HtpasswdFile("f"),
    ],
)
def test_checkers_provide_their_interface(checker: Any) -> None:
    assert verifyObject(checkers.ICredentialsChecker, checker)


def test_anonymous_visitor_is_nobody() -> None:
    assert avatarIdOf(checkers.AllowAnonymousAccess(), credentials.Anonymous()) == checkers.ANONYMOUS == ()


class TestInMemory:
    def test_right_password_gives_the_name(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret", ann="grün")
        assert avatarIdOf(checker, UsernamePassword(b"joe", b"secret")) == b"joe"
        assert avatarIdOf(checker, UsernamePassword("ann", "grün")) == b"ann"

    @pytest.mark.parametrize(("name", "password"), [(b"joe", b"guess"), (b"ann", b"secret"), (b"", b"")])
    def test_others_are_refused(self, name: bytes, password: bytes) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret")
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(checker, UsernamePassword(name, password))

    def test_users_can_be_added(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser("jörg", "secret")
        assert avatarIdOf(checker, UsernamePassword("jörg".encode(), b"secret")) == "jörg".encode()

    def test_unknown_name_is_compared_too(self) -> None:
        shown = Counting(b"ann", answer=True)
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret"), shown)
        assert len(shown.compared) == 1

    def test_comparing_may_be_async(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret")
        assert avatarIdOf(checker, Counting(b"joe", answer=succeed(True))) == b"joe"
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(checker, Counting(b"joe", answer=succeed(False)))


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "passwords"
        path.write_bytes(b"joe:secret\nann:other:x  \nbroken\n\njoe:second\n")
        return path

    @pytest.mark.parametrize("cache", [False, True])
    def test_users_are_found(self, path: Path, cache: bool) -> None:
        checker = FilePasswordDB(path, cache=cache)
        assert avatarIdOf(checker, UsernamePassword(b"joe", b"secret")) == b"joe"
        assert avatarIdOf(checker, UsernamePassword(b"ann", b"other")) == b"ann"
        assert checker.getUser("joe") == (b"joe", b"secret")

    @pytest.mark.parametrize(
        ("name", "password"), [(b"joe", b"second"), (b"ann", b"x"), (b"broken", b""), (b"", b"")]
    )
    def test_others_are_refused(self, path: Path, name: bytes, password: bytes) -> None:
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(FilePasswordDB(path), UsernamePassword(name, password))

    def test_unknown_user_is_a_key_error(self, path: Path) -> None:
        with pytest.raises(KeyError):
            FilePasswordDB(path).getUser(b"nobody")

    def test_fields_and_delimiter_can_be_chosen(self, tmp_path: Path) -> None:
        path = tmp_path / "passwords"
        path.write_bytes(b"1|secret|joe\r\n")
        checker = FilePasswordDB(str(path), delim="|", usernameField=2, passwordField=1)
        assert checker.getUser(b"joe") == (b"joe", b"secret")

    def test_case_of_names_may_be_ignored(self, path: Path) -> None:
        path.write_bytes(b"Joe:secret\n")
        checker = FilePasswordDB(path, caseSensitive=False)
        assert avatarIdOf(checker, UsernamePassword(b"JOE", b"secret")) == b"joe"
        with pytest.raises(KeyError):
            FilePasswordDB(path).getUser(b"joe")

    @pytest.mark.parametrize("cache", [False, True])
    def test_changes_are_seen(self, path: Path, cache: bool) -> None:
        checker = FilePasswordDB(path, cache=cache)
        checker.getUser(b"joe")
        path.write_bytes(b"joe:changed\n")
        os.utime(path, ns=(1, 1))
        assert checker.getUser(b"joe") == (b"joe", b"changed")

    def test_missing_file_is_logged_and_refused(self, tmp_path: Path, caplog: Any) -> None:
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(FilePasswordDB(tmp_path / "none"), UsernamePassword(b"joe", b""))
        assert "can't be read" in caplog.text

    def test_passwords_may_be_hashed(self, path: Path) -> None:
        def reverse(name: bytes, password: bytes, stored: bytes) -> Any:
            return succeed(password[::-1]) if name == b"joe" else password[::-1]

        checker = FilePasswordDB(path, hash=reverse)
        assert checker.credentialInterfaces == (credentials.IUsernamePassword,)
        assert avatarIdOf(checker, UsernamePassword(b"joe", b"terces")) == b"joe"
        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(checker, UsernamePassword(b"joe", b"secret"))

    def test_unknown_name_is_hashed_too(self, path: Path) -> None:
        hashed: list[bytes] = []

        def remember(name: bytes, password: bytes, stored: bytes) -> bytes:
            hashed.append(stored)
            return stored

        with pytest.raises(UnauthorizedLogin):
            avatarIdOf(FilePasswordDB(path, hash=remember), UsernamePassword(b"nobody", b"x"))
        assert hashed == [b"secret"]

    def test_digests_can_be_checked_against_passwords_in_the_clear(self, path: Path) -> None:
        assert credentials.IUsernameHashedPassword in FilePasswordDB(path).credentialInterfaces
