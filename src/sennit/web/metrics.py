"""Counters of a site's requests, and the resource that shows them to Prometheus.

    site.metrics = Metrics()
    root.putChild("metrics", MetricsResource(site.metrics))

The engine counts as requests finish; a site without `metrics` pays nothing for this.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sennit._engine import Metrics as Counters
from sennit.web._metricscells import ACTIVE, CELLS, CONNECTIONS, GAUGES, MEMORY, Totals
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = ["Metrics", "MetricsResource"]

_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one process; or its part of the counters of many.

    `memory` is what the counters of all processes lie in, a buffer that they share (as `mmap.mmap(-1, size)`
    makes one before a fork), `place` this process's part of it. Without them the counters are this process's
    alone."""

    def __init__(self, memory: Any = None, place: int = 0) -> None:
        """Raises ValueError if the memory has no such place."""
        cells = memoryview(bytearray(CELLS * 8) if memory is None else memory).cast("B").cast("Q")
        if not 0 <= place < len(cells) // CELLS:
            raise ValueError(f"there is no place {place} in this memory")
        self._all = [cells[start : start + CELLS] for start in range(0, len(cells) - CELLS + 1, CELLS)]
        self._own = self._all[place]
        self.counters = Counters(self._own)
        # The services whose connections and requests are counted.
        self._services: list[Any] = []

    @staticmethod
    def sizeFor(places: int) -> int:
        """Bytes of memory that so many processes need."""
        return places * CELLS * 8

    def watch(self, service: Any) -> None:
        """Count the connections and running requests of an engine's service, too."""
        if service not in self._services:
            self._services.append(service)

    def update(self) -> None:
        """Bring up to date what is not counted but looked at: connections, running requests, memory."""
        self._own[CONNECTIONS] = sum(service.connections for service in self._services)
        self._own[ACTIVE] = sum(service.active_requests for service in self._services)
        self._own[MEMORY] = _residentMemory()

    def totals(self) -> Totals:
        """What all processes together have counted."""
        self.update()
        return Totals(self._all)


def forget(memory: Any, place: int) -> None:
    """A process has ended: what it has counted stays, what it held is gone."""
    cells = memoryview(memory).cast("B").cast("Q")
    for gauge in GAUGES:
        cells[place * CELLS + gauge] = 0


class MetricsResource(Resource):
    """Shows counters in the text format of Prometheus.

    With `programs` true (the default), what the program itself has registered with `prometheus_client`
    follows."""

    isLeaf = True

    def __init__(self, metrics: Metrics, *, programs: bool = True) -> None:
        super().__init__()
        self.metrics = metrics
        self.programs = programs

    def render_GET(self, request: "Request") -> bytes:
        """The counters."""
        request.setHeader(b"Content-Type", _TEXT)
        text = "\n".join(self.metrics.totals().lines()) + "\n"
        return text.encode("utf-8") + (_programsOwn() if self.programs else b"")


def _programsOwn() -> bytes:
    """What is registered with prometheus_client, if the program uses that."""
    client: Any = sys.modules.get("prometheus_client")
    if client is None:
        return b""
    import os

    registry: Any = client.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        import importlib

        multiprocess: Any = importlib.import_module("prometheus_client.multiprocess")
        registry = client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    latest: Callable[[Any], bytes] = client.generate_latest
    return latest(registry)


def _residentMemory() -> int:
    import resource

    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        # The most that it ever was: all that this system tells.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
