"""Whether a server lives, and whether it is ready."""

import asyncio
import logging
from typing import Any

import pytest

from sennit.web.health import HealthResource
from sennit.web.server import Site
from sennit.web.testing import TestClient


async def passes() -> bool:
    await asyncio.sleep(0)
    return True


async def hangs() -> None:
    await asyncio.sleep(60)


def fails() -> None:
    raise OSError("the disk is gone")


def asked(checks: dict[str, Any], path: str) -> tuple[int, Any]:
    site = Site(HealthResource(checks, timeout=0.05))
    with TestClient(site) as client:
        answer = client.get(path)
    assert answer.header("Cache-Control") == "no-store"
    return answer.code, answer.json()


@pytest.mark.parametrize("path", ["/ready", "/"])
def test_ready_when_all_checks_pass(path: str) -> None:
    checks = {"one": passes, "two": lambda: None}
    assert asked(checks, path) == (200, {"status": "ok", "checks": {"one": "ok", "two": "ok"}})


@pytest.mark.parametrize(
    ("check", "outcome"), [(lambda: False, "failed"), (fails, "failed"), (hangs, "timed out")]
)
def test_not_ready_when_one_fails(check: Any, outcome: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "sennit"):
        code, told = asked({"one": passes, "two": check}, "/ready")
    assert (code, told["status"]) == (503, "unavailable")
    assert told["checks"] == {"one": "ok", "two": outcome}


def test_live_whatever_the_checks_say() -> None:
    assert asked({"one": fails}, "/live") == (200, {"status": "ok"})


def test_not_ready_while_stopping() -> None:
    site = Site(HealthResource())
    with TestClient(site) as client:
        assert client.get("/ready").code == 200
        site.engineService().start_draining()
        answer = client.get("/ready")
        assert (answer.code, answer.json()["checks"]) == (503, {"serving": "stopping"})
        assert client.get("/live").code == 200
