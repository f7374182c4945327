"""A server of plain handlers serves without asyncio, and with it as soon as it is needed."""

import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from .network import free_port
from .processes import PYTHON, SENNIT_RUN, Process

# What takes long to load and a server of plain handlers has no use for.
NEEDLESS = {"asyncio", "ssl", "_ssl", "inspect", "ast", "dis", "subprocess", "concurrent.futures"}
# `sennit run` logs where the site is; before Python 3.13 `tokenize` comes with that.
NEEDLESS_WITHOUT_LOG = {"logging", "traceback", "textwrap", "tokenize"}

PROGRAM = """
import signal
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Site


class Modules(Resource):
    def render_GET(self, request):
        return " ".join(sys.modules)


class Coroutine(Resource):
    async def render_GET(self, request):
        import asyncio

        await asyncio.sleep(0)
        return "done"


class Eager(Resource):
    # The task is the running one from its first step, before anything has waited.
    async def render_GET(self, request):
        import asyncio

        return "done" if asyncio.current_task() else "no task"


class RunningLoop(Resource):
    def render_GET(self, request):
        import asyncio

        loop = asyncio.get_running_loop()
        loop.call_soon(finish, request)
        return NOT_DONE_YET if loop.is_running() else "not running"


class Generator(Resource):
    # The loop has to know of it, to close it at the end.
    def render_GET(self, request):
        import asyncio

        async def generator():
            try:
                yield
            finally:
                print("generator closed")

        Generator.kept = generator()
        asyncio.create_task(first(Generator.kept))
        return "done"


async def first(generator):
    async for _ in generator:
        break


class CallLater(Resource):
    def render_GET(self, request):
        reactor.callLater(0, finish, request)
        return NOT_DONE_YET


class InThread(Resource):
    def render_GET(self, request):
        reactor.callInThread(reactor.callFromThread, finish, request)
        return NOT_DONE_YET


class OwnThread(Resource):
    def render_GET(self, request):
        import threading

        threading.Thread(target=self.work, args=(request,)).start()
        return NOT_DONE_YET

    def work(self, request):
        import asyncio

        asyncio.run(asyncio.sleep(0))
        reactor.callFromThread(finish, request)


class ThreadInTurn(Resource):
    # The thread has loaded asyncio before the handler has returned.
    def render_GET(self, request):
        import threading

        thread = threading.Thread(target=__import__, args=("asyncio",))
        thread.start()
        thread.join()
        return "done" if asyncio_runs() else "not running"


def asyncio_runs():
    import asyncio

    return asyncio.get_running_loop().is_running()


class OwnSignal(Resource):
    def render_GET(self, request):
        caught = []
        signal.signal(signal.SIGUSR1, lambda number, frame: caught.append(number))
        signal.raise_signal(signal.SIGUSR1)
        return "done" if caught else "nothing"


class Trigger(Resource):
    def render_GET(self, request):
        reactor.callWhenRunning(request.write, b"do")
        reactor.addSystemEventTrigger("before", "shutdown", print, "triggered")
        request.write(b"ne")
        request.finish()
        return NOT_DONE_YET


class Stop(Resource):
    def render_GET(self, request):
        reactor.stop()
        return "done"


class Crash(Resource):
    def render_GET(self, request):
        reactor.crash()
        return "done"


def finish(request):
    request.write("done")
    request.finish()


root = Resource()
for kind in Resource.__subclasses__():
    if kind.__module__ == "__main__":
        root.putChild(kind.__name__, kind())
reactor.listenTCP(int(sys.argv[1]), Site(root))
assert "asyncio" not in sys.modules
reactor.run()
print("ended")
"""


class Program(Process):
    def __init__(self, directory: Path, start: tuple[str, ...]) -> None:
        self.hasLog = start == SENNIT_RUN
        file = directory / "program.py"
        file.write_text(PROGRAM)
        self.port = free_port()
        super().__init__(*start, str(file), str(self.port))
        self.wait_for_port(self.port)

    def ask(self, name: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=10) as answer:
            return str(answer.read().decode())

    def loaded(self) -> set[str]:
        return set(self.ask("Modules").split())


@pytest.fixture(params=[PYTHON, SENNIT_RUN], ids=["python", "sennit run"])
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    with Program(tmp_path, request.param) as program:
        yield program


def test_plain_handlers_are_served_without_what_they_have_no_use_for(program: Program) -> None:
    program.ask("OwnSignal")
    with pytest.raises(HTTPError, match="404"):
        program.ask("nothing")
    needless = NEEDLESS if program.hasLog else NEEDLESS | NEEDLESS_WITHOUT_LOG
    assert program.loaded() & needless == set()


@pytest.mark.parametrize(
    "name",
    ["Coroutine", "Eager", "RunningLoop", "Generator", "CallLater", "InThread", "OwnThread", "ThreadInTurn"],
)
def test_what_needs_the_loop_has_it_at_once(program: Program, name: str) -> None:
    assert program.ask(name) == "done"
    assert "asyncio" in program.loaded()
    assert program.ask(name) == "done"
    status, seconds = program.end()
    assert (status, "ended" in program.output()) == (0, True)
    assert seconds < 5
    assert ("generator closed" in program.output()) == (name == "Generator")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_with_status_0(program: Program, number: signal.Signals) -> None:
    program.ask("Trigger")
    status, seconds = program.end(number)
    assert status == 0
    assert seconds < 5
    assert [line for line in program.output().splitlines() if "ed" in line][-2:] == ["triggered", "ended"]


@pytest.mark.parametrize("name", ["Stop", "Crash"])
def test_handler_ends_it(program: Program, name: str) -> None:
    assert program.ask(name) == "done"
    assert program.wait() == 0
    assert "ended" in program.output()


def test_trigger_is_called_at_once_as_the_reactor_runs(program: Program) -> None:
    assert program.ask("Trigger") == "done"
