"""What the test applications of Django's have in common."""

from collections.abc import Callable
from typing import Any

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.urls import path

counts = {"background": 0, "left": 0}


class Marking:
    """Middleware, for requests that are handled by coroutines and for others."""

    sync_capable = async_capable = True

    def __init__(self, getResponse: Callable[[HttpRequest], Any]) -> None:
        self.getResponse = getResponse
        if iscoroutinefunction(getResponse):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self.getResponse):
            return self.markLater(request)
        return marked(self.getResponse(request))

    async def markLater(self, request: HttpRequest) -> Any:
        return marked(await self.getResponse(request))


def marked(response: Any) -> Any:
    response["X-Middleware"] = "1"
    return response


def setUp(module: str) -> None:
    """Set Django up, with the addresses of `module`."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=module,
        SECRET_KEY="of the tests",
        # The first tells lengths.
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", f"{__name__}.Marking"],
        LOGGING_CONFIG=None,
    )
    django.setup()


def pathsOf(*views: Callable[..., Any]) -> list[Any]:
    """Each view at the path that has its name."""
    return [path(view.__name__, view, name=view.__name__) for view in views]


def greeting(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"hello {request.GET.get('name', '')}", content_type="text/plain")


def fields(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.POST['name']} {request.POST['city']}")


def uploaded(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    return HttpResponse(f"{file.name} {file.size}")


def length(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


def fileAt(path: str) -> FileResponse:
    return FileResponse(open(path, "rb"))  # Django reads and closes it


def countsSoFar(request: HttpRequest) -> JsonResponse:
    return JsonResponse(counts)
