"""The end of a server: handlers that outlive the grace period are cancelled, and nothing holds it up."""

import re
import signal
import socket
import time
from pathlib import Path

import pytest

from .served import Served, wait_until

# Says what becomes of it. /after goes on when its response is complete; /once and /never ignore that they are
# cancelled.
PROGRAM = """
import asyncio, pathlib
def say(what):
    print("+", what, flush=True)

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        say("shutdown")
        await send({"type": "lifespan.shutdown.complete"})
        return
    async def part(body, more=True):
        await send({"type": "http.response.body", "body": body, "more_body": more})
    async def events():
        try:
            while True:
                await part(b"data: x\\n\\n")
                await asyncio.sleep(60)
        finally:
            say("stream ended")
    path = scope["path"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await part(b"begun", path != "/after")
    say("begun")
    try:
        if path == "/events":
            stream = asyncio.create_task(events())
            while (await receive())["type"] != "http.disconnect":
                pass
            say("disconnected")
            stream.cancel()
            await asyncio.wait([stream])
        elif path == "/clean":
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.3)
                say("clean")
        elif path == "/never":
            while True:
                await ignoring()
        else:
            if path == "/once":
                await ignoring()
            await asyncio.sleep(60)
    except asyncio.CancelledError:
        say("cancelled")
        raise
    finally:
        say("over")

async def ignoring():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        say("ignored")
"""

SHORT = ("--timeout-graceful-shutdown", "0.3")


def said(served: Served) -> list[str]:
    return re.findall(r"^\+ (.+)$", served.output(), re.MULTILINE)


def ask(served: Served, path: str) -> socket.socket:
    """A client whose request has got the beginning of its response, and whose handler goes on."""
    client = socket.create_connection(("127.0.0.1", served.port), 10)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    served.wait_for_output("+ begun")
    return client


@pytest.mark.parametrize(
    ("path", "course"),
    [
        ("/events", ["begun", "disconnected", "stream ended", "over"]),
        ("/deaf", ["begun", "cancelled", "over"]),
        ("/after", ["begun", "cancelled", "over"]),
        ("/clean", ["begun", "clean", "cancelled", "over"]),
    ],
)
def test_handlers_end_or_are_cancelled_before_the_applications_shutdown(
    tmp_path: Path, path: str, course: list[str]
) -> None:
    with Served(tmp_path, *SHORT, program=PROGRAM) as served:
        served.wait_until_up()
        with ask(served, path):
            status, seconds = served.end()
        assert status == 0
        assert 0.3 <= seconds < 2
        assert said(served) == [*course, "shutdown"]
        assert (f"the time to stop is over: GET {path}\n" in served.output()) == (path != "/events")
        assert "Traceback" not in served.output()


@pytest.mark.parametrize("options", [(), ("--workers", "1")])
@pytest.mark.parametrize("path", ["/once", "/never"])
def test_handler_that_ignores_its_cancellation_is_left_behind_and_named(
    tmp_path: Path, path: str, options: tuple[str, ...]
) -> None:
    with Served(tmp_path, *SHORT, *options, program=PROGRAM) as served:
        served.wait_until_up()
        with ask(served, path):
            status, seconds = served.end()
        assert status == 0
        assert seconds < 4
        assert f"GET {path} was cancelled, but goes on: it is left behind" in served.output()
        assert said(served)[:3] == ["begun", "ignored", "shutdown"]
        assert "is killed" not in served.output()


@pytest.mark.parametrize("options", [(), ("--workers", "1")])
def test_second_signal_cancels_at_once(tmp_path: Path, options: tuple[str, ...]) -> None:
    with Served(tmp_path, *options, program=PROGRAM) as served:
        served.wait_until_up()
        with ask(served, "/deaf"):
            served.send(signal.SIGINT)
            served.wait_for_output("shutting down")
            status, seconds = served.end(signal.SIGINT)
        assert status == 0
        assert seconds < 1
        assert said(served) == ["begun", "cancelled", "over"]
        assert "Traceback" not in served.output()


def test_reload_ends_what_the_old_program_is_at(tmp_path: Path) -> None:
    with Served(tmp_path, "--reload", program=PROGRAM) as served:
        served.wait_until_up()
        with ask(served, "/deaf"):
            began = time.monotonic()
            (tmp_path / "program.py").write_text(PROGRAM + "\n")
            wait_until(lambda: said(served) == ["begun", "cancelled", "over", "shutdown"])
            # The second that it has with --reload, and the start of the new program.
            assert time.monotonic() - began < 8
        assert served.end()[0] == 0


def test_stop_waits_for_what_goes_on_after_a_response(tmp_path: Path) -> None:
    program = PROGRAM.replace("await asyncio.sleep(60)\n    except", "await asyncio.sleep(0.5)\n    except")
    with Served(tmp_path, program=program) as served:
        served.wait_until_up()
        with ask(served, "/after"):
            status, seconds = served.end()
        assert status == 0
        assert seconds < 3
        assert said(served) == ["begun", "over", "shutdown"]
