"""A small HTTP/1.1 client that keeps an answer's raw bytes: to check servers, and to copy Sennit's answer."""

import gzip
import socket
import zlib
from dataclasses import dataclass

from benchmarks.scenarios import Scenario

HEAD_END = b"\r\n\r\n"
CHECK_SECONDS = 5.0
"""How long a server may take over an answer, with nothing else to do."""


class Incomplete(Exception):
    """The bytes at hand are only the beginning of an answer."""


class WrongAnswer(Exception):
    """A server answers something else than the scenario asks for; the text says what."""


@dataclass(frozen=True)
class Answer:
    """One answer: status code, body without its chunk framing, and the bytes it came in."""

    status: int
    body: bytes
    raw: bytes


def parse(data: bytes, at_end: bool = False) -> Answer:
    """Return the answer that `data` begins with.

    `at_end` says that the server has closed, which ends a body that has neither length nor chunks. Raises
    Incomplete if more bytes are needed and WrongAnswer if this is no HTTP answer.
    """
    head, separator, rest = data.partition(HEAD_END)
    if not separator:
        raise Incomplete
    status_line, *lines = head.split(b"\r\n")
    words = status_line.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise WrongAnswer(f"no status line: {status_line[:60]!r}")
    fields = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
    }
    start = len(head) + len(HEAD_END)
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        body, used = _read_chunks(rest)
    elif b"content-length" in fields:
        used = int(fields[b"content-length"])
        if len(rest) < used:
            raise Incomplete
        body = rest[:used]
    elif at_end:
        body, used = rest, len(rest)
    else:
        raise Incomplete
    return Answer(int(words[1]), body, data[: start + used])


def _read_chunks(data: bytes) -> tuple[bytes, int]:
    """Return a chunked body without its framing, and how many bytes it took with it; no trailers."""
    parts = []
    position = 0
    while True:
        line_end = data.find(b"\r\n", position)
        if line_end < 0:
            raise Incomplete
        size = int(data[position:line_end].partition(b";")[0], 16)
        chunk_end = line_end + 2 + size
        if len(data) < chunk_end + 2:
            raise Incomplete
        parts.append(data[line_end + 2 : chunk_end])
        position = chunk_end + 2
        if size == 0:
            return b"".join(parts), position


def read(connection: socket.socket) -> Answer:
    """Read one answer from a connection; raises WrongAnswer if it is cut or none."""
    data = b""
    while True:
        piece = connection.recv(262144)
        data += piece
        try:
            return parse(data, at_end=not piece)
        except Incomplete:
            if not piece:
                raise WrongAnswer(f"cut after {len(data)} bytes") from None


def ask(port: int, request: bytes, timeout: float = 10.0) -> Answer:
    """Send the bytes of a request on a new connection to a port of this machine; return the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(request)
        return read(connection)


def check(port: int, scenario: Scenario) -> Answer:
    """Ask twice on one connection, as the load will; raises WrongAnswer or OSError if an answer is wrong."""
    with socket.create_connection(("127.0.0.1", port), CHECK_SECONDS) as connection:
        for _ in range(2):
            connection.sendall(scenario.request(port))
            answer = read(connection)
            verify(answer, scenario)
    return answer


def verify(answer: Answer, scenario: Scenario) -> None:
    """Raise WrongAnswer unless status and body are the scenario's."""
    if answer.status != scenario.status:
        raise WrongAnswer(f"status {answer.status} instead of {scenario.status}")
    if scenario.body is None:
        if not answer.body:
            raise WrongAnswer("an empty body")
    elif scenario.coding:
        if answer.body == scenario.body:
            raise WrongAnswer(f"a body that is not coded with {scenario.coding}")
        if _decoded(answer.body) != scenario.body:
            raise WrongAnswer("a coded body that is not the one expected")
    elif answer.body != scenario.body:
        raise WrongAnswer(
            f"a body of {len(answer.body)} bytes that differs from the {len(scenario.body)} expected"
        )


def _decoded(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        raise WrongAnswer("a body that is no gzip") from None
