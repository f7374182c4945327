"""The limits and time-outs of a site: what a client may cost, each an attribute of `Site`."""

import math
from collections.abc import Iterator
from typing import Any, overload


class Limit:
    """One limit, as a data descriptor: reading gives its value, setting checks the value and tells the
    engine.

    `default` is the value of a new site; `status` the code that answers what goes beyond, None if the
    connection is just closed; `minimum` the least value allowed; `optional` whether None (no limit) is.
    Values are ints or floats; `math.inf` is taken as None. Setting raises TypeError for what isn't a number
    and ValueError for what is out of range.
    """

    def __init__(
        self,
        default: float | None,
        status: int | None,
        doc: str,
        *,
        minimum: float = 0,
        optional: bool = True,
        inEngine: bool = True,
    ) -> None:
        self.default = default
        self.status = status
        self.minimum = minimum
        self.optional = optional
        self.inEngine = inEngine
        self.name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Limit": ...
    @overload
    def __get__(self, instance: object, owner: type) -> float | None: ...
    def __get__(self, instance: object | None, owner: type) -> "Limit | float | None":
        if instance is None:
            return self
        value: float | None = instance.__dict__.get(self.name, self.default)
        return value

    def __set__(self, instance: Any, value: float | None) -> None:
        checked = self.check(value)
        instance.__dict__[self.name] = checked
        if self.inEngine and instance.service is not None:
            instance.service.configure(self.name, checked)

    def check(self, value: float | None) -> float | None:
        """The value as it is to be kept; raises TypeError or ValueError if it can't be."""
        if value is None or value == math.inf:
            if not self.optional:
                raise ValueError(f"{self.name} can't be unlimited")
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{self.name} must be a number or None, not {value!r}")
        if not value >= self.minimum:
            raise ValueError(f"{self.name} must be at least {self.minimum:g}, not {value!r}")
        return value


class Limits:
    """All limits of a site. Sizes are in bytes, times in seconds; None means no limit."""

    # The engine's side of the site, once something listens for it; what is set later is passed on to it.
    service: Any = None

    maxRequestLine = Limit(8190, 414, "The longest request line.", minimum=64, optional=False)
    maxHeaderBytes = Limit(32768, 431, "All header lines of a request together.", minimum=256, optional=False)
    maxHeaders = Limit(100, 431, "How many header lines a request may have.", minimum=1, optional=False)
    maxBody = Limit(64 * 1024 * 1024, 413, "The largest request body; a resource's own `maxBody` goes first.")
    bodyInMemory = Limit(100_000, None, "Larger request bodies are kept in a temporary file.")
    maxChunkLine = Limit(1024, 400, "The longest line with the size of a chunk.", minimum=16, optional=False)
    maxTrailerBytes = Limit(8192, 431, "All trailer lines of a request together.", optional=False)
    headerTimeout = Limit(15, 408, "From the first byte of a request to the end of its headers.")
    minBodyRate = Limit(512, 408, "Bytes a second that a request body must come in at, on average.")
    bodyGrace = Limit(10, 408, "How long a request body may be slower than `minBodyRate`.", optional=False)
    timeOut = Limit(60, None, "How long a connection may wait for its next request; then it is closed.")
    writeTimeout = Limit(30, None, "How long a client may take nothing of what is sent to it; then a reset.")
    maxDrain = Limit(
        262_144, None, "How much of a body that nobody read is thrown away to keep a connection."
    )
    lingerTimeout = Limit(
        5, None, "How long to go on reading after an early error answer, so that it arrives."
    )
    writeHighWater = Limit(65536, None, "Unsent bytes above which producers are paused.", optional=False)
    writeLowWater = Limit(16384, None, "Unsent bytes below which producers go on.", optional=False)
    maxConnections = Limit(None, None, "How many connections may be open; more have to wait.", minimum=1)
    stopGrace = Limit(
        10, None, "How long running requests have to end when the site stops; then a cut.", inEngine=False
    )
    maxFormFields = Limit(1000, 413, "How many fields and files a form body may have.", inEngine=False)
    maxFormMemory = Limit(
        8 * 1024 * 1024, 413, "The values of a form body together that are held in memory.", inEngine=False
    )
    maxPartHeaderBytes = Limit(
        8192, 400, "The headers of one part of a multipart form.", minimum=64, optional=False, inEngine=False
    )


def allLimits(owner: type = Limits) -> Iterator[Limit]:
    """Every limit of a class, in order of definition."""
    for base in reversed(owner.__mro__):
        for value in vars(base).values():
            if isinstance(value, Limit):
                yield value


def limitOf(site: object, name: str) -> float:
    """The value of a limit for `site`, its default if the site is something of another kind; no limit is
    math.inf."""
    value = getattr(site, name, None) if isinstance(site, Limits) else vars(Limits)[name].default
    return math.inf if value is None else float(value)
