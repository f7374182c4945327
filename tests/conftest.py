"""What all tests share."""

import os
import shutil
from collections.abc import Callable

import pytest

FindClient = Callable[[str], str]


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
