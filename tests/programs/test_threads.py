"""`sennit serve --threads`: several event loops in one process.

A Python with the GIL refuses that, since it gains nothing; but it works there in the same way. So these tests
have the command believe that there is no GIL.
"""

import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from .load import Load
from .served import Served, wait_until

PROGRAM = """
import asyncio, os, threading, time
from sennit.internet import reactor
from sennit.internet.threads import deferToThread
from sennit.web.resource import Resource

def name():
    return threading.current_thread().name

class Pid(Resource):
    def render_GET(self, request):
        return str(os.getpid())

class Name(Resource):
    def render_GET(self, request):
        return name()

class Back(Resource):
    # By a thread of the pool back to the loop that the request came to.
    def render_GET(self, request):
        here = name()
        def answer(_):
            assert name() == here
            reactor.callLater(0, finish)
        def finish():
            assert name() == here
            request.write(here.encode())
            request.finish()
        deferToThread(lambda: None).addCallback(answer)
        return 1

class Wait(Resource):
    async def render_GET(self, request):
        await asyncio.sleep(float(request.uri.partition(b"?")[2]))
        return name()

class Events(Resource):
    async def render_GET(self, request):
        request.setHeader("X-Thread", name())
        while True:
            request.write("data: tick\\n\\n")
            await asyncio.sleep(0.05)

class Hang(Resource):
    def render_GET(self, request):
        time.sleep(60)

root = Resource()
for child in (Pid, Name, Back, Wait, Events, Hang):
    root.putChild(child.__name__.lower(), child())
"""

ASGI = """
import threading

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            print(message["type"], threading.current_thread().name, flush=True)
            await send({"type": message["type"] + ".complete"})
            scope["state"]["started"] = "yes"
            if message["type"] == "lifespan.shutdown":
                return
    text = f"{threading.current_thread().name} {scope['state']['started']}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
"""

WSGI = """
import threading

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['wsgi.multithread']} {threading.current_thread().name}".encode()]
"""

BELIEVING = """
from sennit.serving import command, gil
gil._has_gil = lambda: False
command.main()
"""


class Threaded(Served):
    """As `Served`, without a look whether this Python has the GIL."""

    command = (sys.executable, "-c", BELIEVING, "serve")


def answers(served: Served, path: str) -> Callable[[], set[str]]:
    """What connections are told one after the other: all that came so far."""
    told: set[str] = set()

    def ask() -> set[str]:
        with httpx.Client() as client:
            told.add(client.get(f"{served.base}{path}").text)
        return told

    return ask


def one_client_of_each(served: Served, stack: ExitStack, names: set[str]) -> dict[str, socket.socket]:
    """Connections that wait for their second request, by the thread that has accepted them."""
    clients: dict[str, socket.socket] = {}

    def connect() -> bool:
        client = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 10))
        client.sendall(b"GET /name HTTP/1.1\r\nHost: x\r\n\r\n")
        name = client.recv(4096).rpartition(b"\r\n\r\n")[2].decode()
        clients[name] = client
        return set(clients) == names

    wait_until(connect)
    return clients


@pytest.mark.parametrize("path", ["/name", "/wait?0", "/back"])
def test_loops_share_the_connections(tmp_path: Path, path: str) -> None:
    with Threaded(tmp_path, "--threads", "2", program=PROGRAM) as served:
        served.wait_until_up()
        ask = answers(served, path)
        wait_until(lambda: ask() == {"MainThread", "sennit-loop-1"})
        assert served.end()[0] == 0
        assert "Traceback" not in served.output()


def test_lifespan_runs_once_and_its_state_is_everybodys(tmp_path: Path) -> None:
    with Threaded(tmp_path, "--threads", "2", program=ASGI) as served:
        served.wait_until_up()
        ask = answers(served, "/")
        wait_until(lambda: ask() == {"MainThread yes", "sennit-loop-1 yes"})
        assert served.end()[0] == 0
        printed = served.output()
    assert printed.count("lifespan.startup MainThread") == 1
    assert printed.count("lifespan.shutdown MainThread") == 1


@pytest.mark.parametrize("threads", ["0", "1"])
def test_wsgi_application_is_told_of_the_threads(tmp_path: Path, threads: str) -> None:
    with Threaded(tmp_path, "--threads", "2", "--wsgi-threads", threads, program=WSGI) as served:
        served.wait_until_up()
        assert httpx.get(served.base).text.startswith("True ")
        assert served.end()[0] == 0


@pytest.mark.parametrize("options", [(), ("--workers", "1")])
def test_running_requests_of_all_loops_are_let_end(tmp_path: Path, options: tuple[str, ...]) -> None:
    with ExitStack() as stack:
        served = stack.enter_context(Threaded(tmp_path, "--threads", "2", *options, program=PROGRAM))
        served.wait_until_up()
        clients = one_client_of_each(served, stack, {"MainThread", "sennit-loop-1"})
        for client in clients.values():
            client.sendall(b"GET /wait?0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        served.send(signal.SIGTERM)
        for name, client in clients.items():
            answer = b""
            while piece := client.recv(4096):
                answer += piece
            assert b"connection: close" in answer.lower()
            assert answer.rpartition(b"\r\n\r\n")[2] == name.encode()
        assert served.wait() == 0
        assert "Traceback" not in served.output()


@pytest.mark.parametrize("options", [(), ("--workers", "1")])
def test_second_signal_cuts_all_loops_at_once(tmp_path: Path, options: tuple[str, ...]) -> None:
    with ExitStack() as stack:
        served = stack.enter_context(Threaded(tmp_path, "--threads", "2", *options, program=PROGRAM))
        served.wait_until_up()
        clients = one_client_of_each(served, stack, {"MainThread", "sennit-loop-1"})
        for client in clients.values():
            client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000)
        started = time.monotonic()
        served.send(signal.SIGINT)
        served.wait_for_output("shutting down")
        served.send(signal.SIGINT)
        assert served.wait() == 0
        assert time.monotonic() - started < 3
        assert "Traceback" not in served.output()


def test_loop_of_a_thread_that_hangs_is_told_of(tmp_path: Path) -> None:
    options = ("--threads", "2", "--workers", "1", "--timeout-worker", "0.5")
    with ExitStack() as stack:
        served = stack.enter_context(Threaded(tmp_path, *options, program=PROGRAM))
        served.wait_until_up()
        (worker,) = served.children()
        clients = one_client_of_each(served, stack, {"MainThread", "sennit-loop-1"})
        clients["sennit-loop-1"].sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        printed = served.wait_for_output("time.sleep(60)")
        assert f"Worker {worker} hangs and is killed: GET /hang, " in printed
        wait_until(lambda: served.children() not in ([], [worker]))


def test_no_request_is_lost_by_a_rolling_restart_nor_by_used_up_workers(tmp_path: Path) -> None:
    options = ("--threads", "2", "--workers", "2", "--max-requests", "800")
    with Threaded(tmp_path, *options, program=PROGRAM) as served:
        served.wait_until_up()
        first = set(served.children())
        with Load(served.port, 16) as load:
            wait_until(lambda: "it has answered" in served.output())
            before = set(served.children())
            served.send(signal.SIGHUP)
            wait_until(lambda: not (before | first) & set(served.children()))
            answered = sum(load.answers.values())
            wait_until(lambda: sum(load.answers.values()) > answered + 200)
        assert load.failures == []
        assert served.end()[0] == 0
