"""Measurements other than load: start-up, idle connections, memory over many requests, large bodies."""

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from benchmarks import answers, load
from benchmarks.figures import Findings, PlainTable
from benchmarks.programs.pages import TRANSFER_BYTES
from benchmarks.runs import EXPECTED_TROUBLE, Say
from benchmarks.scenarios import HEAVY, Scenario, by_name
from benchmarks.servers import LIMIT, SENNIT, Launcher, NotStarted, Running, Server, running

IDLE_CONNECTIONS = 5000
IDLE_SETTLE_SECONDS = 1.0
SOAK_FEW, SOAK_MANY = 10_000, 1_000_000
SOAK_SECONDS = 180.0
SOAK_SERVERS = {
    "soak": frozenset({LIMIT, SENNIT, "bjoern", "granian-rsgi"}),
    "soak-asgi": frozenset({SENNIT, "uvicorn", "granian-asgi", "peregrine-asgi"}),
}
START_POLL_SECONDS = 0.0005
START_PATIENCE_SECONDS = 20.0
RSS_SAMPLE_SECONDS = 0.02

_BUY = by_name("buy")
_SOAKS = {"soak": _BUY, "soak-asgi": by_name("asgi")}
_UPLOAD = replace(_BUY, name="upload", program="upload", path="/upload", status=200, body=None)
_DOWNLOAD = replace(_BUY, name="download", program="download", path="/download", status=200, body=None)
_MIB = 1 << 20
_BLOCK = b"\0" * _MIB


def _each(
    table: PlainTable,
    chosen: Sequence[Server],
    findings: Findings,
    say: Say,
    measure: Callable[[Server], tuple[float, ...] | None],
) -> None:
    """Fill a table server by server; None means that a server has no part in it."""
    findings.others.append(table)
    for server in chosen:
        try:
            values = measure(server)
        except EXPECTED_TROUBLE as trouble:
            text = str(trouble) or type(trouble).__name__
            findings.failures[f"{server.name} {table.key}"] = text
            say(f"{table.key:12} {server.name:15} left out: {text}")
            continue
        if values is None:
            continue
        table.rows[server.name] = values
        columns = zip(table.columns, values, strict=True)
        say(f"{table.key:12} {server.name:15} " + ", ".join(f"{name} {value:.2f}" for name, value in columns))


def measure_startup(
    chosen: Sequence[Server], launcher: Launcher, times: int, findings: Findings, say: Say
) -> None:
    """Measure the time from exec to the first answer: the median of so many starts."""

    def measure(server: Server) -> tuple[float, ...] | None:
        if _BUY.program not in server.programs:
            return None
        return (1000 * statistics.median(_start_once(server, launcher) for _ in range(times)),)

    table = PlainTable("startup", "From exec to the first answer", ("ms",))
    _each(table, chosen, findings, say, measure)


def _start_once(server: Server, launcher: Launcher) -> float:
    started = launcher.start(server, _BUY)
    try:
        request = _BUY.request(started.port)
        while time.monotonic() - started.started_at < START_PATIENCE_SECONDS:
            try:
                answer = answers.ask(started.port, request)
            except OSError:
                if started.process.poll() is not None:
                    raise NotStarted(started.last_words()) from None
                time.sleep(START_POLL_SECONDS)
                continue
            took = time.monotonic() - started.started_at
            answers.verify(answer, _BUY)
            return took
        raise NotStarted(started.last_words())
    finally:
        started.end()


def measure_idle(
    chosen: Sequence[Server], launcher: Launcher, count: int, findings: Findings, say: Say
) -> None:
    """Measure what an idle kept-alive connection, one request behind it, costs of the process's memory."""

    def measure(server: Server) -> tuple[float, ...]:
        with running(launcher, server, _BUY) as started, contextlib.ExitStack() as stack:
            # What a server allocates once, for its first requests, is not the price of a connection.
            load.run(HEAVY, started.port, _BUY, load.Effort(64, 0.3, 0.0), started.cpu_seconds)
            time.sleep(IDLE_SETTLE_SECONDS)
            before = started.rss_kib()
            connections = [_open_idle(started.port, stack) for _ in range(count)]
            time.sleep(IDLE_SETTLE_SECONDS)
            after = started.rss_kib()
            closed = sum(not _is_open(connection) for connection in connections)
            if closed:
                raise answers.WrongAnswer(f"{closed} of {count} connections were closed by the server")
            return ((after - before) / count, after / 1024)

    columns = ("KiB per connection", "RSS MiB with all open")
    _each(PlainTable("idle", f"{count} idle kept-alive connections", columns), chosen, findings, say, measure)


def _open_idle(port: int, stack: contextlib.ExitStack) -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10.0))
    connection.sendall(_BUY.request(port))
    answers.verify(answers.read(connection), _BUY)
    return connection


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def measure_soak(
    key: str, chosen: Sequence[Server], launcher: Launcher, many: int, findings: Findings, say: Say
) -> None:
    """Measure how resident memory grows from ten thousand requests to a million, of the scenario that `key`
    stands for: "soak" or "soak-asgi".
    """
    scenario = _SOAKS[key]

    def measure(server: Server) -> tuple[float, ...] | None:
        if server.name not in SOAK_SERVERS[key]:
            return None
        with running(launcher, server, scenario) as started:
            few = min(SOAK_FEW, many)
            first = _rss_after(started, scenario, few)
            last = _rss_after(started, scenario, many - few)
            return (first / 1024, last / 1024, 100 * (last - first) / first)

    columns = (f"RSS MiB after {SOAK_FEW:,}", f"after {many:,}", "growth %")
    title = f"Memory over many requests ({scenario.name})"
    _each(PlainTable(key, title, columns), chosen, findings, say, measure)


def _rss_after(started: Running, scenario: Scenario, requests: int) -> int:
    if requests > 0:
        effort = load.Effort(64, SOAK_SECONDS, 0.0, requests)
        seen = load.run(HEAVY, started.port, scenario, effort, started.cpu_seconds)
        if seen.answered < requests:
            raise load.LoadFailed(f"only {seen.answered} of {requests} answered in {SOAK_SECONDS:.0f} s")
    return started.rss_kib()


def measure_transfer(chosen: Sequence[Server], launcher: Launcher, findings: Findings, say: Say) -> None:
    """Measure the streaming of a large body in each direction: speed, and how far memory rises meanwhile."""
    for title, direction in (("upload", _upload), ("download", _download)):

        def measure(
            server: Server, title: str = title, direction: Callable[[Running], int] = direction
        ) -> tuple[float, ...] | None:
            if title not in server.programs:
                return None
            scenario = _UPLOAD if title == "upload" else _DOWNLOAD
            with running(launcher, server, scenario) as started:
                if title == "upload":
                    # What a program loads when it is first asked isn't what the size of a body costs.
                    _upload(started, _MIB)
                before = started.rss_kib()
                with _watching(started) as peak:
                    begun = time.monotonic()
                    moved = direction(started)
                    took = time.monotonic() - begun
                return (moved / _MIB / took, before / 1024, (max(peak) - before) / 1024)

        columns = ("MiB/s", "RSS MiB before", "rise MiB")
        _each(
            PlainTable(title, f"{TRANSFER_BYTES // _MIB} MiB {title}", columns),
            chosen,
            findings,
            say,
            measure,
        )


def _upload(started: Running, size: int = TRANSFER_BYTES) -> int:
    head = f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1:{started.port}\r\nContent-Length: {size}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", started.port), 30.0) as connection:
        connection.sendall(head.encode())
        for _ in range(size // _MIB):
            connection.sendall(_BLOCK)
        answer = answers.read(connection)
    if answer.status != 200 or answer.body != str(size).encode():
        raise answers.WrongAnswer(f"status {answer.status}, {answer.body[:40]!r} bytes counted of {size}")
    return size


def _download(started: Running) -> int:
    """Return the bytes received, chunk framing included."""
    buffer = bytearray(_MIB)
    moved = 0
    with socket.create_connection(("127.0.0.1", started.port), 30.0) as connection:
        connection.sendall(b"GET /download HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        while count := connection.recv_into(buffer):
            if moved == 0 and b" 200 " not in buffer[:20]:
                raise answers.WrongAnswer(f"it begins {bytes(buffer[:20])!r}")
            moved += count
    if moved < TRANSFER_BYTES:
        raise answers.WrongAnswer(f"cut after {moved} bytes")
    return moved


@contextlib.contextmanager
def _watching(started: Running) -> Iterator[list[int]]:
    """Sample a server's memory from a thread; the list holds the samples once the block has ended."""
    samples = [started.rss_kib()]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(RSS_SAMPLE_SECONDS):
            samples.append(started.rss_kib())

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()
