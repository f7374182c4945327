"""The server under test, seen from the tests: a process, and sites in it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .script import Operation

_PACKAGE = __package__ or "wire.helpers"
_IMPORT_ROOT = Path(__file__).resolve().parents[_PACKAGE.count(".") + 1]
_TICKS = os.sysconf("SC_CLK_TCK")

Event = dict[str, Any]


def wait_until(condition: Callable[[], bool], timeout: float = 5.0) -> bool:
    """Ask again and again until `condition` holds; whether it came to hold in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class ServerProcess:
    """A process that serves any number of sites; `kind` is the loop it uses: reactor, asyncio or uvloop."""

    def __init__(self, kind: str = "reactor") -> None:
        paths = [str(_IMPORT_ROOT), os.environ.get("PYTHONPATH", "")]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{_PACKAGE}.serve", kind],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    def command(self, name: str, /, **arguments: Any) -> Any:
        """Send a command and return its result; RuntimeError if it failed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([name, arguments]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server process ended with {self.process.wait()}: {self.errors()}")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["result"]

    def open_site(self, limits: Mapping[str, Any] | None = None, **options: Any) -> "LiveSite":
        """Serve a fresh tree with `limits` set on its Site and `options` given to it."""
        return LiveSite(self, self.command("open", limits=dict(limits or {}), options=options))

    def take_logs(self) -> list[Event]:
        """What was logged since the last call."""
        records: list[Event] = self.command("logs", clear=True)
        return records

    def resident_bytes(self) -> int:
        """Memory of the process that is in RAM."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def cpu_seconds(self) -> float:
        """Processor time used so far, in user and kernel mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def open_descriptors(self) -> int:
        """How many descriptors the process holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def errors(self) -> str:
        """What the process has written to its standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def end(self) -> None:
        """End the process, however it is."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if self.is_alive():
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        sys.stderr.write(self.errors())
        self._errors.close()


class LiveSite:
    """One site of a server process, on its own port of 127.0.0.1."""

    def __init__(self, server: ServerProcess, port: int) -> None:
        self.server = server
        self.port = port

    def events(self, *names: str) -> list[Event]:
        """What the tree has noted since `take_events`, only events of these names if any are given."""
        events: list[Event] = self.server.command("events", port=self.port, clear=False)
        return [event for event in events if not names or event["name"] in names]

    def take_events(self) -> list[Event]:
        """What the tree has noted since the last call."""
        events: list[Event] = self.server.command("events", port=self.port, clear=True)
        return events

    def wait_for_event(self, name: str, count: int = 1, timeout: float = 5.0) -> list[Event]:
        """Wait until `count` events of this name are there, and return them."""
        wait_until(lambda: len(self.events(name)) >= count, timeout)
        found = self.events(name)
        assert len(found) >= count, f"no {name!r} in {timeout} s; noted: {self.events()}"
        return found

    def serve_files(self, folder: Path) -> None:
        """Serve a folder at /files."""
        self.server.command("serve_files", port=self.port, folder=str(folder))

    def act(self, *operations: Operation) -> None:
        """Let the program do something with the first held request."""
        self.server.command("act", port=self.port, operations=list(operations))

    def release(self) -> None:
        """Forget the first held request."""
        self.server.command("release", port=self.port)

    def stop_listening(self) -> None:
        """Close its listening socket."""
        self.server.command("stop_listening", port=self.port)

    def set_limit(self, name: str, value: Any) -> str | None:
        """Set a limit; returns what it raised as text."""
        raised: str | None = self.server.command("set_limit", port=self.port, name=name, value=value)
        return raised
