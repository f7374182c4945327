"""Channels as Twisted's programs write them: classes that say which requests are made for a connection."""

from typing import Any

from sennit.internet.protocol import Protocol


class HTTPChannel(Protocol):
    """What a factory's connections are like. A program derives from it to set `requestFactory`, and gives the
    class to a factory as `protocol`, or makes one in `buildProtocol`.

    The engine serves the connections; of a channel it takes what stands here, once for the factory, before
    the first connection: `requestFactory` makes the requests, `timeOut` is how many seconds a connection may
    be idle (None: for ever). `factory` and `site` are the factory. A request's `channel` is the connection
    itself.
    """

    requestFactory: Any = None
    site: Any = None
    timeOut: float | None = None
