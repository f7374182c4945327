"""Frameworks of others, under `sennit serve` and as leaves of a tree: each answers what it answers anywhere,
over a real socket.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from .network import free_port
from .processes import SENNIT_SERVE, Process
from .served import wait_until

MODULES = "tests.programs.frameworks"


@dataclass(frozen=True)
class Way:
    """How one of the applications is served: by `sennit serve` with `options`, or as a leaf of a tree in a
    `loop` of that kind.
    """

    application: str
    options: tuple[str, ...] = ()
    loop: str = ""

    @property
    def framework(self) -> str:
        return self.application.partition("_")[0]

    @property
    def is_wsgi(self) -> bool:
        return bool(self.options)

    @property
    def is_inline(self) -> bool:
        return self.options == INLINE

    def __str__(self) -> str:
        return "".join(
            (self.application.removesuffix("_app"), *self.options, self.loop and f"-in-{self.loop}")
        )

    def command(self, port: int) -> tuple[str, ...]:
        if self.loop:
            return (sys.executable, "-m", f"{MODULES}.serve", self.application, self.loop, str(port))
        place = ("--port", str(port), "--root-path", "/app", "--no-access-log")
        return (*SENNIT_SERVE, f"{MODULES}.{self.application}:app", *place, *self.options)


INLINE = ("--wsgi-threads", "0")
POOL = ("--wsgi-threads", "4")

ASGI = ("starlette_app", "fastapi_app", "django_app", "litestar_app", "quart_app", "falcon_app")
WSGI = ("flask_app", "django_wsgi_app", "falcon_wsgi_app")
WAYS = (
    *(Way(application) for application in ASGI),
    # All work with all loops, but that is tested elsewhere.
    Way("fastapi_app", loop="uvloop"),
    Way("quart_app", loop="asyncio"),
    Way("starlette_app", loop="engine"),
    *(Way(application, options) for application in WSGI for options in (INLINE, POOL)),
)


class Served(Process):
    """An application that is served in a process of its own, below /app."""

    def __init__(self, way: Way) -> None:
        pytest.importorskip(way.framework)
        self.way = way
        port = free_port()
        super().__init__(*way.command(port))
        self.url = f"http://127.0.0.1:{port}/app"
        self.client = httpx.Client(timeout=10)

    def __enter__(self) -> Self:
        super().__enter__()
        self.wait_for_output(" serves ")
        return self

    def __exit__(self, *exception: Any) -> None:
        self.client.close()
        super().__exit__(*exception)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(self.url + path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.client.post(self.url + path, **options)

    def waitFor(self, name: str, count: int) -> None:
        wait_until(lambda: self.get("/told").json()[name] >= count, 5)


@pytest.fixture(scope="module", params=WAYS, ids=str)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with Served(request.param) as served:
        yield served
        assert served.end()[0] == 0


class TestEach:
    def test_request_is_answered_through_middleware(self, served: Served) -> None:
        for _ in range(3):
            answer = served.get("/hello", params={"name": "W\u00f6rld"})
            assert (answer.status_code, answer.text) == (200, "hello W\u00f6rld")
            assert answer.headers["X-Middleware"] == "1"
            assert answer.headers["Content-Length"] == "12"
            assert answer.headers["Server"].startswith("Sennit")

    def test_other_methods_and_paths_are_the_frameworks_to_answer(self, served: Served) -> None:
        assert served.get("/missing").status_code in (404, 500)
        assert served.client.head(served.url + "/hello").content == b""

    def test_form_is_read(self, served: Served) -> None:
        answer = served.post("/form", data={"name": "Ann", "city": "K\u00f6ln"})
        assert answer.text == "Ann K\u00f6ln"

    @pytest.mark.parametrize("size", [10, 300_000])
    def test_upload_is_read(self, served: Served, size: int) -> None:
        answer = served.post("/upload", files={"file": ("a.bin", b"x" * size)})
        assert answer.text == f"a.bin {size}"

    def test_body_in_chunks_is_read(self, served: Served) -> None:
        def pieces() -> Iterator[bytes]:
            for _ in range(20):
                yield b"x" * 10_000

        if served.way.application == "django_wsgi_app":
            pytest.skip("Django reads no body without a length under WSGI")
        assert served.post("/count", content=pieces()).text == "200000"

    def test_response_is_streamed(self, served: Served) -> None:
        answer = served.get("/stream")
        assert answer.text == "012"
        assert answer.headers["Transfer-Encoding"] == "chunked"

    def test_client_that_leaves_a_stream_of_events_ends_it(self, served: Served) -> None:
        for count in (1, 2):
            with served.client.stream("GET", served.url + "/sse") as answer:
                assert answer.headers["Content-Type"].startswith("text/event-stream")
                assert next(answer.iter_lines()) == "data: x"
            served.waitFor("left", count)

    def test_exception_is_a_500_that_tells_nothing_and_is_logged_once(self, served: Served) -> None:
        answer = served.get("/error")
        assert answer.status_code == 500
        assert "flaw" not in answer.text
        assert "Traceback" not in answer.text
        served.wait_for_output("ValueError: the flaw")
        assert served.get("/hello").status_code == 200
        assert served.output().count("ValueError: the flaw") == 1

    def test_work_goes_on_in_the_background(self, served: Served) -> None:
        if served.way.is_wsgi or served.way.framework == "django":
            pytest.skip("there is nothing for that")
        assert served.get("/background").text == "begun"
        served.waitFor("background", 1)

    def test_blocking_work_runs_in_a_thread(self, served: Served) -> None:
        assert served.get("/thread").text == str(served.way.is_inline)

    def test_file_is_sent(self, served: Served) -> None:
        path = Path(__file__).parent / "frameworks" / f"{served.way.application}.py"
        answer = served.get("/file")
        assert answer.content == path.read_bytes()

    def test_addresses_have_the_path_that_leads_there(self, served: Served) -> None:
        assert served.get("/state").json()[1] == served.url + "/hello"

    def test_many_at_a_time(self, served: Served) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: served.get("/hello", params={"name": str(n)}).text, range(40)))
        assert answers == [f"hello {n}" for n in range(40)]


def test_pydantic_checks_what_comes_and_goes() -> None:
    with Served(Way("fastapi_app")) as served:
        assert served.post("/item", json={"name": "cord", "price": 2}).json() == {"name": "CORD", "price": 4}
        assert served.post("/item", json={"name": "cord"}).status_code == 422
        assert "/item" in served.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize(
    "way", [way for way in WAYS if not way.is_wsgi and way.framework != "django"], ids=str
)
def test_lifespan_surrounds_the_serving(way: Way) -> None:
    with Served(way) as served:
        assert served.get("/state").json()[0] == "open"
        assert "closed" not in served.output()
        assert served.end()[0] == 0
        # Litestar logs from a thread of its own: its lines may fall between the word and its newline.
        assert served.output().count("closed") == 1
