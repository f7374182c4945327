"""Fixtures of the wire tests: one server process for the session, sites in it for the tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .helpers.server import LiveSite, ServerProcess
from .helpers.upstream import Upstream

OpenSite = Callable[..., LiveSite]
Proxied = Callable[..., LiveSite]
StartServer = Callable[..., ServerProcess]


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """A process that serves in Sennit's own reactor."""
    process = ServerProcess("reactor")
    yield process
    process.end()


@pytest.fixture(scope="session")
def default_site(server: ServerProcess) -> LiveSite:
    """A site with nothing changed."""
    return server.open_site()


@pytest.fixture
def site(default_site: LiveSite) -> LiveSite:
    """The unchanged site, with nothing noted and nothing logged so far."""
    default_site.take_events()
    default_site.server.take_logs()
    return default_site


@pytest.fixture
def open_site(server: ServerProcess) -> Iterator[OpenSite]:
    """Opens sites with limits and options: `open_site({"headerTimeout": 1}, logPath=...)`."""
    opened: list[LiveSite] = []

    def open_one(limits: dict[str, Any] | None = None, **options: Any) -> LiveSite:
        server.take_logs()
        opened.append(server.open_site(limits, **options))
        return opened[-1]

    yield open_one
    for each in opened:
        each.stop_listening()


@pytest.fixture
def own_server() -> Iterator[StartServer]:
    """Starts server processes for one test: `own_server("uvloop")`."""
    started: list[ServerProcess] = []

    def start(kind: str = "reactor") -> ServerProcess:
        started.append(ServerProcess(kind))
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A server that the test itself plays."""
    with Upstream() as one:
        yield one


@pytest.fixture
def proxied(open_site: OpenSite, upstream: Upstream) -> Proxied:
    """Opens a site that passes everything on to the upstream."""

    def open_one(limits: dict[str, Any] | None = None, **options: Any) -> LiveSite:
        proxy = {"host": "127.0.0.1", "port": upstream.port, **options}
        return open_site(limits, proxy=proxy)

    return open_one
