"""What is asked of the servers, and what they must answer."""

import gzip
from dataclasses import dataclass

from benchmarks import files
from benchmarks.programs.pages import CHUNK_BYTES, CHUNK_COUNT, CHUNKS, HELLO, PAGE

HEAVY = "load"
WRK = "wrk"


@dataclass(frozen=True)
class Scenario:
    """One kind of request under load.

    `program` names what the server runs (see `programs/`); `body` is the answer's body, None for any but an
    empty one; `coding` the content coding that the client accepts, in which it then comes; `generator` is the
    load generator that can drive it faster than a server answers.
    """

    name: str
    title: str
    program: str
    path: str
    status: int
    body: bytes | None
    connections: tuple[int, ...] = (64,)
    request_body: bytes = b""
    generator: str = WRK
    coding: str = ""

    @property
    def method(self) -> str:
        """The request's method: POST where there is a body to send."""
        return "POST" if self.request_body else "GET"

    def request(self, port: int) -> bytes:
        """Return the bytes of one request, the same fields that wrk sends."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        if self.coding:
            head += f"Accept-Encoding: {self.coding}\r\n"
        if self.request_body:
            head += f"Content-Length: {len(self.request_body)}\r\n"
        return f"{head}\r\n".encode() + self.request_body

    def typical_answer(self) -> bytes:
        """Return an answer as Sennit gives it: for the limit, when Sennit itself isn't there to be asked."""
        reason = {200: "OK", 402: "Payment Required", 404: "Not Found"}[self.status]
        head = (
            f"HTTP/1.1 {self.status} {reason}\r\nServer: Sennit\r\n"
            "Date: Sat, 22 Nov 2025 12:00:00 GMT\r\nContent-Type: text/html\r\n"
        )
        if self.program in {"stream", "asgi_stream"}:
            chunks = b"".join(b"%x\r\n%b\r\n" % (CHUNK_BYTES, chunk) for chunk in CHUNKS)
            return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"
        body = self.body if self.body is not None else b"<html><body>404</body></html>".ljust(200)
        if self.coding:
            body = gzip.compress(body)
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


_KIB = b"0123456789abcdef" * 64

LOADS: tuple[Scenario, ...] = (
    Scenario("buy", "GET /buy, the seed's 402 page", "buy", "/buy", 402, PAGE, (64, 512, 1)),
    Scenario("async", "the 402 page by a coroutine that doesn't wait", "nowait", "/buy", 402, PAGE),
    Scenario(
        "sleep0", "the 402 page by a coroutine that awaits `asyncio.sleep(0)`", "sleep0", "/buy", 402, PAGE
    ),
    Scenario("echo1k", "POST, 1 KiB echoed", "echo", "/echo", 200, _KIB, request_body=_KIB),
    Scenario(
        "echo64k",
        "POST, 64 KiB echoed",
        "echo",
        "/echo",
        200,
        _KIB * 64,
        request_body=_KIB * 64,
        generator=HEAVY,
    ),
    Scenario("missing", "a 404 three levels deep", "missing", "/a/b/c", 404, None),
    Scenario("dynamic", "a dynamic child, /user/12345", "dynamic", "/user/12345", 200, b"user 12345"),
    Scenario(
        "stream",
        f"{CHUNK_COUNT} chunks of {CHUNK_BYTES} bytes, handed over one by one",
        "stream",
        "/stream",
        200,
        b"".join(CHUNKS),
        generator=HEAVY,
    ),
    Scenario("wsgi", "a WSGI application's page", "wsgi", "/wsgi", 200, HELLO),
    Scenario("wsgi-pool", "the same in a thread of a pool", "wsgi_pool", "/wsgi", 200, HELLO),
    Scenario("flask", "a page of Flask's", "flask", "/flask", 200, HELLO, generator=HEAVY),
    Scenario("static1k", "a file of 1 KiB", "static", "/static/1k.html", 200, files.content("1k.html")),
    Scenario(
        "static64k",
        "a file of 64 KiB",
        "static",
        "/static/64k.html",
        200,
        files.content("64k.html"),
        generator=HEAVY,
    ),
    Scenario(
        "static1m",
        "a file of 1 MiB",
        "static",
        "/static/1m.html",
        200,
        files.content("1m.html"),
        generator=HEAVY,
    ),
    Scenario(
        "gzip64k",
        "64 KiB of JSON, compressed with gzip",
        "gzip",
        f"/gzip/{files.DOCUMENT}",
        200,
        files.document(),
        generator=HEAVY,
        coding="gzip",
    ),
    Scenario("proxy", "the 402 page of a server behind, passed on", "proxy", "/buy", 402, PAGE),
    Scenario("asgi", "ASGI, a greeting", "asgi_hello", "/", 200, HELLO),
    Scenario(
        "starlette", "Starlette, JSON", "starlette", "/json", 200, b'{"hello":"world"}', generator=HEAVY
    ),
    Scenario(
        "fastapi",
        "FastAPI, a pydantic model as JSON",
        "fastapi",
        "/item/5",
        200,
        b'{"number":5,"name":"A sennit","price":2.5,"tags":["cord","braided"]}',
        generator=HEAVY,
    ),
    Scenario(
        "asgi-stream",
        f"ASGI, {CHUNK_COUNT} chunks of {CHUNK_BYTES} bytes",
        "asgi_stream",
        "/stream",
        200,
        b"".join(CHUNKS),
        generator=HEAVY,
    ),
    Scenario(
        "asgi-sleep10ms",
        "ASGI, after `asyncio.sleep(0.01)`",
        "asgi_sleep",
        "/",
        200,
        HELLO,
        (512,),
        # In slices: wrk's rounds gave ratios that differed by a quarter, these such that did by a twentieth.
        generator=HEAVY,
    ),
)
"""Scenarios measured as requests per second, in the order they are run."""

OTHERS = ("startup", "idle", "soak", "soak-asgi", "transfer")
"""Scenarios with a measurement of their own (see `lifetimes`)."""

NAMES = tuple(scenario.name for scenario in LOADS) + OTHERS


def by_name(name: str) -> Scenario:
    """Return the load scenario called `name`; KeyError if there is none."""
    return {scenario.name: scenario for scenario in LOADS}[name]
