"""The servers that are compared, how each is started at its fastest, and the running ones."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import files, measure, native, nginx
from benchmarks.paths import BUILD, PROGRAMS, ROOT
from benchmarks.scenarios import Scenario

SERVER_CORE = 0
LOAD_CORE = 1
START_SECONDS = 15.0
STOP_SECONDS = 2.0

LIMIT = "limit"
SENNIT = "sennit"
NGINX = "nginx"
REFERENCES = frozenset({LIMIT, NGINX})
"""What Sennit is compared with, but isn't a Python server."""

_SYNC = frozenset({"buy", "echo", "missing", "dynamic", "stream"})
_ASYNC = _SYNC | {"nowait", "sleep0"}
_UP = frozenset({"upload"})
_DOWN = frozenset({"download"})
_STATIC = frozenset({"static"})
_GZIP = frozenset({"gzip"})
_PROXY = frozenset({"proxy"})
_HANDS_ON = frozenset({"asgi_hello", "asgi_stream", "asgi_sleep"})
_ASGI = _HANDS_ON | {"starlette", "fastapi"}
# WSGI applications in the server's one thread, and in a pool of threads.
_INLINE = frozenset({"wsgi", "flask"})
_POOL = frozenset({"wsgi_pool"})


@dataclass(frozen=True)
class Server:
    """A server and how it is started.

    `programs` are the programs it can run; `distributions` the PyPI packages whose versions are reported.
    `arguments` follow the interpreter; `{port}`, `{program}`, `{programs}` (their folder), `{asgi_module}`
    (where an ASGI program is) and `{files}` (those of the static scenarios) are filled in. The limit
    and nginx need neither interpreter nor arguments; Sennit's are those of `sennit_arguments`.
    """

    name: str
    interface: str
    arguments: tuple[str, ...]
    programs: frozenset[str]
    distributions: tuple[str, ...] = ()


def _script(name: str, *more: str) -> tuple[str, ...]:
    return ("{programs}/" + name, "{port}", "{program}", *more)


def _granian(interface: str, *more: str) -> tuple[str, ...]:
    options = (
        f"-m granian --interface {interface} --host 127.0.0.1 --port {{port}} --workers 1 --http 1 --no-ws"
    )
    options += " --runtime-threads 1 --loop uvloop --backlog 16384 --backpressure 16384 --no-log"
    return (*options.split(), *more, f"benchmarks.programs.{interface}_apps:{{program}}")


def _gunicorn() -> tuple[str, ...]:
    options = "-m gunicorn --worker-class gthread --workers 1 --threads 10 --bind 127.0.0.1:{port}"
    options += " --backlog 8192 --keep-alive 600 --log-level critical"
    return (*options.split(), "benchmarks.programs.wsgi_apps:{program}")


def _peregrine(interface: str) -> tuple[str, ...]:
    options = f"-m peregrine --protocol {interface} --host 127.0.0.1 --port {{port}} --workers 1"
    options += " --backlog 8192 --max-connections 16384 --max-body 2147483648 --keep-alive 600000"
    options += " --no-lifespan --no-websockets --log-level silent"
    return (*options.split(), f"benchmarks.programs.{interface}_apps:{{program}}")


def _hypercorn() -> tuple[str, ...]:
    options = "-m hypercorn --bind 127.0.0.1:{port} --workers 1 --worker-class uvloop --backlog 8192"
    options += " --keep-alive 600 --log-level CRITICAL"
    # It doesn't ask a module for what is loaded when asked for.
    return (*options.split(), "benchmarks.programs.{asgi_module}:{program}")


def _h2corn() -> tuple[str, ...]:
    options = "-m h2corn --bind 127.0.0.1:{port} --workers 1 --runtime-threads 1 --loop uvloop --backlog 8192"
    options += " --lifespan off --no-access-log"
    return (*options.split(), "benchmarks.programs.asgi_apps:{program}")


def _granian_static() -> tuple[str, ...]:
    *options, _ = _granian("rsgi")
    mount = ("--static-path-route", "/static", "--static-path-mount", "{files}")
    return (*options, *mount, "benchmarks.programs.rsgi_apps:buy")


def _m0serve_static() -> tuple[str, ...]:
    options = "-m m0serve --host 127.0.0.1 --port {port} --workers 1 --blocking-threads 0 --protocol wsgi"
    options += " --max-keepalive-requests 0 --idle-timeout 0 --static /static={files}"
    return (*options.split(), "benchmarks.programs.wsgi_apps:buy")


SERVERS: tuple[Server, ...] = (
    Server(LIMIT, "C, canned answer", (), _SYNC | _INLINE | _POOL),
    Server(
        SENNIT,
        "Resource",
        (),
        _ASYNC | _UP | _DOWN | _STATIC | _GZIP | _PROXY | _ASGI | _INLINE | _POOL,
        ("sennit",),
    ),
    Server(NGINX, "C", (), _STATIC | _GZIP | _PROXY),
    Server("fastwsgi", "WSGI", _script("run_fastwsgi.py"), _SYNC | _INLINE, ("fastwsgi",)),
    Server("fastpysgi-wsgi", "WSGI", _script("run_fastpysgi.py", "wsgi"), _SYNC | _INLINE, ("fastpysgi",)),
    Server("fastpysgi-asgi", "ASGI", _script("run_fastpysgi.py", "asgi"), _ASYNC | _ASGI, ("fastpysgi",)),
    Server("bjoern", "WSGI", _script("run_bjoern.py"), _SYNC | _INLINE | _DOWN, ("bjoern",)),
    Server("peregrine-wsgi", "WSGI", _peregrine("wsgi"), _SYNC | _INLINE | _DOWN, ("peregrine-server",)),
    Server(
        "peregrine-asgi",
        "ASGI",
        _peregrine("asgi"),
        _ASYNC | _UP | _DOWN | _ASGI,
        ("peregrine-server", "uvloop"),
    ),
    Server("granian-rsgi", "RSGI", _granian("rsgi"), _ASYNC | _UP | _DOWN | _HANDS_ON, ("granian", "uvloop")),
    Server("granian-asgi", "ASGI", _granian("asgi"), _ASYNC | _UP | _DOWN | _ASGI, ("granian", "uvloop")),
    Server(
        "granian-wsgi",
        "WSGI",
        _granian("wsgi", "--blocking-threads", "1"),
        _SYNC | _INLINE | _POOL | _DOWN,
        ("granian",),
    ),
    Server("granian-threads", "WSGI, its own number of threads", _granian("wsgi"), _POOL, ("granian",)),
    Server("gunicorn", "WSGI, gthread", _gunicorn(), _POOL | {"flask"}, ("gunicorn",)),
    Server("socketify", "native", _script("run_socketify.py"), _ASYNC, ("socketify",)),
    Server(
        "uvicorn",
        "ASGI",
        _script("run_uvicorn.py"),
        _ASYNC | _UP | _DOWN | _ASGI,
        ("uvicorn", "uvloop", "httptools", "starlette", "fastapi", "pydantic"),
    ),
    Server("hypercorn", "ASGI", _hypercorn(), _ASGI, ("hypercorn", "uvloop")),
    Server("h2corn", "ASGI", _h2corn(), _ASGI, ("h2corn", "uvloop")),
    Server("aiohttp", "native", _script("run_aiohttp.py"), _ASYNC | _UP | _DOWN, ("aiohttp", "uvloop")),
    Server("twisted", "Resource", _script("run_twisted.py"), _ASYNC | _PROXY, ("Twisted",)),
    Server("robyn", "native", _script("run_robyn.py"), _ASYNC, ("robyn",)),
    Server("granian-static", "static files", _granian_static(), _STATIC, ("granian",)),
    Server("m0serve-static", "static files", _m0serve_static(), _STATIC, ("m0serve",)),
    Server(
        "starlette-static",
        "StaticFiles on uvicorn",
        _script("run_starlette.py"),
        _STATIC,
        ("starlette", "uvicorn", "uvloop", "httptools"),
    ),
    Server(
        "aiohttp-static", "static files", _script("run_aiohttp_static.py"), _STATIC, ("aiohttp", "uvloop")
    ),
    Server("twisted-static", "File", _script("run_twisted.py"), _STATIC, ("Twisted",)),
)
"""The limit, Sennit, nginx, and the peers."""

PEERS = tuple(server.name for server in SERVERS if server.name not in REFERENCES | {SENNIT})


class NotStarted(Exception):
    """A server ended or stayed silent; the text is the last line it printed, without folders."""


@dataclass
class Running:
    """A server's process. It leads a session of its own, so that its descendants pause and resume with it."""

    server: Server
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    started_at: float
    _family: list[int] = field(default_factory=list)

    def members(self) -> list[int]:
        """Return the ids of the process and its descendants, as they were when last looked for."""
        if not self._family:
            self._family = measure.family(self.process.pid)
        return self._family

    def cpu_seconds(self) -> float:
        """Return the processor seconds used so far.

        A server may replace a process that it finds to have stood still, so that they are looked for anew.
        """
        self._family = measure.family(self.process.pid)
        return measure.cpu_seconds(self._family)

    def rss_kib(self) -> int:
        """Return the resident memory in KiB."""
        return measure.rss_kib(self.members())

    def pause(self) -> None:
        """Stop it from running, timers and all, while another server is measured."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run again."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End it: politely, then surely."""
        self.resume()
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def wait_until_listening(self) -> None:
        """Return once a connection is accepted; raises NotStarted."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise NotStarted(self.last_words())
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            time.sleep(0.01)
        raise NotStarted(f"silent for {START_SECONDS:.0f} s; {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line that the server printed: the error, if it died of one."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return without_folders(lines[-1]) if lines else "it printed nothing"


def without_folders(text: str) -> str:
    """Return `text` without the folders of this machine, so that it can be published."""
    return text.replace(str(ROOT), ".").replace(str(Path.home()), "~")


def free_port() -> int:
    """Return a TCP port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run on one core for a while; what is started meanwhile stays there. Does nothing with a single core."""
    before = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def sennit_arguments(program: str) -> tuple[str, ...]:
    """Return what follows the interpreter where Sennit serves a scenario's program: its command serves
    applications, a file of their own trees of resources."""
    if program not in _ASGI | _INLINE | _POOL:
        return ("{programs}/sennit_{program}.py", "{port}")
    options = "-m sennit serve --host 127.0.0.1 --port {port} --backlog 8192 --no-access-log"
    if program in _ASGI:
        return (*options.split(), "benchmarks.programs.asgi_apps:{program}")
    threads = 10 if program in _POOL else 0
    return (*options.split(), "--wsgi-threads", str(threads), "benchmarks.programs.wsgi_apps:{program}")


class Launcher:
    """Starts servers on their core with the right interpreter."""

    def __init__(self, peers_python: Path, sennit_python: Path | None) -> None:
        self._peers_python = peers_python
        self._sennit_python = sennit_python
        self._answers: dict[str, bytes] = {}
        self._upstream: int | None = None

    def set_limit_answer(self, scenario: Scenario, raw: bytes) -> None:
        """Let the limit server answer `scenario` with these bytes."""
        self._answers[scenario.name] = raw

    @contextlib.contextmanager
    def upstream(self, scenario: Scenario) -> Iterator[None]:
        """Run the limit server on the load generator's core, for the servers of a scenario to ask; for other
        scenarios, nothing. Raises NotStarted.
        """
        if scenario.program != "proxy":
            yield
            return
        answer = BUILD / "answer-upstream"
        answer.write_bytes(scenario.typical_answer())
        port = free_port()
        command = [str(native.build("limit")), str(port), str(answer), "0"]
        log = BUILD / "upstream.log"
        with log.open("wb") as output, on_core(LOAD_CORE):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        behind = Running(SERVERS[0], port, process, log, time.monotonic())
        self._upstream = port
        try:
            behind.wait_until_listening()
            yield
        finally:
            self._upstream = None
            behind.end()

    def command(self, server: Server, scenario: Scenario, port: int) -> list[str]:
        """Return the command line that starts `server` with a scenario's program. Raises NotStarted."""
        if server.name == LIMIT:
            answer = BUILD / f"answer-{scenario.name}"
            program_file = native.build("limit")
            answer.write_bytes(self._answers.get(scenario.name) or scenario.typical_answer())
            return [str(program_file), str(port), str(answer), str(len(scenario.request_body))]
        if scenario.program in _STATIC | _GZIP:
            files.prepare()
        if server.name == NGINX:
            binary = nginx.find()
            if binary is None:
                raise NotStarted("nginx is not installed")
            written = nginx.write_configuration(scenario.program, port, self._upstream)
            return [binary, "-e", "stderr", "-c", str(written)]
        python = self._sennit_python if server.name == SENNIT else self._peers_python
        if python is None:
            raise NotStarted("no interpreter has sennit._engine")
        names = {"port": port, "program": scenario.program, "programs": PROGRAMS, "files": files.FOLDER}
        names["asgi_module"] = "asgi_apps" if scenario.program in _HANDS_ON else "framework_apps"
        arguments = sennit_arguments(scenario.program) if server.name == SENNIT else server.arguments
        return [str(python), *(part.format(**names) for part in arguments)]

    def start(self, server: Server, scenario: Scenario) -> Running:
        """Start `server` with a scenario's program; it may not listen yet. Raises NotStarted."""
        port = free_port()
        command = self.command(server, scenario, port)
        log = BUILD / f"{server.name}.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        # The peers were compiled when they were installed; a checkout is when it is first run, unless this
        # forbids it.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if self._upstream is not None:
            environment["UPSTREAM_PORT"] = str(self._upstream)
        with log.open("wb") as output, on_core(SERVER_CORE):
            started_at = time.monotonic()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )
        return Running(server, port, process, log, started_at)


@contextlib.contextmanager
def running(launcher: Launcher, server: Server, scenario: Scenario) -> Iterator[Running]:
    """Start a server and wait until it listens; end it at the end. Raises NotStarted."""
    started = launcher.start(server, scenario)
    try:
        started.wait_until_listening()
        yield started
    finally:
        started.end()
