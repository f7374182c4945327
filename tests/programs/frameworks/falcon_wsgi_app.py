"""The common test application, by Falcon under WSGI."""

import threading
from typing import Any

import falcon

from tests.programs.frameworks.events import endless

counts = {"background": 0, "left": 0}


class Marking:
    def process_response(self, request: Any, response: Any, resource: Any, ok: bool) -> None:
        response.set_header("X-Middleware", "1")


class Resource:
    def on_get(self, request: Any, response: Any) -> None:
        getattr(self, request.path.rpartition("/")[2])(request, response)

    def hello(self, request: Any, response: Any) -> None:
        response.text = f"hello {request.get_param('name', default='')}"

    def form(self, request: Any, response: Any) -> None:
        fields = request.get_media()
        response.text = f"{fields['name']} {fields['city']}"

    def upload(self, request: Any, response: Any) -> None:
        for part in request.get_media():
            response.text = f"{part.filename} {len(part.stream.read())}"

    def count(self, request: Any, response: Any) -> None:
        response.text = str(len(request.stream.read()))

    def stream(self, request: Any, response: Any) -> None:
        response.stream = (b"%d" % number for number in range(3))

    def sse(self, request: Any, response: Any) -> None:
        response.content_type = "text/event-stream"
        response.stream = endless(counts)

    def error(self, request: Any, response: Any) -> None:
        raise ValueError("the flaw")

    def thread(self, request: Any, response: Any) -> None:
        response.text = str(threading.current_thread() is threading.main_thread())

    def file(self, request: Any, response: Any) -> None:
        response.stream = open(__file__, "rb")  # noqa: SIM115  # closed with the response

    def told(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_JSON
        response.media = counts

    def state(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_JSON
        response.media = ["", f"{request.prefix}/hello"]


app = falcon.App(media_type=falcon.MEDIA_TEXT, middleware=[Marking()])
app.add_sink(Resource().on_get, "/")
