"""socketify's native interface: `python run_socketify.py PORT PROGRAM`."""
# mypy: disable-error-code="import-not-found,import-untyped"

import asyncio
import sys
from typing import Any

from socketify import App, AppListenOptions

from benchmarks.programs.pages import CHUNKS, NOT_FOUND, PAGE

HTML = b"text/html"
BINARY = b"application/octet-stream"


def missing(res: Any, req: Any) -> None:
    """Answer 404, whatever is asked for."""
    res.send(NOT_FOUND, HTML, b"404 Not Found")


def buy(res: Any, req: Any) -> None:
    """Answer the 402 page."""
    res.send(PAGE, HTML, b"402 Payment Required")


async def nowait(res: Any, req: Any) -> None:
    """Answer the 402 page from a coroutine that doesn't wait."""
    res.cork_send(PAGE, HTML, b"402 Payment Required")


async def sleep0(res: Any, req: Any) -> None:
    """Answer the 402 page after a turn of the loop."""
    await asyncio.sleep(0)
    res.cork_send(PAGE, HTML, b"402 Payment Required")


# Nothing else keeps a response alive while its request's body comes in.
receiving: set[Any] = set()


def echo(res: Any, req: Any) -> None:
    """Answer with the body of the request."""
    parts: list[bytes] = []
    receiving.add(res)

    def take(res: Any, chunk: bytes | None, is_end: bool) -> None:
        if chunk:
            parts.append(chunk)
        if is_end:
            res.cork_send(b"".join(parts), BINARY)
            receiving.discard(res)

    res.on_data(take)


def dynamic(res: Any, req: Any) -> None:
    """Answer with a text that has the user's number."""
    res.send(b"user " + req.get_parameter(0).encode())


def stream(res: Any, req: Any) -> None:
    """Answer with 64 chunks, one by one."""
    res.write_header(b"Content-Type", BINARY)
    for chunk in CHUNKS:
        res.write(chunk)
    res.end(b"")


program = sys.argv[2]
# A factory recycles a response when its handler returns, which for an echo is too early.
app = App(request_response_factory_max_items=0 if program == "echo" else 2000)
if program == "echo":
    app.post("/echo", echo)
elif program == "dynamic":
    app.get("/user/:number", dynamic)
elif program == "stream":
    app.get("/stream", stream)
elif program != "missing":
    app.get("/buy", {"buy": buy, "nowait": nowait, "sleep0": sleep0}[program])
app.any("/*", missing)
app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"), lambda config: None)
app.run()
