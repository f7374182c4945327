"""The common test application, by Quart."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, current_app, request, send_file, url_for
from quart.utils import run_sync

from tests.programs.frameworks.events import endlessAsync

counts = {"background": 0, "left": 0}
app = Quart(__name__)


@app.before_serving
async def start() -> None:
    app.config["database"] = "open"


@app.after_serving
async def end() -> None:
    print("closed", flush=True)


@app.after_request
async def mark(response: Any) -> Any:
    response.headers["X-Middleware"] = "1"
    return response


@app.get("/hello")
async def hello() -> str:
    return f"hello {request.args.get('name', '')}"


@app.post("/form")
async def form() -> str:
    fields = await request.form
    return f"{fields['name']} {fields['city']}"


@app.post("/upload")
async def upload() -> str:
    file = (await request.files)["file"]
    return f"{file.filename} {len(file.read())}"


@app.post("/count")
async def count() -> str:
    return str(sum([len(piece) async for piece in request.body]))


@app.get("/stream")
async def stream() -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number
            await asyncio.sleep(0.001)

    return Response(pieces())


@app.get("/sse")
async def sse() -> Response:
    response = Response(endlessAsync(counts), mimetype="text/event-stream")
    response.timeout = None
    return response


@app.get("/error")
async def error() -> str:
    raise ValueError("the flaw")


@app.get("/background")
async def background() -> str:
    async def work() -> None:
        await asyncio.sleep(0.01)
        counts["background"] += 1

    current_app.add_background_task(work)
    return "begun"


@app.get("/thread")
async def thread() -> str:
    return str(await run_sync(lambda: threading.current_thread() is threading.main_thread())())


@app.get("/file")
async def file() -> Response:
    return await send_file(__file__)


@app.get("/told")
async def told() -> dict[str, int]:
    return counts


@app.get("/state")
async def state() -> list[str]:
    return [app.config["database"], url_for("hello", _external=True)]
