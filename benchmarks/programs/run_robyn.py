"""robyn: `python run_robyn.py PORT PROGRAM`."""
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator"

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

PORT, PROGRAM = int(sys.argv[1]), sys.argv[2]
# robyn reads its own options from the command line.
sys.argv[1:] = ["--processes", "1", "--workers", "1", "--disable-openapi", "--log-level", "CRITICAL"]

from robyn import Request, Response, Robyn, StreamingResponse  # noqa: E402

from benchmarks.programs.pages import CHUNKS, PAGE  # noqa: E402

app = Robyn(__file__)
HTML = {"content-type": "text/html"}
BINARY = {"content-type": "application/octet-stream"}


def buy(request: Request) -> Response:
    """Answer the 402 page."""
    return Response(402, HTML, PAGE)


async def nowait(request: Request) -> Response:
    """Answer the 402 page from a coroutine that doesn't wait."""
    return Response(402, HTML, PAGE)


async def sleep0(request: Request) -> Response:
    """Answer the 402 page after a turn of the loop."""
    await asyncio.sleep(0)
    return Response(402, HTML, PAGE)


async def echo(request: Request) -> Response:
    """Answer with the body of the request."""
    return Response(200, BINARY, request.body)


async def dynamic(request: Request) -> Response:
    """Answer with a text that has the user's number."""
    return Response(200, {"content-type": "text/plain"}, "user " + request.path_params["number"])


def _chunks() -> Iterator[Any]:
    yield from CHUNKS


async def stream(request: Request) -> Any:
    """Answer with 64 chunks, one by one."""
    return StreamingResponse(_chunks(), media_type="application/octet-stream")


if PROGRAM == "echo":
    app.post("/echo")(echo)
elif PROGRAM == "dynamic":
    app.get("/user/:number")(dynamic)
elif PROGRAM == "stream":
    app.get("/stream")(stream)
elif PROGRAM != "missing":
    app.get("/buy")({"buy": buy, "nowait": nowait, "sleep0": sleep0}[PROGRAM])
app.start(host="127.0.0.1", port=PORT, _check_port=False, client_timeout=600, keep_alive_timeout=600)
