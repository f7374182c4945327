"""Conditional requests: RFC 9110 section 13, as pure functions of header values."""

import re
from collections.abc import Sequence

from sennit.web._dates import stringToDatetime

# One member of a list of entity tags: a quoted tag with what may be before it, or anything up to a comma,
# since there are clients that send back what a server gave them without quotes. Separators are no part of the
# pattern: a long run of them would be tried again from each of its bytes.
_MEMBER = re.compile(rb'(?:W/)?"[^"]*"|[^\s,"][^,]*')


def parseEntityTags(headers: Sequence[bytes]) -> list[bytes]:
    """The members of `If-Match` or `If-None-Match` headers, in order; `*` is a member like another."""
    return [found[0].rstrip() for header in headers for found in _MEMBER.finditer(header)]


def matchesWeakly(etag: bytes, tags: Sequence[bytes]) -> bool:
    """Weak comparison (section 8.8.3.2): the opaque parts are equal, weak or not. `*` matches all."""
    opaque = etag.removeprefix(b"W/")
    return any(tag == b"*" or tag.removeprefix(b"W/") == opaque for tag in tags)


def matchesStrongly(etag: bytes, tags: Sequence[bytes]) -> bool:
    """Strong comparison: equal and neither is weak. `*` matches all."""
    return any(tag == b"*" or (tag == etag and not tag.startswith(b"W/")) for tag in tags)


def parseDate(header: bytes | None) -> int | None:
    """The time in a conditional header; None without one, or if it isn't a date and so to be ignored.

    What follows a semicolon is not looked at: old clients put a length there.
    """
    if header is None:
        return None
    try:
        return stringToDatetime(header.partition(b";")[0])
    except ValueError:
        return None
