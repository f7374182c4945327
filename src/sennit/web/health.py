"""Telling a load balancer or an orchestrator how a server is.

    root.putChild("health", HealthResource({"database": database.ping}))

`live` is whether it runs at all: one that isn't should be started anew. `ready` is whether it should be sent
requests."""

import asyncio
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = ["HealthResource"]

_logger = logging.getLogger("sennit.web")

# Called without arguments; false, or an exception, says that something is amiss. May be a coroutine function.
Check = Callable[[], Any]


class HealthResource(Resource):
    """Has the children `live` and `ready`, which answer 200 or 503 and JSON; itself it answers as `ready`.

    `checks` are functions, plain or async, by name: they are called for `ready`, all at a time, and none may
    take longer than `timeout` seconds. A site that is stopping isn't ready."""

    def __init__(self, checks: Mapping[str, Check] | None = None, timeout: float = 5.0) -> None:
        super().__init__()
        self.checks = dict(checks or {})
        self.timeout = timeout
        self.putChild("live", _Live())
        self.putChild("ready", _Ready(self))
        self.putChild("", _Ready(self))

    async def render_GET(self, request: "Request") -> bytes:
        """As `ready`."""
        return await self._answer(request)

    async def _answer(self, request: "Request") -> bytes:
        outcomes = await asyncio.gather(*(self._outcome(name) for name in self.checks))
        results = dict(zip(self.checks, outcomes, strict=True))
        service = getattr(request.site, "service", None)
        if service is not None and service.draining:
            results["serving"] = "stopping"
        isWell = all(result == "ok" for result in results.values())
        return _respond(request, isWell, results)

    async def _outcome(self, name: str) -> str:
        try:
            result = self.checks[name]()
            if inspect.isawaitable(result):
                result = await asyncio.wait_for(result, self.timeout)
        except TimeoutError:
            return "timed out"
        except Exception:
            # What went wrong is for the log: whoever asks for the health needn't know.
            _logger.exception("The health check %r failed", name)
            return "failed"
        return "failed" if result is False else "ok"


class _Live(Resource):
    isLeaf = True

    def render_GET(self, request: "Request") -> bytes:
        return _respond(request, True, {})


class _Ready(Resource):
    isLeaf = True

    def __init__(self, health: HealthResource) -> None:
        super().__init__()
        self._health = health

    async def render_GET(self, request: "Request") -> bytes:
        return await self._health._answer(request)


def _respond(request: "Request", isWell: bool, results: Mapping[str, str]) -> bytes:
    request.setResponseCode(200 if isWell else 503)
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Cache-Control", b"no-store")
    status = {"status": "ok" if isWell else "unavailable"}
    return json.dumps(status | ({"checks": dict(results)} if results else {})).encode("utf-8")
