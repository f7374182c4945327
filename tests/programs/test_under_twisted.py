"""Real programs of Twisted's, under Twisted's own reactor, with Sennit's web: Klein and Scrapyd from PyPI.

What they need lies in a folder of its own, since an installed Twisted changes what `import twisted` means to
other tests.
"""

import os
import re
import sys
from pathlib import Path

import httpx
import pytest

from .network import free_port
from .processes import PYTHON, ROOT, SENNIT_RUN, Process

PAGE = ROOT / "docs" / "under-twisted.md"
THEIRS = Path(sys.prefix) / "twisted"
UNDER_TWISTED = (*SENNIT_RUN, "--reactor=twisted")

KLEIN = """
import json
import sys

import twisted.web.server
from klein import Klein
from twisted.internet import defer, reactor, task
from twisted.internet.address import IPv4Address
from twisted.web.resource import Resource

assert twisted.web.server.__name__ == "sennit.web.server"
assert reactor.__module__ == "sennit.serving.under_twisted"
app = Klein()

@app.route("/buy")
def buy(request):
    request.setResponseCode(402)
    return b"Please swipe your credit card."

@app.route("/later/<int:number>")
async def later(request, number):
    await task.deferLater(reactor, 0.01, lambda: None)
    return f"later {number}"

@app.route("/deferred")
def deferred(request):
    return task.deferLater(reactor, 0.01, lambda: b"fired")

@app.route("/mistake")
def mistake(request):
    return defer.fail(ValueError("a secret"))

@app.route("/json", methods=["POST"])
def take_json(request):
    return json.dumps(sorted(json.load(request.content)))

@app.route("/whence")
def whence(request):
    return str(isinstance(request.getClientAddress(), IPv4Address))

class Leaf(Resource):
    isLeaf = True

    async def render_GET(self, request):
        import asyncio

        first = await task.deferLater(reactor, 0.01, lambda: "deferred")
        await asyncio.sleep(0.01)
        try:
            await defer.fail(KeyError("lost"))
        except KeyError:
            second = "caught"
        return f"{first} {second} {request.postpath}"

class Patient(Resource):
    isLeaf = True

    async def render_GET(self, request):
        try:
            await defer.Deferred(lambda cancelled: print("the wait was cancelled", flush=True))
        finally:
            print("the handler was cancelled", flush=True)

@app.route("/patient/", branch=True)
def patient(request):
    return Patient()

@app.route("/tree/", branch=True)
def tree(request):
    return Leaf()

app.run("127.0.0.1", int(sys.argv[1]))
"""

SCRAPYD = "from scrapyd.__main__ import main\nmain()\n"


@pytest.fixture(scope="module")
def theirs() -> dict[str, str]:
    """The environment in which Twisted is installed."""
    assert THEIRS.is_dir(), f"{THEIRS} is missing: `make dev` installs it"
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(THEIRS))))
    return {"PYTHONPATH": path}


def test_klein_answers_on_the_engine(theirs: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(KLEIN)
    port = free_port()
    with Process(*UNDER_TWISTED, str(program), str(port), environment=theirs, directory=tmp_path) as server:
        server.wait_for_port(port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            bought = client.get("/buy")
            assert (bought.status_code, bought.content) == (402, b"Please swipe your credit card.")
            assert bought.headers["server"].startswith("Sennit/")
            assert client.get("/later/7").text == "later 7"
            assert client.get("/deferred").text == "fired"
            assert client.post("/json", json={"b": 1, "a": 2}).json() == ["a", "b"]
            assert client.get("/whence").text == "True"
            assert client.get("/tree/x/y").text == "deferred caught [b'x', b'y']"
            assert client.get("/nowhere").status_code == 404
            assert client.get("/mistake").status_code == 500
            with pytest.raises(httpx.ReadTimeout):
                client.get("/patient/", timeout=0.1)
        server.wait_for_output("the wait was cancelled")
        server.wait_for_output("the handler was cancelled")
        assert "a secret" in server.output()
        assert server.end()[0] == 0


def test_program_of_the_documentation_runs(theirs: dict[str, str], tmp_path: Path) -> None:
    blocks = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    shop, installation = blocks
    port = free_port()
    # By the call that the page shows, under a plain interpreter.
    program = tmp_path / "shop.py"
    program.write_text(installation + shop.replace("8880", str(port)))
    with Process(*PYTHON, str(program), environment=theirs, directory=tmp_path) as server:
        server.wait_for_port(port)
        assert httpx.get(f"http://127.0.0.1:{port}/buy").status_code == 402
        assert server.end()[0] == 0


def test_scrapyd_serves_its_console_and_its_api(theirs: dict[str, str], tmp_path: Path) -> None:
    """Started by twistd, with an application's services, guarded by Basic authentication."""
    program = tmp_path / "program.py"
    program.write_text(SCRAPYD)
    port = free_port()
    settings = f"[scrapyd]\nhttp_port = {port}\nusername = ann\npassword = secret\n"
    (tmp_path / "scrapyd.conf").write_text(settings)
    with Process(*UNDER_TWISTED, str(program), environment=theirs, directory=tmp_path) as server:
        server.wait_for_port(port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("ann", "secret")) as client:
            console = client.get("/")
            assert console.status_code == 200
            assert console.headers["server"].startswith("Sennit/")
            assert "Scrapyd" in console.text
            assert client.get("/daemonstatus.json").json()["status"] == "ok"
            refused = client.post("/delproject.json", data={"project": "none"})
            assert refused.json()["message"] == "project 'none' not found"
            assert client.get("/jobs").status_code == 200
            assert client.get("/", auth=("ann", "wrong")).status_code == 401
            assert client.get("/", auth=None).status_code == 401  # type: ignore[arg-type]  # none at all
        server.end()
        assert "Server Shut Down." in server.output()


def test_web_client_stays_that_of_twisted(theirs: dict[str, str], tmp_path: Path) -> None:
    """A program that asks its own server with Twisted's Agent; its headers are those of Sennit."""
    program = tmp_path / "program.py"
    program.write_text("""
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.web.client import Agent, readBody
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import Site

class Page(Resource):
    isLeaf = True
    def render_GET(self, request):
        return b"asked with " + request.getHeader(b"x-asked")

port = reactor.listenTCP(0, Site(Page()), interface="127.0.0.1")

async def ask():
    url = f"http://127.0.0.1:{port.getHost().port}/".encode()
    response = await Agent(reactor).request(b"GET", url, Headers({b"X-Asked": [b"care"]}))
    print(response.code, (await readBody(response)).decode(), flush=True)
    reactor.stop()

reactor.callWhenRunning(lambda: ensureDeferred(ask()))
reactor.run()
""")
    with Process(*UNDER_TWISTED, str(program), environment=theirs, directory=tmp_path) as server:
        assert server.wait() == 0
        assert "200 asked with care" in server.output()


def test_twisted_reactor_without_twisted_is_one_clear_line(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("raise SystemExit('it ran')\n")
    with Process(*UNDER_TWISTED, str(program)) as server:
        assert server.wait() == 1
        lines = server.output().splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("sennit: --reactor=twisted: Twisted is not installed")
