"""Between text and bytes, as programs had it that ran on Python 2 as well."""

from collections.abc import Iterator


def nativeString(s: bytes | str) -> str:
    """ASCII text as str; UnicodeError for other characters, TypeError for what is neither bytes nor str."""
    if not isinstance(s, bytes | str):
        raise TypeError(f"{s!r} is neither bytes nor str")
    if isinstance(s, bytes):
        return s.decode("ascii")
    s.encode("ascii")
    return s


def networkString(s: str) -> bytes:
    """ASCII text as bytes; UnicodeError for other characters, TypeError for what is no str."""
    if not isinstance(s, str):
        raise TypeError(f"{s!r} is not str")
    return s.encode("ascii")


def iterbytes(originalBytes: bytes) -> Iterator[bytes]:
    """The bytes one by one, each as bytes."""
    return (originalBytes[place : place + 1] for place in range(len(originalBytes)))
