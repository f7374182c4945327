"""Range requests: RFC 9110 section 14, as pure functions of header values."""

import re
import time
from itertools import pairwise

from sennit.web._conditional import parseDate

# More digits than any file's size has are no number to calculate with.
_SPEC = re.compile(rb"(\d{0,19})[ \t]*-[ \t]*(\d{0,19})")
_UNIT = re.compile(rb"[ \t]*bytes[ \t]*=", re.IGNORECASE)

Span = tuple[int, int]
"""First byte and number of bytes (one or more)."""


class Unsatisfiable(Exception):
    """None of the ranges asked for is in the file."""


def parseRange(header: bytes, size: int, maxRanges: int) -> list[Span] | None:
    """The parts of a file of `size` bytes that a Range header asks for, in its order; None if it is to be
    ignored, and the whole file sent.

    It is ignored if it is malformed, in another unit, has more than `maxRanges` ranges or ranges that
    overlap: section 14.2 lets a server do so, and a client that asks for a byte twice means no good. Ranges
    outside of the file are left out; Unsatisfiable if no other is there.
    """
    unit = _UNIT.match(header)
    # Lists may have empty members (section 5.6.1.2); not without end.
    if unit is None or header.count(b",") > 2 * maxRanges:
        return None
    members = [member.strip(b" \t") for member in header[unit.end() :].split(b",")]
    members = [member for member in members if member]
    if not members or len(members) > maxRanges:
        return None
    spans: list[Span] = []
    for member in members:
        found = _SPEC.fullmatch(member)
        if found is None:
            return None
        span = _spanOf(found[1], found[2], size)
        if span is None:
            return None
        if span[1] > 0:
            spans.append(span)
    if not spans:
        # There is no way to say "the last bytes of nothing": the whole of it is as good (section 14.1.2).
        if size == 0 and all(member.startswith(b"-") and int(member[1:]) for member in members):
            return None
        raise Unsatisfiable
    return None if _overlap(spans) else spans


def _spanOf(first: bytes, last: bytes, size: int) -> Span | None:
    """One range; of no bytes if it is outside of the file, None if it is none."""
    if not first:
        if not last:
            return None
        length = min(int(last), size)
        return size - length, length
    start = int(first)
    if last and int(last) < start:
        return None
    end = min(int(last) + 1, size) if last else size
    return start, max(end - start, 0)


def _overlap(spans: list[Span]) -> bool:
    if len(spans) == 1:
        return False
    inOrder = sorted(spans)
    return any(start + length > following for (start, length), (following, _) in pairwise(inOrder))


def holdsIfRange(header: bytes, etag: bytes | None, lastModified: int) -> bool:
    """Whether an If-Range header means the file as it is now, so that a part of it will do (section 13.1.5).

    A tag is compared strongly. A date must be the very same, and long enough ago for the file not to have
    changed within that second (section 8.8.2.2).
    """
    value = header.strip(b" \t")
    if value.startswith((b'"', b"W/")):
        return value == etag and not value.startswith(b"W/")
    return parseDate(value) == lastModified and lastModified < int(time.time())


def contentRange(span: Span, size: int) -> bytes:
    """The value of Content-Range for one part of a file of `size` bytes."""
    return b"bytes %d-%d/%d" % (span[0], span[0] + span[1] - 1, size)
