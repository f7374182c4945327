"""Programs run as real processes."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from .network import Network, free_port

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"

# How programs are started: with the interpreter that runs the tests, whatever PATH says.
SENNIT_RUN = (sys.executable, "-m", "sennit", "run")
SENNIT_SERVE = (sys.executable, "-m", "sennit", "serve")
SENNIT_TREE = (sys.executable, "-m", "sennit", "tree")
PYTHON = (sys.executable,)


class Process:
    """A program that has been started, and what it prints. Leaving the `with` block ends it.

    `command` is its command line, `network` where it runs, `environment` what is added to this process's.
    """

    def __init__(
        self,
        *command: str,
        network: Network | None = None,
        environment: dict[str, str] | None = None,
        directory: Path = ROOT,
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self.network = network or Network()
        self._process = subprocess.Popen(
            self.network.command(*command),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if value is not None:
            print(f"--- output of {self._process.args}\n{self.output()}", file=sys.stderr)
        self._output.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def children(self) -> list[int]:
        """The processes that it has started and that are there still, zombies too."""
        return [
            int(child) for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        ]

    def output(self) -> str:
        """All that it has printed so far, standard output and error together."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def wait_for_output(self, text: str, seconds: float = 20) -> str:
        """All output, as soon as `text` is in it; AssertionError if it ends or time runs out before that."""
        deadline = time.monotonic() + seconds
        while text not in self.output():
            assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.output()}"
            assert time.monotonic() < deadline, f"never printed {text!r}: {self.output()}"
            time.sleep(0.01)
        return self.output()

    def wait_for_port(self, port: int) -> None:
        """Return once it accepts connections on `port`; AssertionError if it ends before that."""
        with self.network.connector(port) as connector:
            while connector.poll() is None and self._process.poll() is None:
                time.sleep(0.01)
            connector.kill()
        assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.output()}"
        assert connector.returncode == 0, f"never listened on {port}: {self.output()}"

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20) -> tuple[int, float]:
        """Send a signal and wait; returns its exit status and the seconds it took to end."""
        started = time.monotonic()
        self._process.send_signal(number)
        status = self.wait(seconds)
        return status, time.monotonic() - started

    def wait(self, seconds: float = 20) -> int:
        """Its exit status, once it has ended by itself."""
        return self._process.wait(seconds)


class Example(Process):
    """An example that takes its port as an argument, listening on a free one.

    `start` is PYTHON or SENNIT_RUN; `base` is the URL to ask, without a slash at its end.
    """

    def __init__(self, name: str, start: tuple[str, ...] = PYTHON) -> None:
        port = free_port()
        super().__init__(*start, str(EXAMPLES / name), str(port))
        self.base = f"http://127.0.0.1:{port}"
        self.wait_for_port(port)
