"""The addresses of peers and hosts, as values: equal by content, usable as dictionary keys."""

import os
from typing import Any, NoReturn

from zope.interface import implementer

from sennit.internet.interfaces import IAddress


class _Value:
    """An object that is its `__slots__` and doesn't change: what a frozen dataclass is, without the time that
    importing `dataclasses` takes when a server starts."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, *values: Any) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an address can't be changed: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an address can't be changed: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        pairs = zip(self.__slots__, self._values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values()


@implementer(IAddress)
class IPv4Address(_Value):
    """`type` is "TCP" or "UDP", `host` the dotted address (str), `port` an int."""

    __slots__ = ("type", "host", "port")  # noqa: RUF023  # the order of the parameters

    type: str
    host: str
    port: int

    def __init__(self, type: str, host: str, port: int) -> None:
        super().__init__(_checkedType(type), host, port)


@implementer(IAddress)
class IPv6Address(_Value):
    """`type` is "TCP" or "UDP", `host` the address in hexadecimal groups (str), the rest are ints."""

    __slots__ = ("type", "host", "port", "flowInfo", "scopeID")  # noqa: RUF023  # the order of the parameters

    type: str
    host: str
    port: int
    flowInfo: int
    scopeID: int

    def __init__(self, type: str, host: str, port: int, flowInfo: int = 0, scopeID: int = 0) -> None:
        super().__init__(_checkedType(type), host, port, flowInfo, scopeID)


@implementer(IAddress)
class UNIXAddress(_Value):
    """`name` is the socket's path (bytes; str is encoded as file names are), None for an unnamed socket."""

    __slots__ = ("name",)

    name: bytes | None

    def __init__(self, name: str | bytes | None) -> None:
        super().__init__(os.fsencode(name) if name is not None else None)


def _checkedType(kind: str) -> str:
    if kind not in ("TCP", "UDP"):
        raise ValueError(f"the type of an address is 'TCP' or 'UDP', not {kind!r}")
    return kind
