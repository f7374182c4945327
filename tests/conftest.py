"""What all tests share."""

import importlib.util
import os
import shutil
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.redis_server import RedisServer

FindClient = Callable[[str], str]

# A shell ignores SIGINT for what it starts in the background, and programs inherit that. The tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def find_client() -> FindClient:
    """Finds a real client: `find_client("curl")` gives its path.

    On a developer's machine a test that needs a client which is not installed is skipped; in CI it fails.
    """

    def find(command: str) -> str:
        path = shutil.which(command)
        if path is not None:
            return path
        if os.environ.get("CI") == "true":
            pytest.fail(f"{command} is not installed, and CI must have it: see scripts/system-deps")
        pytest.skip(f"{command} is not installed")

    return find


@pytest.fixture(scope="session")
def redis_url(find_client: FindClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis server that runs for the tests; they need the package `redis` as well."""
    if importlib.util.find_spec("redis") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("the package redis is not installed, and CI must have it")
        pytest.skip("the package redis is not installed")
    with RedisServer(find_client("redis-server"), tmp_path_factory.mktemp("redis")) as server:
        yield server.url
