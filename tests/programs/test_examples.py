"""Every example as a reader runs it, asked over real HTTP."""

import asyncio
import hashlib
import itertools
import re
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from ..conftest import FindClient
from .clients import ask_curl
from .network import Network
from .processes import EXAMPLES, PYTHON, SENNIT_RUN, Example, Process

TESTED = {
    "access_log.py",  # this one and others: test_lessons.py
    "authentication.py",
    "calendar_pages.py",
    "custom_response_codes.py",  # test_seed.py
    "deferreds.py",
    "error_pages.py",
    "generated_page.py",
    "guest_book.py",
    "inside_asyncio.py",
    "interrupted.py",
    "logging_errors.py",
    "notes.py",
    "payment_required.py",
    "rpy_scripts.py",
    "session_basics.py",
    "session_endings.py",
    "session_objects.py",
    "static_content.py",
    "static_dispatch.py",
    "streamed_response.py",
    "streamed_upload.py",
    "waiting.py",
    "wsgi_application.py",
}


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == TESTED


def running(name: str) -> Callable[[], Iterator[Example]]:
    """A fixture: the example of this name, running for all tests of this module that use it."""

    @pytest.fixture(scope="module")
    def example() -> Iterator[Example]:
        with Example(name) as example:
            yield example

    return example


class TestPaymentRequired:
    @pytest.fixture(params=[PYTHON, SENNIT_RUN], ids=["python", "sennit run"])
    def example(self, request: pytest.FixtureRequest) -> Iterator[Example]:
        with Example("payment_required.py", request.param) as example:
            yield example

    def test_get_is_402(self, example: Example) -> None:
        answer = httpx.get(f"{example.base}/buy")
        assert (answer.status_code, answer.text) == (402, "Please swipe your credit card.")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signal_ends_it_at_once_beside_an_idle_client(
        self, example: Example, number: signal.Signals
    ) -> None:
        with httpx.Client(base_url=example.base) as client:
            assert client.get("/buy").status_code == 402
            status, seconds = example.end(number)
        assert status == 0
        assert seconds < 1


waiting = running("waiting.py")


class TestWaiting:
    def test_slow_requests_wait_side_by_side(self, waiting: Example) -> None:
        async def ask() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=waiting.base) as client:
                return await asyncio.gather(*(client.get("/slow") for _ in range(10)))

        started = time.monotonic()
        answers = asyncio.run(ask())
        assert [answer.text for answer in answers] == ["It took a while.\n"] * 10
        assert time.monotonic() - started < 2  # ten times 0.2 s, one after the other

    def test_client_that_leaves_cancels_the_handler(self, waiting: Example) -> None:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{waiting.base}/slow", timeout=0.05)
        waiting.wait_for_output("the client left")

    def test_async_child_is_found(self, waiting: Example) -> None:
        assert httpx.get(f"{waiting.base}/cards/2").text == "This card is Grace's.\n"

    def test_async_child_is_not_found(self, waiting: Example) -> None:
        answer = httpx.get(f"{waiting.base}/cards/3", headers={"Accept": "text/html"})
        assert answer.status_code == 404
        assert "There is no such card." in answer.text


calendar_pages = running("calendar_pages.py")


class TestCalendarPages:
    def test_year(self, calendar_pages: Example) -> None:
        assert "December" in httpx.get(f"{calendar_pages.base}/2031").text

    def test_month(self, calendar_pages: Example) -> None:
        answer = httpx.get(f"{calendar_pages.base}/2031/5")
        assert "May 2031" in answer.text
        assert "December" not in answer.text

    @pytest.mark.parametrize("path", ["/", "/soon", "/0", "/2031/13", "/2031/May", "/10000"])
    def test_no_such_page(self, calendar_pages: Example, path: str) -> None:
        assert httpx.get(calendar_pages.base + path).status_code == 404


streamed_response = running("streamed_response.py")


class TestStreamedResponse:
    def test_pieces_make_the_whole(self, streamed_response: Example) -> None:
        answer = httpx.get(f"{streamed_response.base}/squares?upto=5000")
        assert answer.text == "".join(f"{n * n}\n" for n in range(1, 5001))
        assert answer.headers["Transfer-Encoding"] == "chunked"

    def test_pieces_arrive_as_they_are_made(self, streamed_response: Example) -> None:
        with httpx.stream("GET", f"{streamed_response.base}/ticks") as answer:
            arrivals = [(line, time.monotonic()) for line in answer.iter_lines()]
        assert [line for line, _ in arrivals] == [f"tick {n}" for n in range(5)]
        # Not before the one before it, and not all at the end: at least three of the four gaps can be seen.
        gaps = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(arrivals)]
        assert sum(gap > 0.03 for gap in gaps) >= 3

    def test_reader_that_stops_leaves_the_server_well(self, streamed_response: Example) -> None:
        with httpx.stream("GET", f"{streamed_response.base}/squares?upto=100000000") as answer:
            next(answer.iter_bytes())
        assert httpx.get(f"{streamed_response.base}/squares?upto=2").text == "1\n4\n"


streamed_upload = running("streamed_upload.py")


class TestStreamedUpload:
    @pytest.mark.parametrize("size", [0, 1, 1000, 10_000_000])
    def test_digest_is_the_bodys(self, streamed_upload: Example, size: int) -> None:
        body = bytes(range(256)) * (size // 256 + 1)
        answer = httpx.put(f"{streamed_upload.base}/sha256", content=body[:size])
        assert answer.text.strip() == hashlib.sha256(body[:size]).hexdigest()

    def test_chunked_body_is_read_too(self, streamed_upload: Example) -> None:
        pieces = [b"x" * 1000] * 100
        answer = httpx.put(f"{streamed_upload.base}/sha256", content=iter(pieces))
        assert answer.text.strip() == hashlib.sha256(b"".join(pieces)).hexdigest()

    def test_body_over_the_limit_is_413(
        self, streamed_upload: Example, find_client: FindClient, network: Network
    ) -> None:
        answer = ask_curl(
            find_client("curl"),
            network,
            "--request",
            "PUT",
            "--header",
            f"Content-Length: {2 * 1024**3 + 1}",
            "--header",
            "Expect: 100-continue",
            f"{streamed_upload.base}/sha256",
        )
        assert answer.code == 413

    @pytest.fixture
    def network(self) -> Network:
        return Network()


error_pages = running("error_pages.py")


class TestErrorPages:
    def test_page_of_one_code(self, error_pages: Example) -> None:
        answer = httpx.get(f"{error_pages.base}/a%3Cb")
        assert answer.status_code == 404
        assert "<h1>You are lost</h1>" in answer.text
        assert "/a<b" not in answer.text

    def test_page_of_all_other_codes(self, error_pages: Example) -> None:
        answer = httpx.get(f"{error_pages.base}/teapot")
        assert answer.status_code == 418
        assert answer.text == "418 I'm a teapot\n"
        answer = httpx.post(f"{error_pages.base}/teapot")
        assert answer.status_code == 405
        assert answer.text == "405 Method Not Allowed\n"


class TestInsideAsyncio:
    def test_two_sites_share_a_loop_and_stop(self) -> None:
        with Process(*PYTHON, str(EXAMPLES / "inside_asyncio.py")) as process:
            while len(urls := re.findall(r"http://\S+/\n", process.output())) < 2:
                process.wait_for_output("http://")
            answers = [httpx.get(url.strip()).text for url in [*urls, *urls]]
            assert answers == ["1\n", "2\n", "3\n", "4\n"]
            status, seconds = process.end(signal.SIGTERM)
            assert status == 0
            assert seconds < 1
