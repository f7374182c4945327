"""Server-sent events without end, which tell when their client has left: in `counts["left"]`."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

_EVENT = b"data: x\n\n"
_PAUSE = 0.01
# Once it is known that leaving is noticed, nobody needs events often.
_LONG_PAUSE = 60


def endless(counts: dict[str, int]) -> Iterator[bytes]:
    try:
        while True:
            yield _EVENT
            time.sleep(_PAUSE)
    finally:
        counts["left"] += 1


async def endlessAsync(counts: dict[str, int]) -> AsyncIterator[bytes]:
    try:
        while True:
            yield _EVENT
            await asyncio.sleep(_LONG_PAUSE if counts["left"] else _PAUSE)
    finally:
        counts["left"] += 1
