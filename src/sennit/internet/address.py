"""The addresses of peers and hosts, as values: equal by content, usable as dictionary keys."""

import os
from dataclasses import dataclass
from typing import Any

from zope.interface import implementer

from sennit.internet.interfaces import IAddress


@implementer(IAddress)
@dataclass(frozen=True, slots=True, eq=True)
class IPv4Address:
    """`type` is "TCP" or "UDP", `host` the dotted address (str), `port` an int."""

    type: str
    host: str
    port: int

    def __post_init__(self) -> None:
        _checkType(self.type)


@implementer(IAddress)
@dataclass(frozen=True, slots=True, eq=True)
class IPv6Address:
    """`type` is "TCP" or "UDP", `host` the address in hexadecimal groups (str), the rest are ints."""

    type: str
    host: str
    port: int
    flowInfo: int = 0
    scopeID: int = 0

    def __post_init__(self) -> None:
        _checkType(self.type)


@implementer(IAddress)
@dataclass(frozen=True, slots=True, eq=True)
class UNIXAddress:
    """`name` is the socket's path (bytes; str is encoded as file names are), None for an unnamed socket."""

    name: bytes | None

    def __init__(self, name: str | bytes | None) -> None:
        object.__setattr__(self, "name", os.fsencode(name) if name is not None else None)


def _checkType(kind: str) -> None:
    if kind not in ("TCP", "UDP"):
        raise ValueError(f"the type of an address is 'TCP' or 'UDP', not {kind!r}")


def fromSocketAddress(address: Any) -> IPv4Address | IPv6Address | UNIXAddress:
    """The address object for what `socket.getsockname`, `getpeername` or `accept` gave.

    A name that is empty or None is an unnamed UNIX socket's.
    """
    if isinstance(address, tuple):
        host = address[0]
        if len(address) == 4 or ":" in host:
            return IPv6Address("TCP", *address)
        return IPv4Address("TCP", host, address[1])
    return UNIXAddress(address or None)
