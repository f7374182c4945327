"""`sennit serve` as a process, and the program that it serves."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from .network import free_port
from .processes import SENNIT_SERVE, Process

# /pid says which process answers; /slow?SECONDS holds up its event loop; /wait?SECONDS does not; /events
# never ends.
PROGRAM = """
import asyncio, os, time
from sennit.web.resource import Resource

class Pid(Resource):
    def render_GET(self, request):
        return str(os.getpid())

class Slow(Resource):
    def render_GET(self, request):
        time.sleep(float(request.uri.partition(b"?")[2]))
        return "slow"

class Wait(Resource):
    async def render_GET(self, request):
        await asyncio.sleep(float(request.uri.partition(b"?")[2]))
        return str(os.getpid())

class Events(Resource):
    async def render_GET(self, request):
        request.setHeader("Content-Type", "text/event-stream")
        while True:
            request.write("data: tick\\n\\n")
            await asyncio.sleep(0.05)

root = Resource()
for child in (Pid, Slow, Wait, Events):
    root.putChild(child.__name__.lower(), child())
"""


class Served(Process):
    """`sennit serve` of PROGRAM, or of another TARGET in `directory`, on a free port of 127.0.0.1."""

    command: tuple[str, ...] = SENNIT_SERVE

    def __init__(
        self,
        directory: Path,
        *options: str,
        program: str = PROGRAM,
        target: str = "program",
        environment: dict[str, str] | None = None,
    ) -> None:
        (directory / "program.py").write_text(program)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        super().__init__(
            *self.command,
            target,
            "--port",
            str(self.port),
            "--no-access-log",
            *options,
            environment=environment,
            directory=directory,
        )

    def wait_until_up(self) -> None:
        """Return once it says that it serves."""
        self.wait_for_output(" serves ")

    def pid_that_answers(self) -> int:
        """The process that answers a new connection."""
        return int(httpx.get(f"{self.base}/pid").text)


def wait_until(is_so: Callable[[], object], seconds: float = 20) -> None:
    """Return once `is_so()`; AssertionError when time runs out."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "that never came about"
        time.sleep(0.02)
