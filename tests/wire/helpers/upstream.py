"""A server to which requests are passed on: it sends the bytes that the test tells it, and nothing else."""

import contextlib
import select
import socket
import struct
from types import TracebackType
from typing import Self


class Peer:
    """One connection that was accepted."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(5.0)
        self._waiting = b""

    def request(self) -> tuple[str, list[tuple[str, str]]]:
        """Read a request's head: its first line, and its fields."""
        while b"\r\n\r\n" not in self._waiting:
            self._receive()
        head, _, self._waiting = self._waiting.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        pairs = [(name, value.strip(" \t")) for name, _, value in (field.partition(":") for field in fields)]
        return line, pairs

    def fields(self) -> dict[str, str]:
        """Read a request's head: its fields by their names in lower case, repeated ones joined by ` | `."""
        found: dict[str, str] = {}
        for name, value in self.request()[1]:
            key = name.lower()
            found[key] = f"{found[key]} | {value}" if key in found else value
        return found

    def body(self, length: int) -> bytes:
        """Read so many bytes."""
        while len(self._waiting) < length:
            self._receive()
        body, self._waiting = self._waiting[:length], self._waiting[length:]
        return body

    def chunks(self) -> bytes:
        """Read a chunked body, which must be well-formed and have no trailers."""
        body = b""
        while True:
            while b"\r\n" not in self._waiting:
                self._receive()
            line, _, self._waiting = self._waiting.partition(b"\r\n")
            size = int(line, 16)
            body += self.body(size)
            assert self.body(2) == b"\r\n"
            if size == 0:
                return body

    def _receive(self) -> None:
        data = self.socket.recv(1 << 18)
        assert data, "the proxy has closed the connection"
        self._waiting += data

    def send(self, *pieces: bytes | str) -> None:
        """Send bytes."""
        data = b"".join(piece.encode("latin-1") if isinstance(piece, str) else piece for piece in pieces)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def answer(self, body: bytes | str = b"fine", *fields: str, code: int = 200) -> None:
        """Send a whole answer."""
        data = body.encode() if isinstance(body, str) else body
        lines = "".join(f"{field}\r\n" for field in (*fields, f"Content-Length: {len(data)}"))
        self.send(f"HTTP/1.1 {code} Code\r\n{lines}\r\n", data)

    def serve(self, body: bytes | str = b"fine", *fields: str, code: int = 200) -> str:
        """Read a request without a body and answer it; returns the request line."""
        line, _ = self.request()
        self.answer(body, *fields, code=code)
        return line

    def is_silent(self, seconds: float = 0.1) -> bool:
        """Whether nothing comes for so long."""
        return not self._waiting and not select.select([self.socket], [], [], seconds)[0]

    def has_ended(self) -> bool:
        """Whether the proxy closes the connection, without having sent more."""
        try:
            return not self._waiting and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Close in order."""
        self.socket.close()

    def reset(self) -> None:
        """Close with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Upstream:
    """Listens at `port`, or at a UNIX socket; the test accepts."""

    def __init__(self, path: str | None = None, backlog: int = 128) -> None:
        if path is None:
            self._listening = socket.create_server(("127.0.0.1", 0), backlog=backlog)
            self.port = self._listening.getsockname()[1]
        else:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(path)
            self._listening.listen()
        self._listening.settimeout(5.0)
        self._peers: list[Peer] = []

    def accept(self) -> Peer:
        """The next connection of the proxy."""
        self._peers.append(Peer(self._listening.accept()[0]))
        return self._peers[-1]

    def is_left_alone(self, seconds: float = 0.1) -> bool:
        """Whether nobody connects for so long."""
        return not select.select([self._listening], [], [], seconds)[0]

    def close(self) -> None:
        """Stop listening, and close all connections."""
        for peer in self._peers:
            peer.close()
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
