"""Server endpoints: places to listen on, as objects and as strings."""

import os
import re
import socket
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from sennit.internet import _systemd
from sennit.internet.defer import Deferred, execute
from sennit.internet.interfaces import IStreamServerEndpoint

__all__ = [
    "AdoptedStreamServerEndpoint",
    "TCP4ServerEndpoint",
    "TCP6ServerEndpoint",
    "UNIXServerEndpoint",
    "quoteStringArgument",
    "serverFromString",
]

_BACKLOG = 1024


class _TCPServerEndpoint:
    """`port` (int) of `interface` (an address), on `reactor`; `backlog` connections may wait to be
    accepted.
    """

    def __init__(self, reactor: Any, port: int, backlog: int, interface: str) -> None:
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._interface = interface

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """Listen; a Deferred of the IListeningPort, failed with CannotListenError if that is impossible."""
        return execute(
            self._reactor.listenTCP,
            self._port,
            protocolFactory,
            backlog=self._backlog,
            interface=self._interface,
        )


@implementer(IStreamServerEndpoint)
class TCP4ServerEndpoint(_TCPServerEndpoint):
    """A TCP port, by default of all IPv4 interfaces."""

    def __init__(self, reactor: Any, port: int, backlog: int = _BACKLOG, interface: str = "") -> None:
        super().__init__(reactor, port, backlog, interface)


@implementer(IStreamServerEndpoint)
class TCP6ServerEndpoint(_TCPServerEndpoint):
    """A TCP port, by default of all IPv6 interfaces (and IPv4, where the system is set up so)."""

    def __init__(self, reactor: Any, port: int, backlog: int = _BACKLOG, interface: str = "::") -> None:
        super().__init__(reactor, port, backlog, interface)


@implementer(IStreamServerEndpoint)
class UNIXServerEndpoint:
    """A UNIX socket at the path `address`, with the permissions `mode`, see `reactor.listenUNIX`."""

    def __init__(
        self,
        reactor: Any,
        address: str | bytes,
        backlog: int = _BACKLOG,
        mode: int = 0o666,
        wantPID: bool | int = False,
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._backlog = backlog
        self._mode = mode
        self._wantPID = wantPID

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """Listen; a Deferred of the IListeningPort, failed with CannotListenError if that is impossible."""
        return execute(
            self._reactor.listenUNIX,
            self._address,
            protocolFactory,
            backlog=self._backlog,
            mode=self._mode,
            wantPID=self._wantPID,
        )


@implementer(IStreamServerEndpoint)
class AdoptedStreamServerEndpoint:
    """A socket somebody else has made listen: the descriptor `fileno`, of the family `addressFamily`."""

    def __init__(self, reactor: Any, fileno: int, addressFamily: int) -> None:
        self._reactor = reactor
        self._fileno = fileno
        self._addressFamily = addressFamily
        self._used = False

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """Take the descriptor over and serve it; a Deferred of the IListeningPort. Works once, then
        AlreadyListened.
        """
        return execute(self._adopt, protocolFactory)

    def _adopt(self, protocolFactory: Any) -> Any:
        if self._used:
            raise AlreadyListened
        port = self._reactor.adoptStreamPort(self._fileno, self._addressFamily, protocolFactory)
        self._used = True
        os.close(self._fileno)
        return port


class AlreadyListened(Exception):
    """An endpoint that can be listened on once was listened on again."""


def quoteStringArgument(argument: str) -> str:
    """`argument` with what means something in an endpoint's description (backslash, colon) escaped."""
    return argument.replace("\\", "\\\\").replace(":", "\\:")


def serverFromString(reactor: Any, description: str) -> Any:
    """The endpoint that a string describes.

    - `tcp:8080`, `tcp:port=8080:interface=127.0.0.1:backlog=50`
    - `tcp6:8080`, `tcp6:8080:interface=\\:\\:1`
    - `unix:/run/web.sock`, `unix:address=/run/web.sock:mode=660:backlog=50:lockfile=0`
    - `systemd:domain=INET:index=0`, `systemd:domain=UNIX:name=web`

    Colons and backslashes in values are escaped by a backslash. Raises ValueError for everything else, saying
    what is wrong.
    """
    kind, values, options = _parse(description)
    maker = _MAKERS.get(kind)
    if maker is None:
        known = ", ".join(sorted(_MAKERS))
        raise ValueError(f"Unknown endpoint type: {kind!r} in {description!r} (known are {known})")
    names, make = maker
    if len(values) > len(names):
        raise ValueError(
            f"too many values in {description!r}: {values[len(names)]!r} is one more than {names}"
        )
    for name, value in zip(names, values, strict=False):
        if name in options:
            raise ValueError(f"{name!r} is given twice in {description!r}")
        options[name] = value
    unknown = set(options) - set(names)
    if unknown:
        raise ValueError(
            f"{kind!r} has no option {min(unknown)!r} (in {description!r}); its options are {names}"
        )
    return make(reactor, _Options(description, options))


class _Options:
    """The options of one description."""

    def __init__(self, description: str, values: dict[str, str]) -> None:
        self._description = description
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        value = self._values.get(name, default)
        if not value and default is None:
            raise ValueError(f"{name!r} is missing in {self._description!r}")
        return value or ""

    def integer(self, name: str, default: int | None = None, base: int = 10, most: int | None = None) -> int:
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        text = self.text(name)
        try:
            number = int(text, base) if re.fullmatch("[0-9a-fA-F]+", text) else -1
        except ValueError:
            number = -1
        if number < 0 or (most is not None and number > most):
            upTo = f" up to {most}" if most is not None else ""
            raise ValueError(f"{name!r} must be a number{upTo}, and not {text!r} (in {self._description!r})")
        return number

    def has(self, name: str) -> bool:
        return name in self._values


def _parse(description: str) -> tuple[str, list[str], dict[str, str]]:
    """The type, the values without names, and those with names."""
    kind, *parts = re.findall(r"(?:^|:)((?:[^:\\]|\\.)*)", description, re.DOTALL) or [""]
    values: list[str] = []
    options: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if equals and re.fullmatch("[A-Za-z]+", name):
            options[name] = _unescape(value)
        else:
            values.append(_unescape(part))
    return kind, values, options


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _makeTCP4(reactor: Any, options: _Options) -> Any:
    port, backlog = options.integer("port", most=65535), options.integer("backlog", _BACKLOG)
    return TCP4ServerEndpoint(reactor, port, backlog, options.text("interface", ""))


def _makeTCP6(reactor: Any, options: _Options) -> Any:
    port, backlog = options.integer("port", most=65535), options.integer("backlog", _BACKLOG)
    return TCP6ServerEndpoint(reactor, port, backlog, options.text("interface", "::"))


def _makeUNIX(reactor: Any, options: _Options) -> Any:
    return UNIXServerEndpoint(
        reactor,
        options.text("address"),
        options.integer("backlog", _BACKLOG),
        options.integer("mode", 0o666, base=8, most=0o777),
        bool(options.integer("lockfile", 1, most=1)),
    )


def _makeSystemd(reactor: Any, options: _Options) -> Any:
    domain = options.text("domain")
    family = {"INET": socket.AF_INET, "INET6": socket.AF_INET6, "UNIX": socket.AF_UNIX}.get(domain)
    if family is None:
        raise ValueError(f"a systemd domain is INET, INET6 or UNIX, not {domain!r}")
    if options.has("index") == options.has("name"):
        raise ValueError("a systemd socket is given by either its index or its name")
    if options.has("name"):
        descriptor = _systemd.descriptorByName(options.text("name"))
    else:
        descriptor = _systemd.descriptorByIndex(options.integer("index"))
    return AdoptedStreamServerEndpoint(reactor, descriptor, family)


_MAKERS: dict[str, tuple[tuple[str, ...], Callable[[Any, _Options], Any]]] = {
    "tcp": (("port", "interface", "backlog"), _makeTCP4),
    "tcp6": (("port", "interface", "backlog"), _makeTCP6),
    "unix": (("address", "mode", "backlog", "lockfile"), _makeUNIX),
    "systemd": (("domain", "index", "name"), _makeSystemd),
}
