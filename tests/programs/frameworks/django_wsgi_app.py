"""The common test application, by Django under WSGI."""

import threading

from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import reverse

from tests.programs.frameworks import django_project as project
from tests.programs.frameworks.events import endless

counts = project.counts
project.setUp(__name__)


def hello(request: HttpRequest) -> HttpResponse:
    return project.greeting(request)


def form(request: HttpRequest) -> HttpResponse:
    return project.fields(request)


def upload(request: HttpRequest) -> HttpResponse:
    return project.uploaded(request)


def count(request: HttpRequest) -> HttpResponse:
    return project.length(request)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(b"%d" % number for number in range(3))


def sse(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(endless(counts), content_type="text/event-stream")


def error(request: HttpRequest) -> HttpResponse:
    raise ValueError("the flaw")


def thread(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(threading.current_thread() is threading.main_thread()))


def file(request: HttpRequest) -> FileResponse:
    return project.fileAt(__file__)


def told(request: HttpRequest) -> JsonResponse:
    return project.countsSoFar(request)


def state(request: HttpRequest) -> JsonResponse:
    return JsonResponse(["", request.build_absolute_uri(reverse("hello"))], safe=False)


urlpatterns = project.pathsOf(hello, form, upload, count, stream, sse, error, thread, file, told, state)

app = get_wsgi_application()
