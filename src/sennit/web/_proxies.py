"""Which proxies a site trusts, and in what."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

_X_FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
_FORWARDED = "forwarded"


class TrustsProxies:
    """The part of a site that says whom to believe when it is told who the client is.

    Nobody, by default: anyone can send the headers in question.
    """

    # The engine's side of the site, once something listens for it.
    service: Any = None

    _trustedProxies: tuple[str, ...] = ()
    _trustedHeaders: tuple[str, ...] = ("x-forwarded-for", "x-forwarded-proto")
    _proxyProtocol = False

    @property
    def trustedProxies(self) -> tuple[str, ...]:
        """The addresses of the proxies in front of this site: networks (`10.0.0.0/8`, `::1`), and `unix` for
        whoever comes by a UNIX socket. None, or none of them, switches everything of this off. Setting raises
        ValueError for what is no network, TypeError for a single str."""
        return self._trustedProxies

    @trustedProxies.setter
    def trustedProxies(self, peers: Iterable[object] | None) -> None:
        if isinstance(peers, str | bytes):
            raise TypeError("trustedProxies is a list of networks, not one")
        self._trustedProxies = tuple(
            "unix" if peer == "unix" else str(ip_network(peer))  # type: ignore[arg-type]
            for peer in peers or ()
        )
        self._tellTrust()

    @property
    def trustedHeaders(self) -> tuple[str, ...]:
        """The headers that all trusted proxies set, or remove from what clients send: some of
        X-Forwarded-For, X-Forwarded-Proto (these two by default), X-Forwarded-Host and X-Forwarded-Port, or
        Forwarded alone. Setting raises ValueError for others, and for Forwarded among others."""
        return self._trustedHeaders

    @trustedHeaders.setter
    def trustedHeaders(self, names: Iterable[str]) -> None:
        if isinstance(names, str | bytes):
            raise TypeError("trustedHeaders is a list of names, not one")
        lowered = tuple(name.lower() for name in names)
        unknown = [name for name in lowered if name not in (*_X_FORWARDED, _FORWARDED)]
        if unknown:
            raise ValueError(f"not a header by which proxies tell of clients: {unknown[0]!r}")
        if _FORWARDED in lowered and len(lowered) > 1:
            # A proxy that sets one of them passes the other on as the client has sent it.
            raise ValueError("Forwarded can't be trusted together with X-Forwarded headers")
        self._trustedHeaders = lowered
        self._tellTrust()

    @property
    def proxyProtocol(self) -> bool:
        """Whether connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2.
        Those that don't are closed; connections of others have none. Set for new connections."""
        return self._proxyProtocol

    @proxyProtocol.setter
    def proxyProtocol(self, value: bool) -> None:
        self._proxyProtocol = bool(value)
        self._tellTrust()

    def _tellTrust(self) -> None:
        if self.service is None:
            return
        if self._proxyProtocol and not self._trustedProxies:
            raise ValueError("proxyProtocol is for trusted proxies, and there are no trustedProxies")
        self.service.set_trust(self._trustedProxies, self._trustedHeaders, self._proxyProtocol)
