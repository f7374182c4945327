"""The common test application, by Starlette."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from tests.programs.frameworks.events import endlessAsync

counts = {"background": 0, "left": 0}


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"hello {request.query_params.get('name', '')}")


async def form(request: Request) -> PlainTextResponse:
    async with request.form() as fields:
        return PlainTextResponse(f"{fields['name']} {fields['city']}")


async def upload(request: Request) -> PlainTextResponse:
    async with request.form() as fields:
        file: Any = fields["file"]
        return PlainTextResponse(f"{file.filename} {len(await file.read())}")


async def count(request: Request) -> PlainTextResponse:
    length = 0
    async for piece in request.stream():
        length += len(piece)
    return PlainTextResponse(str(length))


async def stream(request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number
            await asyncio.sleep(0.001)

    return StreamingResponse(pieces(), media_type="text/plain")


async def sse(request: Request) -> StreamingResponse:
    return StreamingResponse(endlessAsync(counts), media_type="text/event-stream")


async def error(request: Request) -> None:
    raise ValueError("the flaw")


async def background(request: Request) -> PlainTextResponse:
    async def work() -> None:
        await asyncio.sleep(0.01)
        counts["background"] += 1

    return PlainTextResponse("begun", background=BackgroundTask(work))


def thread(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(threading.current_thread() is threading.main_thread()))


async def file(request: Request) -> FileResponse:
    return FileResponse(__file__)


async def told(request: Request) -> JSONResponse:
    return JSONResponse(counts)


async def state(request: Request) -> JSONResponse:
    return JSONResponse([request.state.database, str(request.url_for("hello"))])


class Marking:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def mark(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-middleware", b"1"))
            await send(message)

        await self.app(scope, receive, mark if scope["type"] == "http" else send)


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
    yield {"database": "open"}
    print("closed", flush=True)


app = Starlette(
    routes=[
        Route("/hello", hello),
        Route("/form", form, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/count", count, methods=["POST"]),
        Route("/stream", stream),
        Route("/sse", sse),
        Route("/error", error),
        Route("/background", background),
        Route("/thread", thread),
        Route("/file", file),
        Route("/told", told),
        Route("/state", state),
    ],
    middleware=[Middleware(Marking)],
    lifespan=lifespan,
)
