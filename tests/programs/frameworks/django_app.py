"""The common test application, by Django."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.decorators import sync_and_async_middleware

counts = {"background": 0, "left": 0}


@sync_and_async_middleware
def marking(getResponse: Callable[[HttpRequest], Any]) -> Any:
    async def mark(request: HttpRequest) -> Any:
        response = await getResponse(request)
        response["X-Middleware"] = "1"
        return response

    return mark


settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the tests",
    MIDDLEWARE=[f"{__name__}.marking"],
    LOGGING_CONFIG=None,
)
django.setup()


async def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"hello {request.GET.get('name', '')}", content_type="text/plain")


async def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.POST['name']} {request.POST['city']}")


async def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    return HttpResponse(f"{file.name} {file.size}")


async def count(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number
            await asyncio.sleep(0.001)

    return StreamingHttpResponse(pieces())


async def sse(request: HttpRequest) -> StreamingHttpResponse:
    async def events() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: x\n\n"
                await asyncio.sleep(60 if counts["left"] else 0.01)
        finally:
            counts["left"] += 1

    return StreamingHttpResponse(events(), content_type="text/event-stream")


async def error(request: HttpRequest) -> HttpResponse:
    raise ValueError("the flaw")


def thread(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(threading.current_thread() is threading.main_thread()))


async def file(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))  # noqa: ASYNC230  # Django reads and closes it


async def told(request: HttpRequest) -> JsonResponse:
    return JsonResponse(counts)


async def state(request: HttpRequest) -> JsonResponse:
    return JsonResponse(["", request.build_absolute_uri(reverse("hello"))], safe=False)


urlpatterns = [
    path(f"{view.__name__}", view, name=view.__name__)
    for view in (hello, form, upload, count, stream, sse, error, thread, file, told, state)
]

app = get_asgi_application()
