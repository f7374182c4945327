"""From the addresses of sockets to address objects.

Apart from these objects' own module, in whose place Twisted's may stand (`sennit.serving.under_twisted`).
"""

from typing import Any

from sennit.internet.address import IPv4Address, IPv6Address, UNIXAddress


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
