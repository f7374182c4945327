"""The common test application, by FastAPI, with models of pydantic."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import BackgroundTasks, FastAPI, Form, Request, Response, UploadFile
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from tests.programs.frameworks.events import endlessAsync

counts = {"background": 0, "left": 0}


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    yield {"database": "open"}
    print("closed", flush=True)


app = FastAPI(lifespan=lifespan)


class Item(BaseModel):
    name: str
    price: float


@app.middleware("http")
async def mark(request: Request, callNext: Any) -> Response:
    response: Response = await callNext(request)
    response.headers["X-Middleware"] = "1"
    return response


@app.get("/hello")
async def hello(name: str = "") -> PlainTextResponse:
    return PlainTextResponse(f"hello {name}")


@app.post("/item")
async def item(item: Item) -> Item:
    return Item(name=item.name.upper(), price=item.price * 2)


@app.post("/form")
async def form(name: Annotated[str, Form()], city: Annotated[str, Form()]) -> PlainTextResponse:
    return PlainTextResponse(f"{name} {city}")


@app.post("/upload")
async def upload(file: UploadFile) -> PlainTextResponse:
    return PlainTextResponse(f"{file.filename} {len(await file.read())}")


@app.post("/count")
async def count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(sum([len(piece) async for piece in request.stream()])))


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number
            await asyncio.sleep(0.001)

    return StreamingResponse(pieces(), media_type="text/plain")


@app.get("/sse")
async def sse() -> StreamingResponse:
    return StreamingResponse(endlessAsync(counts), media_type="text/event-stream")


@app.get("/error")
async def error() -> None:
    raise ValueError("the flaw")


@app.get("/background")
async def background(tasks: BackgroundTasks) -> PlainTextResponse:
    async def work() -> None:
        await asyncio.sleep(0.01)
        counts["background"] += 1

    tasks.add_task(work)
    return PlainTextResponse("begun")


@app.get("/thread")
def thread() -> PlainTextResponse:
    return PlainTextResponse(str(threading.current_thread() is threading.main_thread()))


@app.get("/file")
async def file() -> FileResponse:
    return FileResponse(__file__)


@app.get("/told")
async def told() -> dict[str, int]:
    return counts


@app.get("/state")
async def state(request: Request) -> list[str]:
    return [request.state.database, str(request.url_for("hello"))]
