"""`sennit serve --opentelemetry`: what a program's own SDK gets to see."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from .served import Served

pytest.importorskip("opentelemetry.sdk")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"

# The spans wait for the end of the process, as they may in a real one.
PROGRAM = """
import asyncio, os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

def line(span):
    return span.to_json(indent=None) + "\\n"

def asgi():
    provider = TracerProvider()
    exporter = ConsoleSpanExporter(out=open("spans", "a"), formatter=line)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    tracer = trace.get_tracer("shop")

    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        with tracer.start_as_current_span("work"):
            await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

    return app

def wsgi():
    asgi()
    tracer = trace.get_tracer("shop")

    def app(environ, start_response):
        with tracer.start_as_current_span("work"):
            start_response("200 OK", [])
            return [b"done"]

    return app
"""


def spansIn(directory: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (directory / "spans").read_text().splitlines():
        span = json.loads(line)
        found.setdefault(span["name"], []).append(span)
    return found


@pytest.mark.parametrize(
    ("target", "workers"),
    [
        ("program:asgi()", ()),
        ("program:wsgi()", ("--workers", "2")),
        ("program:asgi()", ("--workers", "2", "--preload")),
    ],
)
def test_spans_of_all_workers_come_out(tmp_path: Path, target: str, workers: tuple[str, ...]) -> None:
    with Served(tmp_path, "--opentelemetry", *workers, program=PROGRAM, target=target) as served:
        served.wait_until_up()
        for _ in range(3):
            answer = httpx.get(f"{served.base}/x?y", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
            assert answer.status_code == 200
        assert served.end()[0] == 0
    spans = spansIn(tmp_path)
    assert (len(spans["GET"]), len(spans["work"])) == (3, 3)
    assert {span["parent_id"] for span in spans["GET"]} == {f"0x{PARENT}"}
    assert {span["context"]["trace_id"] for span in spans["GET"] + spans["work"]} == {f"0x{TRACE}"}
    ids = {span["context"]["span_id"] for span in spans["GET"]}
    assert {span["parent_id"] for span in spans["work"]} == ids
    attributes = spans["GET"][0]["attributes"]
    assert attributes["url.path"] == "/x"
    assert attributes["http.response.status_code"] == 200


def test_variable_switches_it_on_and_without_it_nothing_is_traced(tmp_path: Path) -> None:
    for environment, count in (({"SENNIT_OPENTELEMETRY": "1"}, 1), ({}, 0)):
        with Served(tmp_path, program=PROGRAM, target="program:asgi()", environment=environment) as served:
            served.wait_until_up()
            httpx.get(f"{served.base}/x")
            assert served.end()[0] == 0
        assert len(spansIn(tmp_path).get("GET", [])) == count
        (tmp_path / "spans").unlink()


def test_missing_package_is_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry'] = None\n")
    path = os.pathsep.join([str(blocked), *filter(None, [os.environ.get("PYTHONPATH")])])
    for workers in ((), ("--workers", "2")):
        options = ("--opentelemetry", *workers)
        with Served(tmp_path, *options, environment={"PYTHONPATH": path}) as served:
            assert served.wait() == 2
            needs = "--opentelemetry needs opentelemetry-api: pip install 'sennit[opentelemetry]'"
            assert served.output() == f"sennit: {needs}\n"
