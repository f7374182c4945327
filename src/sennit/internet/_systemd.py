"""The sockets that systemd passes to a service it starts (sd_listen_fds(3))."""

import os

# SD_LISTEN_FDS_START: the first descriptor passed.
_FIRST = 3


def _names() -> list[str]:
    """The names of the passed sockets, in the order of their descriptors."""
    try:
        count = int(os.environ.get("LISTEN_FDS", "0"))
        forUs = int(os.environ.get("LISTEN_PID", "0")) == os.getpid()
    except ValueError:
        return []
    if not forUs:
        return []
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    return [names[index] if index < len(names) else "" for index in range(count)]


def descriptorByIndex(index: int) -> int:
    """The descriptor of the socket number `index`, from 0. ValueError if systemd has passed no such one."""
    passed = len(_names())
    if index >= passed:
        raise ValueError(f"systemd has passed {passed} sockets to this process; there is no number {index}")
    return _FIRST + index


def descriptorByName(name: str) -> int:
    """The descriptor of the socket called `name`. ValueError if systemd has passed no such one."""
    names = _names()
    if name not in names:
        raise ValueError(f"systemd has passed no socket named {name!r} to this process, but {names}")
    return _FIRST + names.index(name)


def passed_descriptors() -> list[int]:
    """The descriptors of all sockets that systemd has passed to this process."""
    return [_FIRST + index for index in range(len(_names()))]
