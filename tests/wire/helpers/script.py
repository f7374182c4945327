"""A little language in which a test says what the program on the server does with its request.

A script is a JSON list of operations, each a list whose first item names it. Text is given as str, or as
`{"bytes": "..."}` (latin-1) where the program shall pass bytes.
"""

import json
from typing import Any
from urllib.parse import quote

Operation = list[Any]


def raw(value: bytes) -> dict[str, str]:
    """Bytes as an argument of an operation."""
    return {"bytes": value.decode("latin-1")}


def path_of(operations: list[Operation], *, waits: bool = False) -> str:
    """The target that runs a script: in a plain render method, or in an `async` one if `waits`."""
    return ("/async-script?" if waits else "/script?") + quote(json.dumps(operations))
