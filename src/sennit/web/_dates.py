"""Dates in headers and logs (RFC 9110 section 5.6.7)."""

import re
import time
from datetime import date
from functools import cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name.lower().encode("ascii"): number for number, name in enumerate(_MONTHS, 1)}

_CLOCK = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS = (
    # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    rb"[a-z]{3}, +(?P<day>\d\d?) +(?P<month>[a-z]{3}) +(?P<year>\d{4}) +" + _CLOCK + rb"(?: +GMT)?",
    # The obsolete form of RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
    rb"[a-z]{3,9}, +(?P<day>\d\d?)-(?P<month>[a-z]{3})-(?P<year>\d{2}|\d{4}) +" + _CLOCK + rb"(?: +GMT)?",
    # The form of C's asctime: Sun Nov  6 08:49:37 1994
    rb"[a-z]{3} +(?P<month>[a-z]{3}) +(?P<day>\d\d?) +" + _CLOCK + rb" +(?P<year>\d{4})(?: +GMT)?",
)

# Two-digit years below this are of this century, as programs of this interface have read them since 2001.
_CENTURY_PIVOT = 69


_UNIX_EPOCH = date(1970, 1, 1).toordinal()


@cache
def _form(pattern: bytes) -> re.Pattern[bytes]:
    # Not at the start: servers should start quickly, and most never read a date.
    return re.compile(pattern, re.IGNORECASE)


def datetimeToString(msSinceEpoch: float | None = None) -> bytes:
    """The HTTP date (bytes) of a time in seconds since the epoch, now by default."""
    moment = time.gmtime(msSinceEpoch)
    return (
        f"{_DAYS[moment.tm_wday]}, {moment.tm_mday:02d} {_MONTHS[moment.tm_mon - 1]} {moment.tm_year:04d} "
        f"{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d} GMT"
    ).encode("ascii")


def datetimeToLogString(msSinceEpoch: float | None = None) -> str:
    """The time in seconds since the epoch (now by default) as access logs have it: `[06/Nov/1994:08:49:37
    +0000]`."""
    moment = time.gmtime(msSinceEpoch)
    return (
        f"[{moment.tm_mday:02d}/{_MONTHS[moment.tm_mon - 1]}/{moment.tm_year:04d}:"
        f"{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d} +0000]"
    )


def stringToDatetime(dateString: bytes | str) -> int:
    """Seconds since the epoch for an HTTP date in any of its three forms; ValueError for anything else."""
    text = dateString.encode("latin-1", "replace") if isinstance(dateString, str) else dateString
    text = text.strip(b" \t")
    for form in _FORMS:
        found = _form(form).fullmatch(text)
        if found is None:
            continue
        month = _MONTH_NUMBERS.get(found["month"].lower())
        if month is None:
            break
        year = int(found["year"])
        if len(found["year"]) == 2:
            year += 2000 if year < _CENTURY_PIVOT else 1900
        return timegm(
            year, month, int(found["day"]), int(found["hour"]), int(found["minute"]), int(found["second"])
        )
    raise ValueError(f"not an HTTP date: {dateString!r}")


def timegm(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Seconds since the epoch of a time in UTC; ValueError before 1970 or for a day that doesn't exist."""
    if year < 1970:
        raise ValueError(f"year {year} is before 1970")
    try:
        days = date(year, month, day).toordinal() - _UNIX_EPOCH
    except ValueError:
        raise ValueError(f"no such day: {year}-{month}-{day}") from None
    # A minute may have a 61st second (RFC 9110 section 5.6.7).
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 60):
        raise ValueError(f"no such time: {hour}:{minute}:{second}")
    return ((days * 24 + hour) * 60 + minute) * 60 + second
