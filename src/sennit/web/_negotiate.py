"""Which form of an error page a client wants (RFC 9110 section 12.5.1)."""

from functools import lru_cache

HTML = b"text/html"
PROBLEM = b"application/problem+json"
TEXT = b"text/plain"

# Longer values are decided anew each time rather than kept.
_CACHEABLE_LENGTH = 512

# What each form may be asked for as, most specific first, with the form's rank where the client has no
# preference.
_OFFERS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (HTML, (b"text/html", b"application/xhtml+xml", b"text/*", b"*/*")),
    (PROBLEM, (b"application/problem+json", b"application/json", b"application/*", b"*/*")),
    (TEXT, (b"text/plain", b"text/*", b"*/*")),
)


def preferredForm(accept: bytes | None) -> bytes:
    """The media type to answer in: HTML, PROBLEM or TEXT. HTML without `Accept`, or where nothing fits.

    A client that accepts none of the three gets HTML all the same: an error that can't be read is worse than
    one in another form (RFC 9110 section 12.5.1 allows it).
    """
    if accept is None or accept == b"*/*":
        return HTML
    if len(accept) > _CACHEABLE_LENGTH:
        return _decide(accept)
    return _decideCached(accept)


def _decide(accept: bytes) -> bytes:
    weights: dict[bytes, float] = {}
    for item in accept.split(b","):
        mediaRange, _, parameters = item.partition(b";")
        name = mediaRange.strip(b" \t").lower()
        if name:
            weights[name] = max(weights.get(name, 0.0), _weight(parameters))
    best, bestWeight = HTML, 0.0
    for form, names in _OFFERS:
        # The most specific range that matches decides, also when its weight is lower than a wildcard's.
        weight = next((weights[name] for name in names if name in weights), 0.0)
        if weight > bestWeight:
            best, bestWeight = form, weight
    return best


_decideCached = lru_cache(maxsize=256)(_decide)


def _weight(parameters: bytes) -> float:
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip(b" \t").lower() == b"q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0.0 <= weight <= 1.0 else 0.0
    return 1.0
