"""A Redis server for tests: on a free port, in a directory of its own."""

import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class RedisServer:
    """A server process with nothing in it; leaving the `with` block ends it. `url` is what clients are
    given."""

    def __init__(self, command: str, directory: Path, port: int = 0) -> None:
        with socket.create_server(("127.0.0.1", port)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = subprocess.Popen(
            [command, "--port", f"{self.port}", "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self._process.poll() is None, "redis-server has ended"
                assert time.monotonic() < deadline, "redis-server never listened"
                time.sleep(0.01)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.wait()
