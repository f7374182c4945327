"""Frameworks of others as leaves of a tree: each answers what it answers anywhere, over a real socket."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

FRAMEWORKS = {
    "starlette": "engine",
    "fastapi": "uvloop",
    "django": "asyncio",
    "litestar": "engine",
    "quart": "asyncio",
    "falcon": "uvloop",
}
"""Each with one kind of loop: all work with all, but that is tested elsewhere."""


class Served:
    """An application that is served in a process of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        pytest.importorskip(name)
        self.name = name
        self._complaints = folder / f"{name}.log"
        with self._complaints.open("w") as complaints:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.programs.frameworks.serve", name, FRAMEWORKS[name]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self._complaints.read_text()
        self.url = f"http://127.0.0.1:{int(line)}/app"
        self.client = httpx.Client(timeout=10)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(self.url + path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.client.post(self.url + path, **options)

    def waitFor(self, name: str, count: int) -> None:
        deadline = time.monotonic() + 5
        while self.get("/told").json()[name] < count:
            assert time.monotonic() < deadline, f"{name} was never told"
            time.sleep(0.01)

    def end(self) -> str:
        """End it, and return what it has printed."""
        self.client.close()
        try:
            printed, _ = self.process.communicate("", timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        assert self.process.returncode == 0, self._complaints.read_text()
        return printed


@contextlib.contextmanager
def serving(name: str, folder: Path) -> Iterator[Served]:
    served = Served(name, folder)
    try:
        yield served
    finally:
        served.end()


@pytest.fixture(scope="module", params=FRAMEWORKS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(request.param, tmp_path_factory.mktemp("frameworks")) as served:
        yield served


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

    def test_exception_is_a_500(self, served: Served) -> None:
        assert served.get("/error").status_code == 500
        assert served.get("/hello").status_code == 200

    def test_work_goes_on_in_the_background(self, served: Served) -> None:
        if served.name == "django":
            pytest.skip("Django has no background tasks")
        assert served.get("/background").text == "begun"
        served.waitFor("background", 1)

    def test_blocking_work_runs_in_a_thread(self, served: Served) -> None:
        assert served.get("/thread").text == "False"

    def test_file_is_sent(self, served: Served) -> None:
        path = Path(__file__).parent / "frameworks" / f"{served.name}_app.py"
        answer = served.get("/file")
        assert answer.content == path.read_bytes()

    def test_addresses_have_the_path_that_leads_there(self, served: Served) -> None:
        assert served.get("/state").json()[1] == served.url + "/hello"

    def test_many_at_a_time(self, served: Served) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: served.get("/hello", params={"name": str(n)}).text, range(40)))
        assert answers == [f"hello {n}" for n in range(40)]


def test_pydantic_checks_what_comes_and_goes(tmp_path: Path) -> None:
    with serving("fastapi", tmp_path) as served:
        assert served.post("/item", json={"name": "cord", "price": 2}).json() == {"name": "CORD", "price": 4}
        assert served.post("/item", json={"name": "cord"}).status_code == 422
        assert "/item" in served.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("name", [name for name in FRAMEWORKS if name != "django"])
def test_lifespan_surrounds_the_serving(name: str, tmp_path: Path) -> None:
    served = Served(name, tmp_path)
    try:
        assert served.get("/state").json()[0] == "open"
    finally:
        printed = served.end()
    assert printed == "closed\n"
