"""Passwords in the files that Apache's `htpasswd` makes, which nginx and others read as well.

bcrypt (`htpasswd -B`) is what is taken. `$apr1$` (1000 rounds of MD5) and `{SHA}` (one of SHA-1, without
salt) are guessed at by the million per second once a file is stolen, and are taken only if asked for. What
`htpasswd` calls plain text and crypt is not taken.
"""

import asyncio
import logging
import os
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import md5, sha1
from types import ModuleType
from typing import Any

from zope.interface import implementer

from sennit.cred._comparing import fingerprint, sameSecret, toBytes
from sennit.cred._interfaces import ICredentialsChecker, IUsernamePassword
from sennit.cred.error import UnauthorizedLogin
from sennit.internet.defer import Deferred, ensureDeferred

_logger = logging.getLogger("sennit.cred")

_BCRYPT = (b"$2y$", b"$2b$", b"$2a$")
_APR1 = b"$apr1$"
_SHA = b"{SHA}"

# htpasswd makes none of a longer password.
_LONGEST_PASSWORD = 255
# What bcrypt looks at; longer ones are cut there by htpasswd, and refused by newer versions of the library.
_BCRYPT_LENGTH = 72
# Right passwords remembered at a time.
_REMEMBERED = 10_000

_CRYPT_DIGITS = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@implementer(ICredentialsChecker)
class HtpasswdFile:
    """Users of a file made by `htpasswd -B`. It is read again when it has changed.

    `weak` takes entries with `$apr1$` and `{SHA}` too. A password that was right is right without being
    hashed again for `remember` seconds, as long as its entry is the same: browsers send it with every
    request, and bcrypt takes its time. The hashing is done in threads. Raises ImportError if the package
    bcrypt is not installed.
    """

    credentialInterfaces: Any = (IUsernamePassword,)

    def __init__(
        self, filename: str | bytes | os.PathLike[str], *, weak: bool = False, remember: float = 300
    ) -> None:
        self.filename = filename
        self.weak = weak
        self.remember = remember
        self._bcrypt = _importBcrypt()
        self._entries: dict[bytes, bytes] = {}
        self._stamp: tuple[int, int, int] | None = None
        # Fingerprints of what was right to when it is to be looked at again.
        self._right: dict[bytes, float] = {}

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes]:
        """A Deferred of the name; fails with UnauthorizedLogin, also if the file can't be read."""
        return ensureDeferred(self._avatarId(toBytes(credentials.username), toBytes(credentials.password)))

    async def _avatarId(self, name: bytes, password: bytes) -> bytes:
        entries = self._readEntries()
        stored = entries.get(name)
        if stored is None:
            # Hashed in vain, so that names that nobody has take as long as the others.
            await self._matches(password, next(iter(entries.values()), b""))
        else:
            shown = fingerprint(name, password, stored)
            if self._isRemembered(shown):
                return name
            if await self._matches(password, stored):
                self._keep(shown)
                return name
        raise UnauthorizedLogin("The name or the password is wrong.")

    def _isRemembered(self, shown: bytes) -> bool:
        until = self._right.get(shown)
        return until is not None and time.monotonic() < until

    def _keep(self, shown: bytes) -> None:
        self._right.pop(shown, None)
        if len(self._right) >= _REMEMBERED:
            del self._right[next(iter(self._right))]
        if self.remember > 0:
            self._right[shown] = time.monotonic() + self.remember

    async def _matches(self, password: bytes, stored: bytes) -> bool:
        if not stored or len(password) > _LONGEST_PASSWORD or b"\0" in password:
            return False
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._check(password, stored)
        return await loop.run_in_executor(_threads(), self._check, password, stored)

    def _check(self, password: bytes, stored: bytes) -> bool:
        if stored.startswith(_SHA):
            return sameSecret(b64encode(sha1(password, usedforsecurity=False).digest()), stored[len(_SHA) :])
        if stored.startswith(_APR1):
            salt = stored[len(_APR1) :].partition(b"$")[0]
            return sameSecret(apr1(password, salt), stored)
        try:
            return bool(self._bcrypt.checkpw(password[:_BCRYPT_LENGTH], stored))
        except ValueError:
            _logger.error("An entry of %s is malformed", os.fsdecode(self.filename))
            return False

    def _readEntries(self) -> dict[bytes, bytes]:
        try:
            with open(self.filename, "rb") as file:
                status = os.fstat(file.fileno())
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                if stamp != self._stamp:
                    self._entries = self._parse(file.read())
                    self._stamp = stamp
        except OSError as error:
            _logger.error("The passwords can't be read: %s", error)
            raise UnauthorizedLogin("The passwords can't be read.") from error
        return self._entries

    def _parse(self, text: bytes) -> dict[bytes, bytes]:
        taken = (*_BCRYPT, _APR1, _SHA) if self.weak else _BCRYPT
        entries: dict[bytes, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            name, colon, rest = line.strip().partition(b":")
            stored = rest.partition(b":")[0]
            if not name or name.startswith(b"#"):
                continue
            if colon and stored.startswith(taken):
                entries.setdefault(name, stored)
            else:
                where = f"{os.fsdecode(self.filename)}:{number}"
                hint = ", or take it with weak=True" if stored.startswith((_APR1, _SHA)) else ""
                _logger.warning("%s: no bcrypt hash, the user can't log in: make one%s", where, hint)
        return entries


def apr1(password: bytes, salt: bytes) -> bytes:
    """The whole `$apr1$` entry for a password: the MD5-based scheme of Apache's apr_md5_encode."""
    start = md5(password + _APR1 + salt, usedforsecurity=False)
    alternate = md5(password + salt + password, usedforsecurity=False).digest()
    start.update((alternate * (len(password) // 16 + 1))[: len(password)])
    bits = len(password)
    while bits:
        start.update(b"\0" if bits & 1 else password[:1])
        bits >>= 1
    digest = start.digest()
    for number in range(1000):
        odd = number & 1
        turn = md5(password if odd else digest, usedforsecurity=False)
        if number % 3:
            turn.update(salt)
        if number % 7:
            turn.update(password)
        turn.update(digest if odd else password)
        digest = turn.digest()
    groups = [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)]
    text = b"".join(_digits(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in groups)
    return b"%b%b$%b%b" % (_APR1, salt, text, _digits(digest[11], 2))


def _digits(number: int, count: int) -> bytes:
    """A number in crypt's base 64, lowest digit first."""
    return bytes(_CRYPT_DIGITS[number >> 6 * place & 63] for place in range(count))


@cache
def _threads() -> ThreadPoolExecutor:
    # Of its own, so that a flood of wrong passwords takes no threads from the program; hashing needs
    # processors, and more threads than those are of no use.
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="sennit-htpasswd")


def _importBcrypt() -> ModuleType:
    try:
        import bcrypt
    except ImportError as error:
        raise ImportError(
            "HtpasswdFile needs the package bcrypt: pip install 'sennit[htpasswd]'", name="bcrypt"
        ) from error
    return bcrypt
