"""Sites of WSGI applications for tests, and the pool of threads that they run in."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from sennit.internet import reactor
from sennit.python.threadpool import ThreadPool
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import Response, TestClient
from sennit.web.wsgi import WSGIResource

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

PLAIN = [("Content-Type", "text/plain")]


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """A pool that must be free of work in the end: nothing may keep a thread for ever."""
    pool = ThreadPool(0, 4)
    pool.start()
    yield pool
    assert pool.stop(timeout=5)


@pytest.fixture(params=["thread", "loop"])
def poolOrNone(request: Any) -> Any:
    return request.getfixturevalue("pool") if request.param == "thread" else None


def siteOf(application: Any, pool: Any, *path: str, **options: Any) -> Site:
    resource: Resource = WSGIResource(reactor, pool, application)
    for segment in reversed(path):
        above = Resource()
        above.putChild(segment, resource)
        resource = above
    return Site(resource, **options)


def answered(application: Any, pool: Any, method: str = "GET", target: str = "/", **options: Any) -> Response:
    with TestClient(siteOf(application, pool)) as client:
        return client.request(method, target, **options)


def environOf(
    pool: Any, *path: str, target: str = "/", client: dict[str, Any] | None = None, **options: Any
) -> Environ:
    """What an application is told."""
    seen: Environ = {}

    def application(environ: Environ, startResponse: StartResponse) -> list[bytes]:
        seen.update(environ)
        startResponse("200 OK", PLAIN)
        return [b""]

    with TestClient(siteOf(validator(application), pool, *path), **client or {}) as testClient:
        assert testClient.request(options.pop("method", "GET"), target, **options).code == 200
    return seen


class Closing:
    """A result that counts how often it is closed."""

    def __init__(self, pieces: Any) -> None:
        self.pieces = pieces
        self.closed = 0
        self.wasClosed = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed += 1
        self.wasClosed.set()


def giving(result: Any, status: str = "200 OK", headers: Any = None) -> Any:
    """An application that returns something prepared; of a function, what that returns."""

    def application(environ: Environ, startResponse: StartResponse) -> Any:
        startResponse(status, PLAIN if headers is None else headers)
        return result() if callable(result) else result

    return application


def echo(environ: Environ, startResponse: StartResponse) -> Iterator[bytes]:
    startResponse("200 OK", PLAIN)
    while piece := environ["wsgi.input"].read(5000):
        yield piece


def eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.002)
