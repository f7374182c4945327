"""The common test application, by Flask."""

import threading
from typing import Any

from flask import Flask, Response, request, send_file, url_for

from tests.programs.frameworks.events import endless

counts = {"background": 0, "left": 0}
app = Flask(__name__)


@app.after_request
def mark(response: Any) -> Any:
    response.headers["X-Middleware"] = "1"
    return response


@app.get("/hello")
def hello() -> str:
    return f"hello {request.args.get('name', '')}"


@app.post("/form")
def form() -> str:
    return f"{request.form['name']} {request.form['city']}"


@app.post("/upload")
def upload() -> str:
    file = request.files["file"]
    return f"{file.filename} {len(file.read())}"


@app.post("/count")
def count() -> str:
    length = 0
    while piece := request.stream.read(4096):
        length += len(piece)
    return str(length)


@app.get("/stream")
def stream() -> Response:
    return Response(b"%d" % number for number in range(3))


@app.get("/sse")
def sse() -> Response:
    return Response(endless(counts), mimetype="text/event-stream")


@app.get("/error")
def error() -> str:
    raise ValueError("the flaw")


@app.get("/thread")
def thread() -> str:
    return str(threading.current_thread() is threading.main_thread())


@app.get("/file")
def file() -> Response:
    return send_file(__file__)


@app.get("/told")
def told() -> dict[str, int]:
    return counts


@app.get("/state")
def state() -> list[str]:
    return ["", url_for("hello", _external=True)]
