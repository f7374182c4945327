"""Those who tell who somebody is: by a table in memory, by files, or not at all."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from zope.interface import implementer

from sennit.cred._comparing import NOBODYS_PASSWORD, resultOf, sameSecret, toBytes
from sennit.cred._htpasswd import HtpasswdFile
from sennit.cred._interfaces import (
    IAnonymous,
    ICredentialsChecker,
    IUsernameHashedPassword,
    IUsernamePassword,
)
from sennit.cred.error import UnauthorizedLogin
from sennit.internet.defer import Deferred, ensureDeferred, succeed

__all__ = [
    "ANONYMOUS",
    "AllowAnonymousAccess",
    "FilePasswordDB",
    "HtpasswdFile",
    "ICredentialsChecker",
    "InMemoryUsernamePasswordDatabaseDontUse",
]

_logger = logging.getLogger("sennit.cred")

# The avatar id of those who have shown nothing.
ANONYMOUS: Final[tuple[()]] = ()


@implementer(ICredentialsChecker)
class AllowAnonymousAccess:
    """Lets in everyone who has shown nothing, as `ANONYMOUS`."""

    credentialInterfaces: Any = (IAnonymous,)

    def requestAvatarId(self, credentials: Any) -> Deferred[tuple[()]]:
        """A Deferred of `ANONYMOUS`."""
        return succeed(ANONYMOUS)


@implementer(ICredentialsChecker)
class InMemoryUsernamePasswordDatabaseDontUse:
    """Names and passwords in the memory of the program: for tests and examples, as the name says.

    Each keyword argument is a name with its password (bytes or str). `users` maps the names to the passwords,
    bytes.
    """

    credentialInterfaces: Any = (IUsernamePassword, IUsernameHashedPassword)

    def __init__(self, **users: bytes | str) -> None:
        self.users: dict[bytes, bytes] = {}
        for username, password in users.items():
            self.addUser(username, password)

    def addUser(self, username: bytes | str, password: bytes | str) -> None:
        """Add a user, or give one another password."""
        self.users[toBytes(username)] = toBytes(password)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes]:
        """A Deferred of the name; fails with UnauthorizedLogin."""
        return ensureDeferred(self._avatarId(credentials))

    async def _avatarId(self, credentials: Any) -> bytes:
        name = toBytes(credentials.username)
        password = self.users.get(name)
        # Names that nobody has are checked as well: how long it takes is not to tell who has an account.
        expected = NOBODYS_PASSWORD if password is None else password
        matches = await resultOf(credentials.checkPassword(expected))
        if password is None or not matches:
            raise UnauthorizedLogin("The name or the password is wrong.")
        return name


@implementer(ICredentialsChecker)
class FilePasswordDB:
    """Names and passwords in the lines of a file.

    A line is split at `delim`; `usernameField` and `passwordField` say which parts count, from 0; whitespace
    at its end is dropped, and the first line for a name is the one. Without `caseSensitive`, names are
    compared, and given to the realm, in lower case (that of ASCII).

    The passwords are in the clear, unless there is a `hash`: called with name, password shown and password
    stored (bytes), it returns what must be equal to the one stored, or an awaitable of it. Then only
    passwords in the clear can be checked, no digests. The file is read at each login; with `cache`, only when
    it has changed.
    """

    def __init__(
        self,
        filename: str | bytes | os.PathLike[str],
        delim: bytes | str = b":",
        usernameField: int = 0,
        passwordField: int = 1,
        caseSensitive: bool = True,
        hash: Callable[[bytes, bytes, bytes], Any] | None = None,
        cache: bool = False,
    ) -> None:
        self.filename = filename
        self.delim = toBytes(delim)
        self.ufield = usernameField
        self.pfield = passwordField
        self.caseSensitive = caseSensitive
        self.hash = hash
        self.cache = cache
        self.credentialInterfaces: Any = (
            (IUsernamePassword, IUsernameHashedPassword) if hash is None else (IUsernamePassword,)
        )
        self._users: dict[bytes, bytes] = {}
        self._stamp: tuple[int, int, int] | None = None

    def getUser(self, username: bytes | str) -> tuple[bytes, bytes]:
        """Name and password as they are stored; KeyError if there is no such user, UnauthorizedLogin if the
        file can't be read."""
        name = self._key(toBytes(username))
        return name, self._readUsers()[name]

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes]:
        """A Deferred of the name; fails with UnauthorizedLogin, also if the file can't be read."""
        return ensureDeferred(self._avatarId(credentials))

    async def _avatarId(self, credentials: Any) -> bytes:
        name = self._key(toBytes(credentials.username))
        users = self._readUsers()
        stored = users.get(name)
        if stored is not None:
            expected = stored
        else:
            # As in memory; another user's, since a hash function needs one of its own form.
            expected = next(iter(users.values()), NOBODYS_PASSWORD)
        matches = bool(users) and await self._matches(credentials, expected)
        if stored is None or not matches:
            raise UnauthorizedLogin("The name or the password is wrong.")
        return name

    async def _matches(self, credentials: Any, expected: bytes) -> bool:
        if self.hash is None:
            return bool(await resultOf(credentials.checkPassword(expected)))
        shown = toBytes(credentials.username), toBytes(credentials.password)
        return sameSecret(await resultOf(self.hash(*shown, expected)), expected)

    def _readUsers(self) -> dict[bytes, bytes]:
        try:
            with open(self.filename, "rb") as file:
                if not self.cache:
                    return self._parse(file)
                status = os.fstat(file.fileno())
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                if stamp != self._stamp:
                    self._users = self._parse(file)
                    self._stamp = stamp
                return self._users
        except OSError as error:
            _logger.error("The passwords can't be read: %s", error)
            raise UnauthorizedLogin("The passwords can't be read.") from error

    def _parse(self, lines: Iterable[bytes]) -> dict[bytes, bytes]:
        users: dict[bytes, bytes] = {}
        for name, password in self._split(lines):
            users.setdefault(name, password)
        return users

    def _split(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        last = max(self.ufield, self.pfield)
        for line in lines:
            parts = line.rstrip().split(self.delim)
            if len(parts) > last:
                yield self._key(parts[self.ufield]), parts[self.pfield]

    def _key(self, name: bytes) -> bytes:
        return name if self.caseSensitive else name.lower()
