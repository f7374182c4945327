"""WSGI applications in the threads of a pool: who gets one, and when."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from sennit.internet import reactor
from sennit.python.threadpool import ThreadPool
from sennit.web.server import Site
from sennit.web.testing import AsyncTestClient, TestClient
from sennit.web.wsgi import WSGIResource
from tests.unit.web import wsgiapps
from tests.unit.web.wsgiapps import PLAIN, Environ, StartResponse, eventually, giving, siteOf

# pytest finds it here.
pool = wsgiapps.pool


class Waiting:
    """An application whose calls wait for each other, or for `go`."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.running = threading.Semaphore(0)

    def __call__(self, environ: Environ, startResponse: StartResponse) -> list[bytes]:
        self.running.release()
        assert self.go.wait(10)
        startResponse("200 OK", PLAIN)
        return [environ["PATH_INFO"].encode()]

    def started(self, count: int) -> None:
        for _ in range(count):
            assert self.running.acquire(timeout=5)


async def getAll(site: Site, count: int, meanwhile: Callable[[], object]) -> list[str]:
    """Ask for so many pages at a time."""
    async with AsyncTestClient(site) as client:
        asked = [asyncio.ensure_future(client.get(f"/{number}")) for number in range(count)]
        await asyncio.to_thread(meanwhile)
        return [(await response).text for response in asked]


def test_calls_that_wait_get_all_threads_of_the_pool(pool: ThreadPool) -> None:
    application = Waiting()

    def meanwhile() -> None:
        # As many as the pool has threads, one behind the other.
        application.started(4)
        assert not application.running.acquire(timeout=0.05)
        application.go.set()

    answers = asyncio.run(getAll(siteOf(application, pool), 9, meanwhile))
    assert sorted(answers) == [f"/{number}" for number in range(9)]


def test_call_behind_a_long_one_does_not_wait_for_it(pool: ThreadPool) -> None:
    application = Waiting()

    def meanwhile() -> None:
        application.started(2)
        application.go.set()

    for _ in range(3):
        application.go.clear()
        assert len(asyncio.run(getAll(siteOf(application, pool), 2, meanwhile))) == 2


@pytest.mark.parametrize("size", [1, 2])
def test_pool_has_its_threads_back_when_it_needs_them(size: int) -> None:
    pool = ThreadPool(0, size)
    pool.start()
    with TestClient(siteOf(giving([b"x"]), pool)) as client:
        for _ in range(3):
            assert client.get("/").text == "x"
            # All threads at a time, long before one with nothing to do would have gone on its own.
            together = threading.Barrier(size + 1)
            for _ in range(size):
                pool.callInThread(together.wait, 5)
            together.wait(1)
    begun = time.monotonic()
    assert pool.stop(timeout=5)
    assert time.monotonic() - begun < 1


def test_pool_that_has_stopped_and_started_serves_again(pool: ThreadPool) -> None:
    with TestClient(siteOf(giving([b"x"]), pool)) as client:
        assert client.get("/").text == "x"
        assert pool.stop(timeout=5)
        assert client.get("/").code == 503
        pool.start()
        assert client.get("/").text == "x"


def test_pool_of_another_kind_gets_each_call() -> None:
    threads: list[threading.Thread] = []
    application = Waiting()

    class Other:
        def callInThread(self, function: Callable[[], object]) -> None:
            threads.append(threading.Thread(target=function))
            threads[-1].start()

    def meanwhile() -> None:
        application.started(3)
        application.go.set()

    assert len(asyncio.run(getAll(Site(WSGIResource(reactor, Other(), application)), 3, meanwhile))) == 3
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def test_context_variables_are_those_of_the_loop_and_of_one_call(pool: ThreadPool) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []

    def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
        seen.append(variable.get())
        variable.set("of a call")
        startResponse("200 OK", PLAIN)
        return [b"x"]

    async def run() -> None:
        async with AsyncTestClient(siteOf(application, pool)) as client:
            for value in ("first", "second"):
                variable.set(value)
                await client.get("/")

    asyncio.run(run())
    assert seen == ["first", "second"]


def test_many_requests_over_real_sockets_are_each_answered_once(pool: ThreadPool) -> None:
    def application(environ: Environ, startResponse: StartResponse) -> Any:
        number = int(environ["PATH_INFO"][1:])
        startResponse("200 OK", PLAIN)
        if number % 7 == 0:
            time.sleep(0.002)
        body = b"%d;" % number
        return [body] if number % 3 else iter([body, body])

    async def ask(port: int, first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        numbers = range(first, first + 40)
        # Two at a time: the second is already there when the first is answered.
        for number in numbers[::2]:
            for each in (number, number + 1):
                writer.write(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % each)
            for each in (number, number + 1):
                head = await reader.readuntil(b"\r\n\r\n")
                if b"chunked" in head:
                    body = await reader.readuntil(b"\r\n0\r\n\r\n")
                    assert body.count(b"%d;" % each) == 2
                else:
                    assert await reader.readexactly(len(str(each)) + 1) == b"%d;" % each
        writer.close()

    async def run() -> None:
        async with siteOf(application, pool).start() as port:
            await asyncio.wait_for(
                asyncio.gather(*(ask(port.getHost().port, 1000 * number) for number in range(16))), 20
            )

    asyncio.run(run())


def test_idle_connection_is_closed_in_its_time(pool: ThreadPool) -> None:
    async def run() -> float:
        async with siteOf(giving([b"x"]), pool, timeOut=0.8).start() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\nx")
            begun = time.monotonic()
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            return time.monotonic() - begun

    assert 0.1 < asyncio.run(run()) < 4


def test_request_of_a_client_that_has_left_is_not_begun(pool: ThreadPool) -> None:
    application = Waiting()
    pool.adjustPoolsize(0, 1)

    async def run() -> None:
        async with siteOf(application, pool).start() as port:
            first, second = [await asyncio.open_connection("127.0.0.1", port.getHost().port) for _ in "12"]
            for _, writer in (first, second):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await asyncio.sleep(0.05)
            second[1].close()
            await asyncio.sleep(0.05)
            application.go.set()
            await first[0].readuntil(b"\r\n\r\n")
            first[1].close()

    asyncio.run(run())
    application.started(1)
    assert not application.running.acquire(timeout=0.05)
    eventually(lambda: pool.workers <= 1)
