"""Where to listen: the sockets that are opened, taken over, or passed by systemd."""

import os
import re
import socket
from dataclasses import dataclass

from sennit.internet._sockets import UNIXListener, duplicateListening, listenOnTCP
from sennit.internet._systemd import passed_descriptors
from sennit.internet.error import CannotListenError
from sennit.serving.settings import SettingError, Settings

# The permissions of a UNIX socket's file: whoever may reach the directory may connect.
_MODE = 0o666


@dataclass
class Place:
    """A listening socket, and what to call it: its URL, for people."""

    socket: socket.socket
    url: str
    file: UNIXListener | None = None

    def close(self) -> None:
        """Close the socket, and remove its file if it was made here."""
        self.socket.close()
        if self.file is not None:
            self.file.release()


def open_places(settings: Settings) -> list[Place]:
    """Listen wherever the settings say. Raises CannotListenError, and SettingError for a malformed place."""
    places: list[Place] = []
    try:
        for wanted in _wanted(settings):
            place = open_place(wanted, settings.backlog, "--bind")
            places.append(place)
    except BaseException:
        for place in places:
            place.close()
        raise
    return places


def _wanted(settings: Settings) -> list[str]:
    """Where to listen, each as `--bind` has it."""
    if settings.bind:
        return list(settings.bind)
    if settings.uds is not None:
        return [f"unix:{settings.uds}"]
    if settings.fd is not None:
        return [f"fd://{settings.fd}"]
    if not settings.given & {"host", "port"}:
        passed = passed_descriptors()
        if passed:
            return [f"fd://{descriptor}" for descriptor in passed]
    host = settings.host or "127.0.0.1"
    port = 8000 if settings.port is None else settings.port
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]


def open_place(wanted: str, backlog: int, option: str) -> Place:
    """Listen in one place, given as `--bind` has it. Raises CannotListenError; SettingError names
    `option`."""
    if wanted.startswith("unix:"):
        path = wanted.removeprefix("unix:").removeprefix("//")
        if not path:
            raise SettingError(f"{option}: {wanted!r} has no path")
        listener = UNIXListener(os.fsencode(path), backlog, _MODE, False)
        return Place(listener.socket, f"unix:{path}", listener)
    if wanted.startswith("fd://"):
        number = wanted.removeprefix("fd://")
        if not (number.isascii() and number.isdigit()):
            raise SettingError(f"{option}: {wanted!r} has no number of a descriptor")
        return _adopted(int(number))
    host, port = _split_address(wanted, option)
    listening = listenOnTCP(port, host, backlog)
    return Place(listening, _url(listening))


def _split_address(wanted: str, option: str) -> tuple[str, int]:
    """HOST and PORT of `HOST:PORT`, `[HOST]:PORT` or `:PORT`. SettingError names `option`."""
    found = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]*)):(\d{1,5})", wanted, re.ASCII)
    if found is None:
        raise SettingError(f"{option}: HOST:PORT, unix:PATH or fd://NUMBER was expected, not {wanted!r}")
    return found[1] or found[2] or "", int(found[3])


def _adopted(descriptor: int) -> Place:
    try:
        family = socket.socket(fileno=os.dup(descriptor))
    except OSError as error:
        raise CannotListenError(None, f"descriptor {descriptor}", error) from None
    with family:
        listening = duplicateListening(descriptor, family.family)
    return Place(listening, _url(listening))


def _url(listening: socket.socket) -> str:
    address = listening.getsockname()
    if not isinstance(address, tuple):
        return f"unix:{os.fsdecode(address)}"
    host = "localhost" if address[0] in ("0.0.0.0", "::") else address[0]
    return f"http://[{host}]:{address[1]}/" if ":" in host else f"http://{host}:{address[1]}/"
