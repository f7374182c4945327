"""HTTP dates in their three forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sennit.web._dates import datetimeToLogString, datetimeToString, stringToDatetime, timegm

MOMENT = 784111777


def test_to_string_gives_imf_fixdate() -> None:
    assert datetimeToString(MOMENT) == b"Sun, 06 Nov 1994 08:49:37 GMT"


def test_to_log_string_has_brackets_and_zone() -> None:
    assert datetimeToLogString(MOMENT) == "[06/Nov/1994:08:49:37 +0000]"


@pytest.mark.parametrize(
    "text",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"sun, 06 nov 1994 08:49:37 gmt",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b" Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_from_string_reads_all_forms(text: bytes | str) -> None:
    assert stringToDatetime(text) == MOMENT


@pytest.mark.parametrize(("text", "year"), [(b"68", 2068), (b"69", 1969 + 100 * 0)])
def test_from_string_places_two_digit_years(text: bytes, year: int) -> None:
    date = b"Sunday, 06-Nov-" + text + b" 08:49:37 GMT"
    if year < 1970:
        with pytest.raises(ValueError, match="1969"):
            stringToDatetime(date)
    else:
        assert stringToDatetime(date) == timegm(year, 11, 6, 8, 49, 37)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"yesterday",
        b"Sun, 06 Xxx 1994 08:49:37 GMT",
        b"Sun, 31 Feb 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37 CET",
        b"Sun, 06 Nov 1969 08:49:37 GMT",
    ],
)
def test_from_string_refuses_what_is_no_date(text: bytes) -> None:
    with pytest.raises(ValueError):
        stringToDatetime(text)


@given(st.integers(min_value=0, max_value=253402300799))
def test_from_string_undoes_to_string(moment: int) -> None:
    assert stringToDatetime(datetimeToString(moment)) == moment


@given(st.binary(max_size=60))
def test_from_string_raises_nothing_but_value_error(text: bytes) -> None:
    try:
        stringToDatetime(text)
    except ValueError:
        pass
