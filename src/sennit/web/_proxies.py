"""Which proxies a site trusts, and in what."""

from collections.abc import Iterable
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
        networks = _networks(peers) if peers else ()
        if self.service is not None:
            self._tell(networks, self._trustedHeaders, self._proxyProtocol)
        self._trustedProxies = networks

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
        if self.service is not None:
            self._tell(self._trustedProxies, lowered, self._proxyProtocol)
        self._trustedHeaders = lowered

    @property
    def proxyProtocol(self) -> bool:
        """Whether connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2.
        Those that don't are closed; connections of others have none. Set for new connections."""
        return self._proxyProtocol

    @proxyProtocol.setter
    def proxyProtocol(self, value: bool) -> None:
        if self.service is not None:
            self._tell(self._trustedProxies, self._trustedHeaders, bool(value))
        self._proxyProtocol = bool(value)

    def _tellTrust(self, service: Any) -> None:
        """Tell the engine, for what is about to serve."""
        if self._trustedProxies or self._proxyProtocol:
            self._tell(self._trustedProxies, self._trustedHeaders, self._proxyProtocol, service)

    def _tell(
        self, networks: tuple[str, ...], headers: tuple[str, ...], protocol: bool, service: Any = None
    ) -> None:
        if protocol and not networks:
            raise ValueError("proxyProtocol is for trusted proxies, and there are no trustedProxies")
        (service or self.service).set_trust(networks, headers, protocol)


def _networks(peers: Iterable[object]) -> tuple[str, ...]:
    # Imported when needed: most sites trust nobody.
    from ipaddress import ip_network

    return tuple(
        "unix" if peer == "unix" else str(ip_network(peer))  # type: ignore[arg-type]
        for peer in peers
    )
