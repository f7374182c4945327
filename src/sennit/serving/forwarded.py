"""What a proxy in front says of the client: X-Forwarded-For and X-Forwarded-Proto.

Anyone can send these headers, so they are believed only from the addresses that are named, and of a chain of
addresses only as far back as those go.
"""

import ipaddress
from collections.abc import Iterable

from sennit.internet.address import IPv4Address, IPv6Address, UNIXAddress
from sennit.serving.settings import SettingError
from sennit.web.http import Address
from sennit.web.server import Request

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Trusted:
    """The proxies that are believed: addresses and networks; `unix` is whoever comes by a UNIX socket, `*`
    anybody."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self.everybody = "*" in self._names
        self._unix = self.everybody or "unix" in self._names
        self._networks: list[_Network] = []
        for name in self._names - {"*", "unix"}:
            try:
                self._networks.append(ipaddress.ip_network(name, strict=False))
            except ValueError:
                raise SettingError(f"--forwarded-allow-ips: {name!r} is no address and no network") from None

    def __bool__(self) -> bool:
        return bool(self._names)

    def has(self, address: Address) -> bool:
        """Whether the other end of a connection is one of them."""
        return self._unix if isinstance(address, UNIXAddress) else self.has_host(address.host)

    def has_host(self, host: str) -> bool:
        """Whether an IP address, as text, is one of theirs."""
        if self.everybody:
            return True
        try:
            parsed = ipaddress.ip_address(host)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)


def request_class(base: type[Request], trusted: Trusted) -> type[Request]:
    """`base`, so that it believes these proxies. What they say is looked at when somebody asks for it."""

    class ForwardedRequest(base):  # type: ignore[misc,valid-type]  # a class of the program's
        _origin: Address | None = None

        @property
        def client(self) -> Address:
            if self._origin is None:
                self._origin = _client(self, base.client.fget(self), trusted)  # type: ignore[attr-defined]
            return self._origin

        @client.setter
        def client(self, value: Address) -> None:
            self._origin = value

        def isSecure(self) -> bool:
            if super().isSecure():
                return True
            said = _last(self, b"x-forwarded-proto")
            return said in (b"https", b"wss") and trusted.has(base.client.fget(self))  # type: ignore[attr-defined]

    ForwardedRequest.__name__ = ForwardedRequest.__qualname__ = base.__name__
    ForwardedRequest.__module__ = base.__module__
    return ForwardedRequest


def _last(request: Request, name: bytes) -> bytes:
    """The last element of a field: the one that the nearest proxy has added."""
    values = request.requestHeaders.getRawHeaders(name)
    return values[-1].rpartition(b",")[2].strip().lower() if values else b""


def _client(request: Request, peer: Address, trusted: Trusted) -> Address:
    """The last address of X-Forwarded-For that isn't a trusted proxy's."""
    values = request.requestHeaders.getRawHeaders(b"x-forwarded-for")
    if not values or not trusted.has(peer):
        return peer
    hops = [hop.strip() for hop in b",".join(values).decode("latin-1").split(",") if hop.strip()]
    nearest: Address = peer
    for hop in reversed(hops):
        address = _address(hop)
        if address is None:
            break
        nearest = address
        if not trusted.has_host(address.host):
            break
    return nearest


def _address(hop: str) -> IPv4Address | IPv6Address | None:
    """One element of X-Forwarded-For: an address, which may have a port; None if it is none."""
    host, port = hop, 0
    if hop.startswith("["):
        host, _, rest = hop[1:].partition("]")
        port = int(rest[1:]) if rest[1:].isascii() and rest[1:].isdigit() else 0
    elif hop.count(":") == 1:
        host, _, number = hop.partition(":")
        port = int(number) if number.isascii() and number.isdigit() else 0
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return None
    kind = IPv6Address if parsed.version == 6 else IPv4Address
    return kind("TCP", str(parsed), port)
