"""Files that are there in compressed form too, as siblings: which of them a client wants (RFC 9110 section
12.5.3)."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from sennit.web._negotiate import _weight
from sennit.web._static_names import look

# Longer values are decided anew each time rather than kept.
_CACHEABLE_LENGTH = 256

IDENTITY = "identity"


def _weights(accept: bytes) -> dict[str, float]:
    weights: dict[str, float] = {}
    for item in accept.split(b","):
        coding, _, parameters = item.partition(b";")
        name = coding.strip(b" \t").lower().decode("latin-1")
        # The name that gzip had before HTTP/1.1 (RFC 9110 section 8.4.1.3).
        name = "gzip" if name == "x-gzip" else name
        if name:
            weights[name] = max(weights.get(name, 0.0), _weight(parameters))
    return weights


_weightsCached = lru_cache(maxsize=256)(_weights)


def preferredCoding(accept: bytes | None, offered: Iterable[str]) -> str:
    """Which of the codings `offered`, the server's favourite first, to send; `identity` for none of them.

    None as `accept` is a request without Accept-Encoding: that would allow any coding, and is sent by clients
    that know none.
    """
    if accept is None:
        return IDENTITY
    weights = _weightsCached(accept) if len(accept) <= _CACHEABLE_LENGTH else _weights(accept)
    other = weights.get("*", 0.0)
    # Acceptable without being asked for, but not before what is.
    best, bestWeight = IDENTITY, weights.get(IDENTITY, 0.0)
    for coding in offered:
        weight = weights.get(coding, other)
        if weight > bestWeight or (weight == bestWeight > 0.0 and best == IDENTITY):
            best, bestWeight = coding, weight
    return best


def findVariants(
    path: str, original: os.stat_result, extensions: Mapping[str, str], root: str | None
) -> dict[str, tuple[str, os.stat_result]]:
    """The compressed siblings of a file that can be sent in its place: coding to path and what is there.

    Not those that are older than the file: its content has changed since. Links as in `look`.
    """
    variants: dict[str, tuple[str, os.stat_result]] = {}
    for coding, extension in extensions.items():
        sibling = path + extension
        # Most files have none, and this is the cheapest way to learn that.
        if not os.access(sibling, os.F_OK):
            continue
        found = look(sibling, root)
        # In whole seconds: tools that copy the time of the original may not copy its fraction.
        if found is not None and int(found.st_mtime) >= int(original.st_mtime):
            variants[coding] = sibling, found
    return variants


def acceptEncodingOf(headers: Sequence[bytes] | None) -> bytes | None:
    """Several Accept-Encoding headers as one."""
    return None if headers is None else b",".join(headers)
