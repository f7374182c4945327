"""The reference page about limits says what the code says."""

import re

import pytest

from sennit.web._limits import Limit, allLimits
from sennit.web.server import Site

from .pages import ROOT

ROWS = re.findall(
    r"^\| `(\w+)` \| (\S+) \| (\S+) \| (yes|no) \| (.*) \|$",
    (ROOT / "docs" / "reference" / "site-limits.md").read_text(),
    re.MULTILINE,
)
LIMITS = list(allLimits(Site))


def test_page_has_every_limit_in_order() -> None:
    assert [name for name, *_ in ROWS] == [limit.name for limit in LIMITS]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_row_says_what_the_limit_is(limit: Limit) -> None:
    row = next(row for row in ROWS if row[0] == limit.name)
    assert row[1:] == (
        str(limit.default),
        "-" if limit.status is None else str(limit.status),
        "yes" if limit.optional else "no",
        limit.__doc__,
    )
