"""The process under test: sites of probe resources, opened and questioned by JSON lines on stdin.

Run as a module with the kind of loop as its argument: `reactor` (Sennit's own), `asyncio` or `uvloop`.
Each command is `[name, {arguments}]`, each answer one line of JSON.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from sennit.internet import reactor
from sennit.internet.address import UNIXAddress
from sennit.web import http
from sennit.web.asgi import ASGIResource
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import File

from .app import Recorder, build, perform_all, proxied_root
from .asgi import application


class Collector(logging.Handler):
    """Keeps what the server logs."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(
            {
                "logger": record.name,
                "level": record.levelname,
                "text": record.getMessage(),
                "traceback": bool(record.exc_info),
            }
        )


class Bench:
    """The sites of this process, by their port numbers, and the commands."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.recorders: dict[int, Recorder] = {}
        self.sites: dict[int, Site] = {}
        self.ports: dict[int, Any] = {}
        self.collector = Collector()
        logging.getLogger().addHandler(self.collector)
        logging.getLogger().setLevel(logging.INFO)

    async def open(self, limits: dict[str, Any], options: dict[str, Any]) -> int:
        """Serve a fresh tree on a free port; returns the port number."""
        recorder = Recorder()
        if "logFormatter" in options:
            options["logFormatter"] = getattr(http, options["logFormatter"])
        displayed = options.pop("displayTracebacks", None)
        pages = options.pop("errorPages", {})
        proxied = options.pop("proxy", None)
        site = Site(build(recorder) if proxied is None else proxied_root(**proxied), **options)
        if displayed is not None:
            site.displayTracebacks = displayed
        for code, text in pages.items():
            site.errorPages[int(code)] = _page_of(text)
        for name, value in limits.items():
            setattr(site, name, value)
        if self.kind == "reactor":
            port = reactor.listenTCP(0, site, backlog=2048, interface="127.0.0.1")
        else:
            port = await site.start(port=0, interface="127.0.0.1")
        host = port.getHost()
        assert not isinstance(host, UNIXAddress)
        number = host.port
        self.recorders[number], self.sites[number], self.ports[number] = recorder, site, port
        return number

    async def stop_listening(self, port: int) -> None:
        """Close the listening socket of a site."""
        stopped = self.ports.pop(port).stopListening()
        if stopped is not None:
            await stopped

    async def serve_files(self, port: int, folder: str) -> None:
        """Serve a folder at /files."""
        root = self.sites[port].resource
        assert isinstance(root, Resource)
        root.putChild("files", File(folder))

    async def serve_asgi(self, port: int) -> None:
        """Serve the ASGI application at /asgi."""
        root = self.sites[port].resource
        assert isinstance(root, Resource)
        root.putChild("asgi", ASGIResource(application))

    async def die_of_broken_pipes(self) -> None:
        """Set SIGPIPE back to what it is without Python, as some programs do."""
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)

    async def default(self, name: str) -> Any:
        """The default of a limit."""
        return getattr(Site(build(Recorder())), name)

    async def set_limit(self, port: int, name: str, value: Any) -> str | None:
        """Set a limit; returns the text of what it raised, with its type."""
        try:
            setattr(self.sites[port], name, value)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None

    async def events(self, port: int, clear: bool) -> list[dict[str, Any]]:
        """What the tree of a site has noted."""
        events = self.recorders[port].events
        if clear:
            self.recorders[port].events = []
        return events

    async def logs(self, clear: bool) -> list[dict[str, Any]]:
        """What was logged in this process."""
        records = self.collector.records
        if clear:
            self.collector.records = []
        return records

    async def act(self, port: int, operations: list[list[Any]]) -> None:
        """Do the operations with the request that was held first."""
        recorder = self.recorders[port]
        perform_all(recorder, recorder.held[0], operations)

    async def release(self, port: int) -> None:
        """Forget the request that was held first."""
        self.recorders[port].held.pop(0)

    async def collect(self) -> None:
        """Collect garbage."""
        gc.collect()


def _page_of(text: str) -> Callable[[Any, int, object, object], bytes]:
    def page(request: Any, code: int, brief: object, detail: object) -> bytes:
        return text.encode()

    return page


async def answer(bench: Bench, line: str) -> None:
    """Do one command and print its answer."""
    name, arguments = json.loads(line)
    reply: dict[str, Any]
    try:
        reply = {"result": await getattr(bench, name)(**arguments)}
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    sys.__stdout__.write(json.dumps(reply) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def listen_to_commands(bench: Bench, loop: asyncio.AbstractEventLoop) -> None:
    """Read commands in a thread, so that no loop needs to watch a pipe; the end of stdin ends the process."""
    tasks: set[asyncio.Task[None]] = set()

    def start(line: str) -> None:
        task = loop.create_task(answer(bench, line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def read() -> None:
        # Not through sys.stdin: its lock, held by this thread, would trouble the interpreter as it ends.
        rest = b""
        while data := os.read(0, 65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(start, line.decode())
        os._exit(3)

    threading.Thread(target=read, daemon=True).start()


def main(kind: str) -> None:
    """Serve in the named kind of loop until the process is ended."""
    bench = Bench(kind)
    if kind == "reactor":
        reactor.callWhenRunning(lambda: listen_to_commands(bench, asyncio.get_running_loop()))
        reactor.run()
        return

    async def forever() -> None:
        listen_to_commands(bench, asyncio.get_running_loop())
        await asyncio.Event().wait()

    if kind == "uvloop":
        import uvloop

        uvloop.run(forever())
    else:
        asyncio.run(forever())


if __name__ == "__main__":
    main(sys.argv[1])
