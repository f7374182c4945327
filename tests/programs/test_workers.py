"""Worker processes: replaced, restarted, stopped; and never a request lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from .load import Load
from .served import PROGRAM, Served, wait_until


def roll(served: Served) -> None:
    """Have all workers replaced, and wait for that."""
    before = set(served.children())
    served.send(signal.SIGHUP)
    wait_until(lambda: not before & set(served.children()))


def test_workers_share_the_connections(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "2") as served:
        served.wait_until_up()
        with Load(served.port) as load:
            wait_until(lambda: sum(load.answers.values()) > 1000)
        assert {int(answer) for answer in load.answers} == set(served.children())
        assert load.failures == []


def test_no_request_is_lost_by_rolling_restarts_and_only_those_held_by_killing(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "2") as served:
        served.wait_until_up()
        with Load(served.port) as load:
            for _ in range(10):
                answered = sum(load.answers.values())
                roll(served)
                wait_until(lambda: sum(load.answers.values()) > answered + 200)  # noqa: B023 - called at once
            assert load.failures == []
            for killed in served.children():
                counted = len(load.failures)
                os.kill(killed, signal.SIGKILL)
                wait_until(lambda: len(served.children()) == 2 and killed not in served.children())  # noqa: B023
                answered = sum(load.answers.values())
                wait_until(lambda: sum(load.answers.values()) > answered + 200)  # noqa: B023
                # What it had only just accepted was lost with it, too.
                assert set(load.failures[counted:]) <= {str(killed), "unknown"}
        assert len(load.failures) <= 2 * 64
        assert served.end()[0] == 0


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_dead_worker_is_replaced(tmp_path: Path, options: tuple[str, ...]) -> None:
    with Served(tmp_path, "--workers", "2", *options) as served:
        served.wait_until_up()
        first = served.children()
        os.kill(first[0], signal.SIGSEGV)
        served.wait_for_output(f"Worker {first[0]} was killed by SIGSEGV")
        wait_until(lambda: len(served.children()) == 2)
        wait_until(lambda: served.pid_that_answers() not in first)


def test_preloaded_program_is_imported_once(tmp_path: Path) -> None:
    program = "open('imports', 'a').write('x')\n" + PROGRAM
    with Served(tmp_path, "--workers", "3", "--preload", program=program) as served:
        served.wait_until_up()
        roll(served)
    assert (tmp_path / "imports").read_text() == "x"


def test_crash_loop_ends(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "2", program="import os\nos._exit(3)\n") as served:
        assert served.wait() == 1
        assert "ended with status 3" in served.output()
        assert "giving up" in served.output()


def test_worker_that_hangs_is_killed_and_told_of(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "1", "--timeout-worker", "0.5") as served:
        served.wait_until_up()
        (worker,) = served.children()
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall(b"GET /slow?60 HTTP/1.1\r\nHost: x\r\n\r\n")
            printed = served.wait_for_output("time.sleep(")
        assert f"Worker {worker} hangs and is killed: GET /slow?60, " in printed
        assert "s without a turn of the event loop; it holds " in printed
        assert "in render_GET" in printed
        wait_until(lambda: served.children() not in ([], [worker]))
        assert served.pid_that_answers() != worker


def test_worker_that_hangs_outside_of_python_is_killed_as_well(tmp_path: Path) -> None:
    # Nothing else runs in that process while a regular expression is looked for.
    program = """
import re
def app(environ, start):
    start('200 OK', [])
    re.match('(a*)*b', 'a' * 60)
    return []
"""
    with Served(tmp_path, "--wsgi-threads", "0", "--timeout-worker", "0.3", program=program) as served:
        served.wait_until_up()
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall(b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n")
            printed = served.wait_for_output("was killed by")
    assert "hangs" in printed
    assert "program.py" in printed


def test_worker_is_replaced_after_its_requests(tmp_path: Path) -> None:
    with Served(tmp_path, "--max-requests", "50") as served:
        served.wait_until_up()
        (first,) = served.children()
        with Load(served.port, 4) as load:
            wait_until(lambda: any(answer != str(first) for answer in load.answers))
        assert load.failures == []
        assert load.answers[str(first)] >= 50
        assert f"Worker {first} is replaced: it has answered" in served.output()


def test_worker_is_replaced_when_it_holds_too_much(tmp_path: Path) -> None:
    with Served(tmp_path, "--max-rss", "1M", "--log-level", "info") as served:
        served.wait_until_up()
        served.wait_for_output("is replaced: it holds")


def test_more_and_fewer_workers_on_demand(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "1") as served:
        served.wait_until_up()
        served.send(signal.SIGTTIN)
        wait_until(lambda: len(served.children()) == 2)
        served.send(signal.SIGTTOU)
        wait_until(lambda: len(served.children()) == 1)


def test_restart_that_fails_leaves_the_old_workers(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "2") as served:
        served.wait_until_up()
        before = served.children()
        (tmp_path / "program.py").write_text("1 / 0\n")
        served.send(signal.SIGHUP)
        printed = served.wait_for_output("the old ones go on")
        assert printed.count("ZeroDivisionError") == 1
        assert served.pid_that_answers() in before


def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "2") as served:
        served.wait_until_up()
        workers = served.children()
        served.send(signal.SIGKILL)
        served.wait()
        wait_until(lambda: not any(is_alive(worker) for worker in workers))


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload",)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_never_hangs_on_clients(
    tmp_path: Path, options: tuple[str, ...], number: signal.Signals
) -> None:
    grace = () if options == ("--reload",) else ("--timeout-graceful-shutdown", "1")
    with ExitStack() as stack:
        served = stack.enter_context(Served(tmp_path, *options, *grace))
        served.wait_until_up()
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 10)) for _ in range(201)
        ]
        for client in clients[:-1]:
            client.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        clients[-1].sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert clients[-1].recv(1000)
        status, seconds = served.end(number)
        assert status == 0
        # The stream has its grace, and nothing is waited for beyond that.
        assert 0.9 < seconds < 3


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_running_request_is_let_end_and_its_connection_closed(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with Served(tmp_path, *options) as served:
        served.wait_until_up()
        with socket.create_connection(("127.0.0.1", served.port), 10) as client:
            client.sendall(b"GET /wait?0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            served.send(signal.SIGTERM)
            answer = b""
            while piece := client.recv(4096):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer.lower()
        assert served.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", served.port))


def test_signal_for_all_processes_cuts_nothing(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "1") as served:
        served.wait_until_up()
        (worker,) = served.children()
        with socket.create_connection(("127.0.0.1", served.port), 10) as client:
            client.sendall(b"GET /wait?0.8 HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            served.send(signal.SIGTERM)
            served.wait_for_output("shutting down")
            time.sleep(0.1)
            os.kill(worker, signal.SIGTERM)
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert served.wait() == 0


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_second_signal_cuts_at_once(tmp_path: Path, options: tuple[str, ...]) -> None:
    with Served(tmp_path, *options) as served:
        served.wait_until_up()
        with socket.create_connection(("127.0.0.1", served.port), 10) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000)
            started = time.monotonic()
            served.send(signal.SIGINT)
            served.wait_for_output("shutting down")
            served.send(signal.SIGINT)
            assert served.wait() == 0
            assert time.monotonic() - started < 3


@pytest.mark.parametrize("change", ["good", "broken"])
def test_reload_serves_what_has_changed(tmp_path: Path, change: str) -> None:
    with Served(tmp_path, "--reload") as served:
        served.wait_until_up()
        before = served.pid_that_answers()
        with httpx.stream("GET", f"{served.base}/events") as stream:
            next(stream.iter_raw())
            if change == "broken":
                (tmp_path / "program.py").write_text("1 / 0")
                served.wait_for_output("ZeroDivisionError")
                assert served.pid_that_answers() == before
            text = PROGRAM.replace("str(os.getpid())", "'changed'", 1)
            (tmp_path / "program.py").write_text(text)
            wait_until(lambda: httpx.get(f"{served.base}/pid").text == "changed")
        assert "Changed: program.py" in served.output()
        # The stream of the old worker has had its second.
        wait_until(lambda: not is_alive(before))
        assert served.end()[0] == 0


def test_nothing_is_left_behind_by_restarts(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "1", "--timeout-graceful-shutdown", "0") as served:
        served.wait_until_up()
        roll(served)
        descriptors = len(os.listdir(f"/proc/{served.pid}/fd"))
        for _ in range(15):
            roll(served)
        assert len(os.listdir(f"/proc/{served.pid}/fd")) == descriptors
        assert len(os.listdir(f"/proc/{served.pid}/task")) == 1
        (worker,) = served.children()
        assert len(os.listdir(f"/proc/{worker}/task")) <= 3


def test_orphans_of_a_container_are_reaped(tmp_path: Path) -> None:
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.getuid() != 0 or subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no process namespace to be had")
    # Each request leaves a process that ends later, when nobody but process 1 can take note of it.
    program = """
import os, subprocess
def app(environ, start):
    start('200 OK', [])
    subprocess.run(['sh', '-c', 'sleep 0.1 &'])
    stats = [open(f'/proc/{each}/stat').read() for each in os.listdir('/proc') if each.isdigit()]
    return [str(sum(') Z ' in stat for stat in stats)).encode()]
"""
    (tmp_path / "program.py").write_text(program)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", "sennit", "serve", "program", "--fd", str(listening.fileno())]
        process = subprocess.Popen([*unshare, *command], cwd=tmp_path, pass_fds=[listening.fileno()])
        try:
            for _ in range(5):
                httpx.get(f"http://127.0.0.1:{port}/", timeout=20)
            wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/").text == "0")
        finally:
            process.kill()
            process.wait()
