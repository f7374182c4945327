"""Scenario `flask`: an application of Flask's, for all servers."""
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator"

from flask import Flask, Response

from benchmarks.programs.pages import HELLO

app = Flask(__name__)


@app.get("/flask")
def page() -> Response:
    """A text."""
    return Response(HELLO, content_type="text/plain")
