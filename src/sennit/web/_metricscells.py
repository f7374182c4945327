"""The counters of one process: their places in its part of the memory, and what they add up to."""

from collections.abc import Iterable, Iterator
from typing import Any

from sennit._engine import Metrics as Counters

CELLS = Counters.CELLS

# As in the engine: the sum of durations in microseconds, bytes sent, then the buckets of durations.
_DURATION_SUM = 0
_BYTES_SENT = 1
_BUCKETS = 2
_RESPONSES = 32
_CODES = 1000
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other")
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# Written from Python, when somebody asks or a worker gives a sign of life.
CONNECTIONS = 20
ACTIVE = 21
MEMORY = 22
GAUGES = (CONNECTIONS, ACTIVE, MEMORY)


class Totals:
    """What the counters of several processes add up to."""

    def __init__(self, parts: Iterable[Any]) -> None:
        """`parts` are sequences of CELLS integers."""
        parts = list(parts)
        head = [sum(part[place] for part in parts) for place in range(_RESPONSES)]
        self.duration = head[_DURATION_SUM] / 1e6
        self.sent = head[_BYTES_SENT]
        self.buckets = head[_BUCKETS : _BUCKETS + len(_BOUNDS) + 1]
        self.connections, self.active, self.memory = (head[place] for place in GAUGES)
        self.processes = sum(1 for part in parts if part[MEMORY])
        self.responses: dict[tuple[str, int], int] = {}
        for row, method in enumerate(_METHODS):
            start = _RESPONSES + row * _CODES
            for part in parts:
                for code, count in enumerate(part[start : start + _CODES]):
                    if count:
                        key = method, code
                        self.responses[key] = self.responses.get(key, 0) + count

    def lines(self) -> Iterator[str]:
        """The text format of Prometheus, version 0.0.4."""
        yield from _heading("sennit_responses_total", "counter", "Responses by method and code.")
        for (method, code), count in sorted(self.responses.items()):
            yield f'sennit_responses_total{{method="{method}",code="{code}"}} {count}'
        name = "sennit_request_duration_seconds"
        yield from _heading(name, "histogram", "Time from a request's head to the end of its response.")
        total = 0
        for bound, count in zip((*_BOUNDS, float("inf")), self.buckets, strict=True):
            total += count
            yield f'{name}_bucket{{le="{"+Inf" if bound == float("inf") else f"{bound:g}"}"}} {total}'
        yield f"{name}_sum {self.duration:.6f}"
        yield f"{name}_count {total}"
        for name, kind, text, value in (
            ("sennit_response_body_bytes_total", "counter", "Bytes of response bodies.", self.sent),
            ("sennit_connections", "gauge", "Open connections.", self.connections),
            ("sennit_requests_active", "gauge", "Requests at work.", self.active),
            ("sennit_resident_memory_bytes", "gauge", "Memory held by the processes.", self.memory),
            ("sennit_processes", "gauge", "Processes that serve.", self.processes),
        ):
            yield from _heading(name, kind, text)
            yield f"{name} {value}"


def _heading(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
