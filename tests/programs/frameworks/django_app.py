"""The common test application, by Django."""

import asyncio
import threading
from collections.abc import AsyncIterator

from django.core.asgi import get_asgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import reverse

from tests.programs.frameworks import django_project as project
from tests.programs.frameworks.events import endlessAsync

counts = project.counts
project.setUp(__name__)


async def hello(request: HttpRequest) -> HttpResponse:
    return project.greeting(request)


async def form(request: HttpRequest) -> HttpResponse:
    return project.fields(request)


async def upload(request: HttpRequest) -> HttpResponse:
    return project.uploaded(request)


async def count(request: HttpRequest) -> HttpResponse:
    return project.length(request)


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number
            await asyncio.sleep(0.001)

    return StreamingHttpResponse(pieces())


async def sse(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(endlessAsync(counts), content_type="text/event-stream")


async def error(request: HttpRequest) -> HttpResponse:
    raise ValueError("the flaw")


def thread(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(threading.current_thread() is threading.main_thread()))


async def file(request: HttpRequest) -> FileResponse:
    return project.fileAt(__file__)


async def told(request: HttpRequest) -> JsonResponse:
    return project.countsSoFar(request)


async def state(request: HttpRequest) -> JsonResponse:
    return JsonResponse(["", request.build_absolute_uri(reverse("hello"))], safe=False)


urlpatterns = project.pathsOf(hello, form, upload, count, stream, sse, error, thread, file, told, state)

app = get_asgi_application()
