"""A network for programs that insist on their port, as the very first one does on 8880."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

# Sets the flag that `ip link set lo up` sets: SIOCGIFFLAGS 0x8913, SIOCSIFFLAGS 0x8914, IFF_UP 1.
_HOLD = """
import fcntl, socket, struct, sys
with socket.socket() as control:
    request = struct.pack("16sh14x", b"lo", 0)
    _, flags = struct.unpack("16sh14x", fcntl.ioctl(control, 0x8913, request))
    fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))
print("up", flush=True)
sys.stdin.read()
"""

_CONNECT = """
import socket, sys, time
deadline = time.monotonic() + 20
while True:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.02)
"""


class Network:
    """Where programs run; `enter` is what their command lines begin with."""

    def __init__(self, enter: Sequence[str] = ()) -> None:
        self._enter = list(enter)

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs `arguments` in this network."""
        return [*self._enter, *arguments]

    def connector(self, port: int) -> subprocess.Popen[bytes]:
        """A process that ends with status 0 once something accepts connections on 127.0.0.1:`port`."""
        return subprocess.Popen(
            self.command(sys.executable, "-c", _CONNECT, str(port)), stderr=subprocess.DEVNULL
        )


@contextmanager
def network_with_free(port: int) -> Iterator[Network | None]:
    """A network in which nothing listens on `port`.

    One of its own where the system allows that, this machine's if the port is free there, else None.
    """
    with _own_network() as own:
        if own is not None:
            yield own
        else:
            yield Network() if _is_free(port) else None


@contextmanager
def _own_network() -> Iterator[Network | None]:
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        yield None
        return
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    holder = subprocess.Popen(
        ["unshare", *user, "--net", sys.executable, "-c", _HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with holder:
        assert holder.stdout is not None
        if holder.stdout.readline() == b"up\n":
            join = ["--user", "--preserve-credentials"] if user else []
            yield Network(["nsenter", "--target", str(holder.pid), *join, "--net"])
        else:
            yield None


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
