"""The common test application, by Falcon."""

import asyncio
import pathlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import falcon
import falcon.asgi

counts = {"background": 0, "left": 0}
things: dict[str, str] = {}


class Around:
    async def process_startup(self, scope: Any, event: Any) -> None:
        things["database"] = "open"

    async def process_shutdown(self, scope: Any, event: Any) -> None:
        print("closed", flush=True)

    async def process_response(self, request: Any, response: Any, resource: Any, ok: bool) -> None:
        response.set_header("X-Middleware", "1")


class Resource:
    async def on_get(self, request: Any, response: Any) -> None:
        await getattr(self, request.path.rpartition("/")[2])(request, response)

    on_post = on_get

    async def hello(self, request: Any, response: Any) -> None:
        response.text = f"hello {request.get_param('name', default='')}"

    async def form(self, request: Any, response: Any) -> None:
        fields = await request.get_media()
        response.text = f"{fields['name']} {fields['city']}"

    async def upload(self, request: Any, response: Any) -> None:
        async for part in await request.get_media():
            response.text = f"{part.filename} {len(await part.stream.read())}"

    async def count(self, request: Any, response: Any) -> None:
        response.text = str(len(await request.stream.read()))

    async def stream(self, request: Any, response: Any) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d" % number
                await asyncio.sleep(0.001)

        response.stream = pieces()

    async def sse(self, request: Any, response: Any) -> None:
        async def events() -> AsyncIterator[Any]:
            try:
                while True:
                    yield falcon.asgi.SSEvent(text="x")
                    await asyncio.sleep(0.01)
            finally:
                counts["left"] += 1

        response.content_type = "text/event-stream"
        response.sse = events()

    async def error(self, request: Any, response: Any) -> None:
        raise ValueError("the flaw")

    async def background(self, request: Any, response: Any) -> None:
        async def work() -> None:
            await asyncio.sleep(0.01)
            counts["background"] += 1

        response.schedule(work)
        response.text = "begun"

    async def thread(self, request: Any, response: Any) -> None:
        loop = asyncio.get_running_loop()
        isMain = await loop.run_in_executor(
            None, lambda: threading.current_thread() is threading.main_thread()
        )
        response.text = str(isMain)

    async def file(self, request: Any, response: Any) -> None:
        response.data = pathlib.Path(__file__).read_bytes()  # noqa: ASYNC240  # a small file

    async def told(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_JSON
        response.media = counts

    async def state(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_JSON
        response.media = [things["database"], f"{request.prefix}/hello"]


app = falcon.asgi.App(media_type=falcon.MEDIA_TEXT, middleware=[Around()])
app.add_sink(Resource().on_get, "/")
