"""The common test application, by Litestar."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Litestar, Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.logging import LoggingConfig
from litestar.params import Body
from litestar.response import File, Stream

from tests.programs.frameworks.events import endlessAsync

counts = {"background": 0, "left": 0}


@get("/hello", media_type="text/plain", name="hello")
async def hello(name: str = "") -> str:
    return f"hello {name}"


@post("/form", media_type="text/plain", status_code=200)
async def form(data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]) -> str:
    return f"{data['name']} {data['city']}"


@post("/upload", media_type="text/plain", status_code=200)
async def upload(
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> str:
    file = data["file"]
    return f"{file.filename} {len(await file.read())}"


@post("/count", media_type="text/plain", status_code=200)
async def count(request: Request[Any, Any, Any]) -> str:
    return str(sum([len(piece) async for piece in request.stream()]))


@get("/stream")
async def stream() -> Stream:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number
            await asyncio.sleep(0.001)

    return Stream(pieces())


@get("/sse")
async def sse() -> Stream:
    return Stream(endlessAsync(counts), media_type="text/event-stream")


@get("/error")
async def error() -> None:
    raise ValueError("the flaw")


@get("/background", media_type="text/plain")
async def background() -> Response[str]:
    async def work() -> None:
        await asyncio.sleep(0.01)
        counts["background"] += 1

    return Response("begun", background=BackgroundTask(work))


@get("/thread", media_type="text/plain", sync_to_thread=True)
def thread() -> str:
    return str(threading.current_thread() is threading.main_thread())


@get("/file")
async def file() -> File:
    return File(__file__)


@get("/told")
async def told() -> dict[str, int]:
    return counts


@get("/state")
async def state(request: Request[Any, Any, Any]) -> list[str]:
    return [request.app.state["database"], str(request.url_for("hello"))]


async def mark(response: Response[Any]) -> Response[Any]:
    response.headers["X-Middleware"] = "1"
    return response


@contextlib.asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state["database"] = "open"
    yield
    print("closed", flush=True)


app = Litestar(
    [hello, form, upload, count, stream, sse, error, background, thread, file, told, state],
    after_request=mark,
    lifespan=[lifespan],
    openapi_config=None,
    logging_config=LoggingConfig(log_exceptions="always"),
)
