"""`sennit serve` and `sennit tree`: what is served, where, and what is refused."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import pytest

from .processes import SENNIT_SERVE, SENNIT_TREE
from .served import PROGRAM, Served, wait_until


def refused(
    directory: Path, *arguments: str, start: tuple[str, ...] = SENNIT_SERVE
) -> subprocess.CompletedProcess[str]:
    (directory / "program.py").write_text(PROGRAM)
    return subprocess.run(
        [*start, *arguments], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("target", ["program", "program:root", "program.py", "program.py:root"])
def test_tree_is_served(tmp_path: Path, target: str) -> None:
    with Served(tmp_path, target=target) as served:
        printed = served.wait_for_output("serves")
        assert f"serves {target} (a Resource) on http://127.0.0.1:{served.port}/" in printed
        assert served.pid_that_answers() == served.pid
        assert served.end()[0] == 0


@pytest.mark.parametrize(
    ("program", "path", "answer"),
    [
        ("from sennit.web.server import Site\nroot = Site(Resource())\n", "/", "No Such Resource"),
        ("def app(environ, start):\n start('200 OK', [])\n return [b'wsgi']\n", "/", "wsgi"),
        ("def create_app(): return Resource()\n", "/x", "No Such Resource"),
    ],
)
def test_kinds(tmp_path: Path, program: str, path: str, answer: str) -> None:
    with Served(tmp_path, program="from sennit.web.resource import Resource\n" + program) as served:
        served.wait_until_up()
        assert answer in httpx.get(served.base + path).text


ASGI = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            print(message["type"], flush=True)
            if FAILS:
                raise RuntimeError("no database")
            await send({"type": message["type"] + ".complete"})
    text = f"{scope['root_path']} {scope['path']} {scope['client'][0]} {scope['scheme']}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
"""


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_asgi_application_with_its_lifespan(tmp_path: Path, options: tuple[str, ...]) -> None:
    with Served(tmp_path, *options, "--root-path", "/api", program="FAILS = False" + ASGI) as served:
        served.wait_until_up()
        headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
        for path in ("/api/x", "/x"):
            answer = httpx.get(served.base + path, headers=headers)
            assert answer.text == "/api /api/x 192.0.2.7 https"
        assert served.end()[0] == 0
        workers = 2 if options else 1
        assert served.output().count("lifespan.startup") == workers
        assert served.output().count("lifespan.shutdown") == workers


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_asgi_application_that_fails_to_start_ends_the_server(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with Served(tmp_path, *options, "--lifespan", "on", program="FAILS = True" + ASGI) as served:
        assert served.wait() == 1
        assert served.output().count("RuntimeError: no database") == 1


@pytest.mark.parametrize("threads", ["0", "3"])
def test_wsgi_in_threads_or_not(tmp_path: Path, threads: str) -> None:
    program = """
        import threading
        def app(environ, start):
            start('200 OK', [])
            name = threading.current_thread() is threading.main_thread()
            return [f"{name} {environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]
    """
    with Served(
        tmp_path, "--wsgi-threads", threads, "--root-path", "/api", program=textwrap.dedent(program)
    ) as served:
        served.wait_until_up()
        for path in ("/api/x/y", "/x/y"):
            assert httpx.get(served.base + path).text == f"{threads == '0'} /api /x/y"


def test_slow_stream_of_a_wsgi_application_in_the_loop_lets_others_have_their_turn(tmp_path: Path) -> None:
    program = """
        import time
        def app(environ, start):
            start('200 OK', [])
            if environ['PATH_INFO'] == '/other':
                return [b'here']
            def pieces():
                while True:
                    yield b'data: x\\n\\n'
                    time.sleep(0.01)
            return pieces()
    """
    with Served(tmp_path, "--wsgi-threads", "0", program=textwrap.dedent(program)) as served:
        served.wait_until_up()
        with httpx.stream("GET", f"{served.base}/events") as answer:
            assert next(answer.iter_lines()) == "data: x"
            assert httpx.get(f"{served.base}/other").text == "here"


@pytest.mark.parametrize("kind", ["application", "site"])
@pytest.mark.parametrize(
    ("options", "threads", "processes"),
    [
        (("--wsgi-threads", "0"), False, False),
        (("--wsgi-threads", "1"), False, False),
        (("--wsgi-threads", "3", "--workers", "1"), True, False),
        (("--wsgi-threads", "0", "--workers", "2"), False, True),
        (("--wsgi-threads", "3", "--workers", "2", "--preload"), True, True),
    ],
)
def test_wsgi_application_is_told_who_else_runs_it(
    tmp_path: Path, kind: str, options: tuple[str, ...], threads: bool, processes: bool
) -> None:
    program = """
        def application(environ, start):
            start('200 OK', [])
            return [f"{environ['wsgi.multithread']} {environ['wsgi.multiprocess']}".encode()]
    """
    if kind == "site":
        # Made by the program itself, in the loop's thread.
        program += """
        from sennit.web.server import Site
        from sennit.web.wsgi import WSGIResource
        site = Site(WSGIResource(None, None, application))
        """
        threads = False
    with Served(tmp_path, *options, program=textwrap.dedent(program)) as served:
        served.wait_until_up()
        assert httpx.get(served.base).text == f"{threads} {processes}"


def test_directory_is_served(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "page.txt").write_text("hello")
    with Served(tmp_path, target="files") as served:
        served.wait_until_up()
        assert httpx.get(f"{served.base}/page.txt").text == "hello"


def test_unix_socket_is_removed_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    path = tmp_path / "socket"
    process = subprocess.Popen([*SENNIT_SERVE, "program", "--uds", "socket"], cwd=tmp_path)
    try:
        wait_until(path.exists)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            assert client.get("http://localhost/pid").text == str(process.pid)
    finally:
        process.terminate()
        assert process.wait() == 0
    assert not path.exists()


# The sockets that systemd passes begin at descriptor 3, and a variable names the process that they are for.
AS_SYSTEMD = """
import os, sys
how, descriptor, *command = sys.argv[1:]
os.dup2(int(descriptor), 3)
if how == "systemd":
    os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(command[0], command)
"""


@pytest.mark.parametrize("how", ["--fd", "systemd"])
def test_open_socket_is_taken_over(tmp_path: Path, how: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        command = [*SENNIT_SERVE, "program", "--workers", "2", *(["--fd", "3"] if how == "--fd" else [])]
        start = [sys.executable, "-c", AS_SYSTEMD, how, str(listening.fileno()), *command]
        process = subprocess.Popen(start, cwd=tmp_path, pass_fds=[listening.fileno()])
        try:
            assert int(httpx.get(f"http://127.0.0.1:{port}/pid").text) != process.pid
        finally:
            process.terminate()
            assert process.wait() == 0


def test_several_places(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [*SENNIT_SERVE, "program", "-b", "127.0.0.1:0", "-b", "unix:socket"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        url, unix = line.rpartition(" on ")[2].strip().split(", ")
        assert unix == "unix:socket"
        assert httpx.get(f"{url}pid").text == str(process.pid)
    finally:
        process.terminate()
        process.communicate()


def test_settings_of_file_and_environment(tmp_path: Path) -> None:
    (tmp_path / "sennit.toml").write_text(
        'target = "program:root"\nworkers = 2\n[limit]\nmaxRequestLine = 64\n'
    )
    with Served(tmp_path, environment={"SENNIT_LOG_LEVEL": "info"}) as served:
        served.wait_for_output("with 2 workers")
        assert httpx.get(f"{served.base}/{'x' * 100}").status_code == 414


def test_access_log_in_json(tmp_path: Path) -> None:
    with Served(
        tmp_path, "--access-log", "--access-log-file", "log", "--access-log-format", "json"
    ) as served:
        served.wait_until_up()
        httpx.get(f"{served.base}/pid?x=1")
        served.end()
    assert '"target":"/pid?x=1"' in (tmp_path / "log").read_text()


def test_too_many_requests_are_refused(tmp_path: Path) -> None:
    with Served(tmp_path, "--limit-concurrency", "1") as served:
        served.wait_until_up()
        with socket.create_connection(("127.0.0.1", served.port)) as first:
            first.sendall(b"GET /wait?5 HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until(lambda: httpx.get(f"{served.base}/pid").status_code == 503)
        # The client that waited has left.
        wait_until(lambda: httpx.get(f"{served.base}/pid").status_code == 200)


def test_idle_connections_are_closed_after_the_time_given(tmp_path: Path) -> None:
    with Served(tmp_path, "--timeout-keep-alive", "0.2") as served:
        served.wait_until_up()
        with socket.create_connection(("127.0.0.1", served.port), 10) as client:
            client.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in client.recv(4096)
            assert client.recv(4096) == b""


@pytest.mark.parametrize(
    ("arguments", "text", "status"),
    [
        (("absent",), "TARGET absent: no module 'absent'", 1),
        (("program:absent",), "there is no 'absent' in program", 1),
        (("program", "--wrkers", "2"), "No such option '--wrkers'. Did you mean '--workers'?", 2),
        (("program", "--port", "x"), "--port: a whole number from 0 to 65535 was expected, not 'x'", 2),
        (("program", "--port", "1", "--uds", "x"), "--port and --uds contradict each other", 2),
        (("program", "--limit", "maxWhatever=3"), "--limit: NAME=VALUE was expected", 2),
        (("program", "--user", "nobody-of-this-name"), "--user: there is no user", 2),
        (("program", "--bind", "nowhere"), "--bind: HOST:PORT, unix:PATH or fd://NUMBER was expected", 2),
        (("program", "--access-log-format", "fancy"), "--access-log-format: combined, json or a template", 2),
        (("program", "--access-log-format", "%(zz)s"), "--access-log-format: the access log has no atom", 2),
        (("program", "--metrics", "x"), "--metrics: HOST:PORT, unix:PATH or fd://NUMBER was expected", 2),
        (("program", "--fd", "77"), "Couldn't listen on descriptor 77: Bad file descriptor", 1),
        (("program", "--log-config", "absent.ini"), "--log-config: can't read absent.ini", 2),
        ((), "no TARGET", 2),
    ],
)
def test_refusals_are_one_line_that_names_the_option(
    tmp_path: Path, arguments: tuple[str, ...], text: str, status: int
) -> None:
    result = refused(tmp_path, *arguments)
    assert result.returncode == status
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize("options", [(), ("--workers", "3"), ("--workers", "2", "--preload")])
def test_failing_import_prints_its_traceback_once(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "broken.py").write_text("import os\n\ndef f():\n    1 / 0\n\nf()\n")
    result = refused(tmp_path, "broken", "--port", "0", *options)
    assert result.returncode == 1
    assert result.stderr.count("Traceback") == 1
    assert result.stderr.count("ZeroDivisionError") == 1
    assert "serving" not in result.stderr


def test_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = refused(tmp_path, "program", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "Address already in use" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_process_file(tmp_path: Path) -> None:
    with Served(tmp_path, "--pid", "run.pid") as served:
        served.wait_until_up()
        assert int((tmp_path / "run.pid").read_text()) == served.pid
        second = refused(tmp_path, "program", "--port", "0", "--pid", "run.pid")
        assert f"belongs to process {served.pid}, which is running" in second.stderr
        served.end()
    assert not (tmp_path / "run.pid").exists()


def test_help_has_the_options_in_groups(tmp_path: Path) -> None:
    shown = refused(tmp_path, "--help").stdout
    assert shown.index("Where to listen:") < shown.index("--uds") < shown.index("Worker processes:")
    assert "--workers NUMBER" in shown


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_systemd_is_told(tmp_path: Path, options: tuple[str, ...]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind(str(tmp_path / "notify"))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with Served(tmp_path, *options, environment=environment) as served:
            assert manager.recv(100) == b"READY=1"
            assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            served.send(signal.SIGTERM)
            told = b""
            while told != b"STOPPING=1":
                told = manager.recv(100)
            assert served.wait() == 0


def test_group_is_changed_once_the_socket_is_open(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another group")
    program = (
        "import os\ndef app(environ, start):\n start('200 OK', [])\n return [str(os.getgid()).encode()]\n"
    )
    with Served(tmp_path, "--group", "65534", program=program) as served:
        served.wait_until_up()
        assert httpx.get(served.base).text == "65534"


def test_tree_prints_the_resources(tmp_path: Path) -> None:
    result = refused(tmp_path, "program", start=SENNIT_TREE)
    assert result.stdout == textwrap.dedent("""\
        /  sennit.web.resource.Resource
        ├── events  program.Events  GET, HEAD
        ├── pid  program.Pid  GET, HEAD
        ├── slow  program.Slow  GET, HEAD
        └── wait  program.Wait  GET, HEAD
        """)


THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def in_huge_pages(pid: int) -> int:
    """How many bytes of a process's memory are in huge pages."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("AnonHugePages"))


@pytest.mark.skipif(
    not THP.exists() or "[madvise]" not in THP.read_text(), reason="huge pages are not for who asks for them"
)
def test_memory_of_who_serves_is_moved_into_huge_pages(tmp_path: Path) -> None:
    program = PROGRAM + "\nkept = [str(number) * 10 for number in range(1_000_000)]\n"
    with Served(tmp_path, program=program) as served:
        wait_until(lambda: in_huge_pages(served.pid) >= 24 << 20)
    with Served(tmp_path, "--workers", "1", "--max-requests", "9", program=program) as served:
        served.wait_until_up()
        worker = served.pid_that_answers()
        assert worker != served.pid
        wait_until(lambda: in_huge_pages(worker) >= 24 << 20)
    with Served(tmp_path, "--no-huge-pages", program=program) as served:
        served.wait_until_up()
        assert served.pid_that_answers() == served.pid
        assert in_huge_pages(served.pid) == 0
