"""What is logged: one line per request, whatever the client sends (P43, P55)."""

import json
import re
from pathlib import Path

import pytest

from .conftest import OpenSite, StartServer
from .helpers.client import Wire, ask, get, post
from .helpers.script import path_of
from .helpers.server import LiveSite, wait_until

FORMATTERS = ["combinedLogFormatter", "jsonLogFormatter", "proxiedLogFormatter"]
PRINTABLE = re.compile(rb"[\x20-\x7e]*")


def lines_of(path: Path, count: int) -> list[bytes]:
    """The lines of a log once there are `count` of them."""
    assert wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= count, 3), path.read_bytes()
    lines = path.read_bytes().splitlines()
    assert len(lines) == count
    return lines


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize(
    "target", ["/%1b[31m%0aFAKE", "/%0d%0a127.0.0.1", '/"x"', "/a\\", "/%00%ff", "/nothing?%1b]0;x%07", "/'"]
)
def test_log_escapes_target(open_site: OpenSite, tmp_path: Path, formatter: str, target: str) -> None:
    """P55: one line, printable ASCII, the quotes balanced."""
    log = tmp_path / "access.log"
    live = open_site(logPath=str(log), logFormatter=formatter)
    ask(live.port, get(target))
    (line,) = lines_of(log, 1)
    assert PRINTABLE.fullmatch(line)
    _check_line(formatter, line, 404)


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize(
    "value", ["\x9b31mred", '"quoted" \\', "a\tb", "\xff\xfe", "x" * 5000, '" 200 1 "-" "']
)
def test_log_escapes_headers(open_site: OpenSite, tmp_path: Path, formatter: str, value: str) -> None:
    """P55: what a client writes into Referer and User-Agent, C1 control bytes among it."""
    log = tmp_path / "access.log"
    live = open_site(logPath=str(log), logFormatter=formatter)
    ask(live.port, get("/hello", f"Referer: {value}", f"User-Agent: {value}", f"X-Forwarded-For: {value}"))
    (line,) = lines_of(log, 1)
    assert PRINTABLE.fullmatch(line)
    _check_line(formatter, line, 200)


def _check_line(formatter: str, line: bytes, code: int) -> None:
    if formatter == "jsonLogFormatter":
        entry = json.loads(line)
        assert isinstance(entry, dict)
        assert code in entry.values()
        return
    quoted = rb'"(?:[^"\\]|\\.)*"'
    combined = re.compile(
        rb"%s - - \[[^\]]*\] %s %d (?:\d+|-) %s %s" % (quoted, quoted, code, quoted, quoted)
    )
    assert combined.fullmatch(line), line


def test_combined_log_has_its_fields(open_site: OpenSite, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    live = open_site(logPath=str(log))
    ask(live.port, get("/kilo", "Referer: http://r/", "User-Agent: agent/1"))
    (line,) = lines_of(log, 1)
    assert line.startswith(b'"127.0.0.1" - - [')
    assert line.endswith(b'"GET /kilo HTTP/1.1" 200 10000 "http://r/" "agent/1"')


def test_json_log_has_duration_and_bytes(open_site: OpenSite, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    live = open_site(logPath=str(log), logFormatter="jsonLogFormatter")
    ask(live.port, get(path_of([["sleep", 0.2], ["return", "x" * 77]], waits=True)))
    (line,) = lines_of(log, 1)
    values = [value for value in json.loads(line).values() if isinstance(value, int | float)]
    assert 77 in values
    # Seconds, milliseconds or microseconds.
    assert any(
        0.2 <= value < 2 or 200 <= value < 2000 or 200_000 <= value < 2_000_000
        for value in values
        if value != 200
    )


def test_log_has_one_line_per_request(open_site: OpenSite, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    live = open_site(logPath=str(log))
    with Wire(live.port) as wire:
        wire.send((get("/hello") + post("/echo", b"x") + get("/code/204") + get("/nothing")) * 25)
        for _ in range(100):
            wire.response()
    codes = [line.split(b'" ')[2].split()[0] for line in lines_of(log, 100)]
    assert codes == [b"200", b"200", b"204", b"404"] * 25


def test_bad_request_is_logged_in_one_line_without_traceback(site: LiveSite) -> None:
    for bad in (
        b"BAD\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n",
        b"\x1b[31m\n\r\n",
        get("/", "Content-Length: x"),
    ):
        site.server.take_logs()
        assert ask(site.port, bad).code == 400
        (record,) = site.server.take_logs()
        assert not record["traceback"]
        assert PRINTABLE.fullmatch(record["text"].encode())


def test_bad_input_never_prints_to_standard_error(own_server: StartServer) -> None:
    """Neither panics nor warnings: what a client sends ends in the log or nowhere."""
    process = own_server()
    live = process.open_site()
    for bad in (b"\x00" * 100, b"GET /\xff HTTP/1.1\r\n\r\n", b"\r\n" * 100, b"\xff" * 70_000):
        with Wire(live.port) as wire:
            wire.send(bad)
            wire.read_to_end()
    assert [record for record in process.take_logs() if record["traceback"]] == []
    assert process.errors() == ""
