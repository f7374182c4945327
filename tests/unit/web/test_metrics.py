"""Counting requests, and showing the counters to Prometheus."""

import sys
from types import ModuleType
from typing import Any

import pytest

from sennit import _engine
from sennit.web.metrics import Metrics, MetricsResource, forget
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import TestClient


class Answers(Resource):
    isLeaf = True

    def render(self, request: Any) -> bytes:
        request.setResponseCode(int(request.uri[1:]))
        return b"12345"


def shown(metrics: Metrics) -> dict[str, float]:
    """The values of `MetricsResource`, by the names before them."""
    with TestClient(Site(MetricsResource(metrics, programs=False))) as client:
        answer = client.get("/")
    assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_responses_are_counted_by_method_and_code() -> None:
    site = Site(Answers())
    site.metrics = Metrics()
    with TestClient(site) as client:
        for code in (200, 200, 404, 999):
            client.get(f"/{code}")
        client.request("POST", "/200")
        client.request("BREW", "/418")
    values = shown(site.metrics)
    assert values['sennit_responses_total{method="GET",code="200"}'] == 2
    assert values['sennit_responses_total{method="GET",code="404"}'] == 1
    assert values['sennit_responses_total{method="GET",code="999"}'] == 1
    assert values['sennit_responses_total{method="POST",code="200"}'] == 1
    assert values['sennit_responses_total{method="other",code="418"}'] == 1
    assert values["sennit_request_duration_seconds_count"] == 6
    assert values['sennit_request_duration_seconds_bucket{le="+Inf"}'] == 6
    assert values["sennit_response_body_bytes_total"] == 30


def test_durations_go_into_their_buckets() -> None:
    class Slow(Resource):
        isLeaf = True

        async def render_GET(self, request: Any) -> bytes:
            import asyncio

            await asyncio.sleep(0.03)
            return b""

    site = Site(Slow())
    site.metrics = Metrics()
    with TestClient(site) as client:
        client.get("/")
    values = shown(site.metrics)
    assert values['sennit_request_duration_seconds_bucket{le="0.025"}'] == 0
    assert values['sennit_request_duration_seconds_bucket{le="2.5"}'] == 1
    assert 0.03 <= values["sennit_request_duration_seconds_sum"] < 2.5


def test_nothing_is_counted_without_metrics() -> None:
    site = Site(Answers())
    metrics = site.metrics = Metrics()
    with TestClient(site) as client:
        client.get("/200")
        site.metrics = None
        client.get("/200")
    assert shown(metrics)["sennit_request_duration_seconds_count"] == 1


def test_counters_of_several_processes_are_added_up_and_outlive_them() -> None:
    memory = bytearray(Metrics.sizeFor(2))
    parts = [Metrics(memory, 0), Metrics(memory, 1)]
    for metrics in parts:
        site = Site(Answers())
        site.metrics = metrics
        with TestClient(site) as client:
            client.get("/200")
        metrics.update()
    assert shown(parts[0])["sennit_processes"] == 2
    forget(memory, 1)
    values = shown(parts[0])
    assert values["sennit_processes"] == 1
    assert values['sennit_responses_total{method="GET",code="200"}'] == 2


def test_memory_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no place 1"):
        Metrics(bytearray(Metrics.sizeFor(1)), 1)
    with pytest.raises(ValueError, match="writable buffer"):
        _engine.Metrics(memoryview(bytearray(80)).cast("Q"))
    with pytest.raises(ValueError, match="writable buffer"):
        _engine.Metrics(memoryview(bytes(Metrics.sizeFor(1))).cast("Q"))


def test_what_the_program_registers_is_shown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = ModuleType("prometheus_client")
    client.REGISTRY = object()
    client.generate_latest = lambda registry: b"mine 1\n" if registry is client.REGISTRY else b""
    monkeypatch.setitem(sys.modules, "prometheus_client", client)
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    with TestClient(Site(MetricsResource(Metrics()))) as asker:
        assert asker.get("/").text.endswith("mine 1\n")
