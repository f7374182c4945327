"""One Site served by several event loops, each in a thread of its own, from one listening socket.

With the GIL these threads take turns; on a free-threaded Python they run at the same time, and this is the
test of what they share.
"""

import asyncio
import gc
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sennit.internet import reactor
from sennit.internet._engines import newEventLoop
from sennit.python.threadpool import ThreadPool
from sennit.web.asgi import ASGIResource
from sennit.web.metrics import Metrics
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import File
from sennit.web.wsgi import WSGIResource

LOOPS = 3
CLIENTS = 6
ROUNDS = 40


class Plain(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"plain " + request.args[b"n"][0]


class Waiting(Resource):
    isLeaf = True

    async def render_GET(self, request: Any) -> bytes:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is loop
        request.setHeader(b"X-Loop", str(id(loop)))
        return b"waiting " + request.args[b"n"][0]


class Later(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> Any:
        from sennit.internet.task import deferLater

        here = threading.get_ident()

        def answer() -> bytes:
            # A call later comes in the thread of the loop that it was made in.
            assert threading.get_ident() == here
            return b"later " + request.args[b"n"][0]

        return deferLater(reactor, 0, answer)


class Echo(Resource):
    isLeaf = True

    def render_POST(self, request: Any) -> bytes:
        return b"echo " + request.content.read()


class Dynamic(Resource):
    def getChild(self, path: bytes, request: Any) -> Any:
        return Named(path)


class Named(Resource):
    isLeaf = True

    def __init__(self, name: bytes) -> None:
        super().__init__()
        self.name = name

    def render_GET(self, request: Any) -> bytes:
        return b"named " + self.name


class Counted(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        session = request.getSession()
        session.data["n"] = request.args[b"n"][0]
        return b"counted " + session.data["n"]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    await asyncio.sleep(0)
    body = b"asgi " + scope["query_string"].removeprefix(b"n=")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi " + environ["QUERY_STRING"].removeprefix("n=").encode("ascii")]


@contextmanager
def serving(site: Site, loops: int) -> Iterator[int]:
    """Serve `site` in so many loops; gives the port."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    started = threading.Barrier(loops + 1, timeout=10)
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=newEventLoop) as runner:
                runner.run(serve())
        except BaseException as problem:
            problems.append(problem)

    async def serve() -> None:
        end = asyncio.Event()
        running.append((asyncio.get_running_loop(), end))
        port = reactor.adoptStreamPort(listening.fileno(), socket.AF_INET, site)
        started.wait()
        await end.wait()
        await port.drain(2)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(loops)]
    for thread in threads:
        thread.start()
    try:
        started.wait()
        yield listening.getsockname()[1]
    finally:
        listening.close()
        for loop, end in running:
            loop.call_soon_threadsafe(end.set)
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)
        assert problems == []


def exchange(client: Any, request: bytes) -> tuple[bytes, bytes]:
    """Send a request; head and body of its response, which has a length."""
    client.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(65536) or pytest.fail("the connection was closed")
    head, _, body = received.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if fields.get(b"transfer-encoding") == b"chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += client.recv(65536)
        return head, body.split(b"\r\n")[1]
    while len(body) < int(fields[b"content-length"]):
        body += client.recv(65536)
    return head, body


def get(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"


def tree(folder: Path, pool: ThreadPool) -> Resource:
    (folder / "some.txt").write_bytes(b"of a file")
    root = Resource()
    root.putChild(b"plain", Plain())
    root.putChild(b"waiting", Waiting())
    root.putChild(b"later", Later())
    root.putChild(b"echo", Echo())
    root.putChild(b"dynamic", Dynamic())
    root.putChild(b"counted", Counted())
    root.putChild(b"files", File(str(folder)))
    root.putChild(b"wsgi", WSGIResource(reactor, pool, wsgi))
    root.putChild(b"asgi", ASGIResource(asgi))
    return root


def ask(port: int, number: int) -> int:
    """What one client does: everything that the tree has, again and again. Gives how many requests."""
    count = 0
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        for turn in range(ROUNDS):
            mark = b"%d-%d" % (number, turn)
            for name in (b"plain", b"waiting", b"later", b"counted", b"asgi", b"wsgi"):
                _, body = exchange(client, get(b"/" + name + b"?n=" + mark))
                assert body == name + b" " + mark
            _, body = exchange(client, get(b"/dynamic/" + mark))
            assert body == b"named " + mark
            _, body = exchange(client, get(b"/files/some.txt"))
            assert body == b"of a file"
            post = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (
                len(mark),
                mark,
            )
            _, body = exchange(client, post)
            assert body == b"echo " + mark
            head, _ = exchange(client, get(b"/missing/" + mark))
            assert head.startswith(b"HTTP/1.1 404 ")
            count += 10
    return count


def inThreads(work: Callable[[int], int], count: int) -> list[int]:
    """Do it in so many threads; what each gives. Raises what one of them raised."""
    given: list[int] = []
    problems: list[BaseException] = []

    def run(number: int) -> None:
        try:
            given.append(work(number))
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if problems:
        raise problems[0]
    return given


def test_loops_share_a_site(tmp_path: Path) -> None:
    pool = ThreadPool(0, 4, "test")
    pool.start()
    root = tree(tmp_path, pool)
    log = tmp_path / "access.log"
    site = Site(root, logPath=str(log))
    site.noisy = False
    site.acceptsPerTurn = 1
    site.metrics = Metrics()
    over = threading.Event()

    def disturb() -> None:
        # What changes under the loops' feet: the tree, the classes that they know, and the garbage collector.
        number = 0
        while not over.wait(0.002):
            number += 1
            root.putChild(b"more%d" % (number % 20), Plain())
            Plain.changed = number  # type: ignore[attr-defined]
            gc.collect(0)

    disturbing = threading.Thread(target=disturb, daemon=True)
    disturbing.start()
    try:
        with serving(site, LOOPS) as port:
            asked = sum(inThreads(lambda number: ask(port, number), CLIENTS))
            service = site.service
            assert service is not None
            assert asked == CLIENTS * ROUNDS * 10
            assert service.requests == asked
            assert service.active_requests == 0
            assert len(site.sessions) == CLIENTS * ROUNDS
    finally:
        over.set()
        disturbing.join(10)
        pool.stop()
        for session in list(site.sessions.values()):
            session.expire()
    assert len(log.read_bytes().splitlines()) == asked


def test_a_collection_waits_for_no_loop() -> None:
    """Whoever waits for a lock is out of the interpreter's way: all loops and the collector go on at once."""
    site = Site(Plain())
    site.noisy = False
    over = threading.Event()

    def collect() -> None:
        while not over.wait(0.001):
            gc.collect()

    collecting = threading.Thread(target=collect, daemon=True)
    with serving(site, LOOPS) as port:
        collecting.start()
        try:

            def hammer(number: int) -> int:
                with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                    for turn in range(ROUNDS):
                        _, body = exchange(client, get(b"/?n=%d" % turn))
                        assert body == b"plain %d" % turn
                return ROUNDS

            assert inThreads(hammer, CLIENTS) == [ROUNDS] * CLIENTS
        finally:
            over.set()
            collecting.join(10)


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has the GIL")
def test_the_engine_leaves_the_gil_off() -> None:
    program = "import sys, sennit.web.server, sennit.web.asgi, sennit.web.wsgi; print(sys._is_gil_enabled())"
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert (ran.stdout, ran.stderr) == ("False\n", "")
