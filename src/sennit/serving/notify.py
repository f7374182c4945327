"""Telling systemd how the server is (sd_notify(3))."""

import os
import socket


def notify(*states: str) -> None:
    """Send assignments such as "READY=1" to the service manager, if there is one that listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        try:
            sender.connect(address)
            sender.send("\n".join(states).encode("utf-8"))
        except OSError:
            pass  # a service manager that has gone away must not stop the service


def watchdog_interval() -> float | None:
    """Seconds between two signs of life that systemd wants (WATCHDOG_USEC), half of its time-out; None: it
    wants none."""
    try:
        period = int(os.environ.get("WATCHDOG_USEC", "0"))
        process = int(os.environ.get("WATCHDOG_PID", str(os.getpid())))
    except ValueError:
        return None
    return period / 2e6 if period > 0 and process == os.getpid() else None
