"""A client that sends the bytes it is given, in the pieces it is told, and nothing else."""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from .http1 import BadResponse, NeedMore, Response, parse_response

EVIL = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
"""The request that a smuggling probe hides; it must never be served."""

MODES = ("whole", "bytewise")
"""How a probe is sent: in one write, or one byte at a time."""


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """The bytes of a request without a body."""
    lines = [f"{method} {path} HTTP/{version}", "Host: a", *fields]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode("latin-1")


def post(path: str, body: bytes, *fields: str, method: str = "POST", version: str = "1.1") -> bytes:
    """The bytes of a request with a body of known length."""
    return get(path, f"Content-Length: {len(body)}", *fields, method=method, version=version) + body


def post_chunked(path: str, pieces: Iterable[bytes], *fields: str, method: str = "POST") -> bytes:
    """The bytes of a request with a chunked body."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return get(path, "Transfer-Encoding: chunked", *fields, method=method) + framed + b"0\r\n\r\n"


class Wire:
    """One TCP connection to the server under test.

    Sending never raises when the server has closed: a refused probe is answered while it is still being sent.
    """

    def __init__(self, port: int, *, receive_buffer: int | None = None, timeout: float = 5.0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pieces: list[bytes] = []
        self.ended = False
        self.was_reset = False
        self.send_failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    # sending

    def send(self, data: bytes) -> None:
        """Send `data` in one write (more only if the kernel takes less)."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.send_failed = True

    def send_bytewise(self, data: bytes) -> None:
        """Send one byte per write."""
        self.send_pieces(data[i : i + 1] for i in range(len(data)))

    def send_as(self, mode: str, data: bytes) -> None:
        """Send `data` in one of MODES."""
        if mode == "whole":
            self.send(data)
        else:
            self.send_bytewise(data)

    def send_cut(self, data: bytes, cuts: Iterable[int], pause: float = 0.002) -> None:
        """Send `data` cut at the given offsets, with a pause so that each piece arrives by itself."""
        at = 0
        for cut in [*cuts, len(data)]:
            self.send(data[at:cut])
            time.sleep(pause)
            at = cut

    def send_pieces(self, pieces: Iterable[bytes], pause: float = 0.0) -> int:
        """Send pieces until they end, the server closes, or an answer has come; returns bytes sent."""
        sent = 0
        for piece in pieces:
            self.send(piece)
            if self.send_failed:
                break
            sent += len(piece)
            if pause:
                time.sleep(pause)
        return sent

    def send_until_answered(self, pieces: Iterable[bytes], pause: float = 0.0) -> int:
        """Send pieces until something can be read; returns bytes sent."""
        return self.send_pieces(_while_silent(self, pieces), pause)

    def send_nowait(self, data: bytes) -> int:
        """Send what the kernel takes at once; returns how much that was."""
        # A socket with a time-out waits for room even where the flag says not to.
        if not self._ready_for(select.POLLOUT, 0.0):
            return 0
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            return self.socket.send(data, socket.MSG_DONTWAIT)
        return 0

    def half_close(self) -> None:
        """End this side's sending; reading goes on."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Leave in the ordinary way."""
        self.socket.close()

    # receiving

    @property
    def received(self) -> bytes:
        """What has been received and not been taken yet."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    @received.setter
    def received(self, data: bytes) -> None:
        self._pieces = [data] if data else []

    def read_fast(self) -> None:
        """Give a socket that was made with a small receive buffer a large one."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def readable(self, timeout: float = 0.0) -> bool:
        """Whether something (or the end) can be read within `timeout` seconds."""
        return self._ready_for(select.POLLIN, timeout)

    def _ready_for(self, event: int, timeout: float) -> bool:
        # Not select.select, which knows no descriptors beyond 1023.
        poller = select.poll()
        poller.register(self.socket, event)
        return bool(poller.poll(timeout * 1000))

    def receive_some(self, limit: int = 1 << 18) -> bytes:
        """The next bytes, b"" at the end; a reset counts as an end and is remembered."""
        try:
            data = self.socket.recv(limit)
        except (ConnectionResetError, BrokenPipeError):
            self.was_reset = True
            data = b""
        if not data:
            self.ended = True
        else:
            self._pieces.append(data)
        return data

    def response(self, method: str = "GET", timeout: float = 5.0) -> Response:
        """Read the next response, strictly."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                response, end = parse_response(self.received, 0, method, self.ended)
            except NeedMore:
                if self.ended:
                    raise BadResponse(f"ended inside a response: {self.received[-200:]!r}") from None
            else:
                self.received = self.received[end:]
                return response
            # Large responses: not a parse for each piece.
            enough = len(self.received) * 5 // 4
            self._receive_before(deadline)
            self._receive_waiting(enough)

    def head(self, timeout: float = 5.0) -> bytes:
        """Read up to the end of the next head and return its bytes; body bytes stay in `received`."""
        deadline = time.monotonic() + timeout
        while b"\r\n\r\n" not in self.received:
            assert not self.ended, f"ended before a head: {self.received!r}"
            self._receive_before(deadline)
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def read_to_end(self, timeout: float = 5.0) -> bytes:
        """All that is still unread up to the server's close."""
        deadline = time.monotonic() + timeout
        while not self.ended:
            self._receive_before(deadline)
        rest, self.received = self.received, b""
        return rest

    def wait_for_end(self, timeout: float = 5.0) -> bool:
        """Wait for the server's close; whether it came with nothing unread before it."""
        return self.read_to_end(timeout) == b""

    def stays_open(self, seconds: float) -> bool:
        """Whether the server neither sends nor closes for a while."""
        return not self.received and not self.readable(seconds)

    def _receive_waiting(self, enough: int) -> None:
        while not self.ended and sum(map(len, self._pieces)) < enough and self.readable():
            self.receive_some()

    def _receive_before(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not self.readable(left):
            raise TimeoutError(f"nothing more came; so far {self.received[:300]!r}")
        self.receive_some()


def _while_silent(wire: Wire, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if wire.readable():
            return
        yield piece


def ask(port: int, request: bytes, method: str = "GET") -> Response:
    """One request on a connection of its own."""
    with Wire(port) as wire:
        wire.send(request)
        return wire.response(method)
