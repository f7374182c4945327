"""What supervisor and worker tell each other: lines of JSON over a pair of sockets."""

import json
import socket
import threading
from typing import Any

# More than any message; who sends more without a line end is not one of ours.
_RECEIVED_AT_ONCE = 65536


class Link:
    """One end. Either side learns from the end of the stream that the other process is gone."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._rest = b""
        # The watchdog's thread sends, too.
        self._sending = threading.Lock()

    @classmethod
    def pair(cls) -> "tuple[Link, Link]":
        """Two ends that are connected."""
        ours, theirs = socket.socketpair()
        return cls(ours), cls(theirs)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def send(self, **message: Any) -> None:
        """Send a message. One that the other side has no room for, or is not there for, is lost."""
        line = json.dumps(message).encode("utf-8") + b"\n"
        with self._sending:
            try:
                while line:
                    line = line[self._socket.send(line) :]
            except OSError:
                pass

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that have come, None once the other side is gone."""
        try:
            received = self._socket.recv(_RECEIVED_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if not received:
            return None
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
