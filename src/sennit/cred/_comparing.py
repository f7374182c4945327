"""Comparing secrets in a time that tells nothing about them."""

from hashlib import blake2b
from hmac import compare_digest
from inspect import isawaitable
from os import urandom
from typing import Any

_KEY = urandom(32)

# Checked for names that nobody has, so that they take as long as the others.
NOBODYS_PASSWORD = urandom(16).hex().encode("ascii")


def toBytes(value: bytes | str) -> bytes:
    """Text as UTF-8, bytes as they are."""
    return value.encode("utf-8") if isinstance(value, str) else value


def sameSecret(one: bytes | str, other: bytes | str) -> bool:
    """Whether two secrets are equal."""
    # Of the secrets themselves, compare_digest would give the length away.
    return compare_digest(fingerprint(one), fingerprint(other))


def fingerprint(*secrets: bytes | str) -> bytes:
    """A hash of some secrets that is the same for the time of this process, and of no use outside of it."""
    hashed = blake2b(key=_KEY)
    for secret in secrets:
        data = toBytes(secret)
        hashed.update(b"%d:%b" % (len(data), data))
    return hashed.digest()


async def resultOf(value: Any) -> Any:
    """A value, or what comes of it if it is awaitable."""
    return await value if isawaitable(value) else value
