"""The files of the static scenarios, the same for all servers."""

import json
import random
from functools import cache

from benchmarks.paths import BUILD

FOLDER = BUILD / "files"
"""What every server serves under /static/."""

_KIB = b"0123456789abcdef" * 64

DOCUMENT = "64k.json"
"""A file that is worth compressing: what an API may answer."""

SIZES: dict[str, int] = {"1k.html": 1, "64k.html": 64, "1m.html": 1024}
"""File names and their sizes in KiB."""


def content(name: str) -> bytes:
    """Return what is in the file called `name`; KeyError if there is none."""
    return document() if name == DOCUMENT else _KIB * SIZES[name]


@cache
def document() -> bytes:
    """Return 64 KiB of JSON, the same each time: rows of numbers, words, flags and random ids."""
    dice = random.Random(3)
    words = ("alpha", "beta", "gamma", "order", "customer", "invoice", "status", "shipped", "address", "city")
    rows: list[dict[str, object]] = []
    length = 0
    while length < 64 << 10:
        row: dict[str, object] = {
            "id": len(rows),
            "name": " ".join(dice.choices(words, k=3)),
            "price": round(dice.random() * 1000, 2),
            "active": dice.random() < 0.5,
            "tags": dice.choices(words, k=3),
            "reference": f"{dice.getrandbits(32):08x}",
        }
        length += len(json.dumps(row)) + 2
        rows.append(row)
    # A text that ends early is as good to compress.
    return json.dumps(rows).encode()[: 64 << 10]


def prepare() -> None:
    """Write the files that aren't there yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in (*SIZES, DOCUMENT):
        path = FOLDER / name
        if not path.exists() or path.read_bytes() != content(name):
            path.write_bytes(content(name))
