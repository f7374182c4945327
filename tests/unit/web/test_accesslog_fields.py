"""Lines of the access log made of chosen fields."""

import json
import re
from typing import Any

import pytest

from sennit.web.accesslog import accessLogJSON, accessLogTemplate
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import TestClient


class Page(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        request.setHeader("X-Shop", "12")
        return b"body"


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines.append(text)


def logged(formatter: Any, target: str = "/a?b=1", **headers: str) -> str:
    site = Site(Page(), logFormatter=formatter)
    log = site.logFile = Log()
    with TestClient(site) as client:
        client.get(target, headers={name.replace("_", "-"): value for name, value in headers.items()})
    (line,) = log.lines
    return line.removesuffix("\n")


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ('%(h)s %(l)s "%(r)s" %(s)s %(b)s', '127.0.0.1 - "GET /a?b=1 HTTP/1.1" 200 4'),
        ("%(m)s %(U)s %(q)s %(H)s %(B)s 100%%", "GET /a b=1 HTTP/1.1 4 100%"),
        ("%(f)s|%(a)s|%({x-own}i)s|%({x-shop}o)s|%({absent}i)s", r"from|a \"b\"|mine|12|-"),
    ],
)
def test_template(template: str, line: str) -> None:
    sent = {"Referer": "from", "User_Agent": 'a "b"', "X_Own": "mine"}
    assert logged(accessLogTemplate(template), **sent) == line


def test_template_has_times_and_ids() -> None:
    line = logged(accessLogTemplate("%(t)s %(D)s %(M)s %(L)s %(T)s %(p)s %(id)s"))
    assert re.fullmatch(r"\[.*\] \d+ \d+ \d\.\d{6} \d+ <\d+> [0-9a-f]{32}", line)


@pytest.mark.parametrize("template", ["%(nonsense)s", "%s", "%(h)d", "50% of %(h)s"])
def test_template_with_another_atom_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="atom"):
        accessLogTemplate(template)


def test_json() -> None:
    formatter = accessLogJSON("method", "path", "status", "request.x-own", "response.x-shop", "referer", "id")
    line = json.loads(logged(formatter, X_Own='a"\tb'))
    identity = line.pop("id")
    assert re.fullmatch("[0-9a-f]{32}", identity)
    assert line == {
        "method": "GET",
        "path": "/a",
        "status": 200,
        "request.x-own": 'a"\tb',
        "response.x-shop": "12",
        "referer": None,
    }


def test_json_has_the_duration() -> None:
    assert json.loads(logged(accessLogJSON("duration_ms")))["duration_ms"] > 0


def test_json_with_another_field_is_refused() -> None:
    with pytest.raises(ValueError, match="no field 'sattus'"):
        accessLogJSON("sattus")


def test_trace_is_a_field() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    sent = {"Traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert logged(accessLogTemplate("%(trace)s %(s)s"), **sent) == f"{trace} 200"
    assert logged(accessLogTemplate("%(trace)s %(s)s")) == "- 200"
    assert json.loads(logged(accessLogJSON("trace_id"), **sent)) == {"trace_id": trace}
    assert json.loads(logged(accessLogJSON("trace_id"))) == {"trace_id": None}
