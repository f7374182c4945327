"""The scenarios as hand-written WSGI applications, for fastwsgi, fastpysgi, bjoern, peregrine, granian and
gunicorn, and for Sennit where WSGI is what is measured."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchmarks.paths import PEERS
from benchmarks.programs.pages import BLOCK, BLOCK_COUNT, CHUNKS, HELLO, NOT_FOUND, PAGE

Environ = dict[str, Any]
StartResponse = Callable[..., object]

HTML = [("Content-Type", "text/html")]
BINARY = [("Content-Type", "application/octet-stream")]
PAGE_HEADERS = [("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))]
NOT_FOUND_HEADERS = [("Content-Type", "text/html"), ("Content-Length", str(len(NOT_FOUND)))]


def missing(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer 404, whatever is asked for."""
    start_response("404 Not Found", NOT_FOUND_HEADERS)
    return [NOT_FOUND]


def buy(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer the 402 page at /buy."""
    if environ["PATH_INFO"] != "/buy":
        return missing(environ, start_response)
    start_response("402 Payment Required", PAGE_HEADERS)
    return [PAGE]


def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a POST to /echo with its body."""
    if environ["PATH_INFO"] != "/echo":
        return missing(environ, start_response)
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [*BINARY, ("Content-Length", str(len(body)))])
    return [body]


def dynamic(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer /user/NUMBER with a text that has the number."""
    path = environ["PATH_INFO"]
    if not path.startswith("/user/"):
        return missing(environ, start_response)
    body = b"user " + path[6:].encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def stream(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer /stream with 64 chunks, one by one."""
    if environ["PATH_INFO"] != "/stream":
        return missing(environ, start_response)
    start_response("200 OK", BINARY)
    return _each_chunk()


def _each_chunk() -> Iterator[bytes]:
    yield from CHUNKS


def download(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer /download with 1 GiB in blocks."""
    if environ["PATH_INFO"] != "/download":
        return missing(environ, start_response)
    start_response("200 OK", BINARY)
    return (BLOCK for _ in range(BLOCK_COUNT))


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a text at /wsgi."""
    if environ["PATH_INFO"] != "/wsgi":
        return missing(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(HELLO)))])
    return [HELLO]


wsgi_pool = wsgi


def __getattr__(name: str) -> Any:
    # Only who runs it needs to have Flask: the peers do.
    if name != "flask":
        raise AttributeError(name)
    sys.path += map(str, PEERS.glob("lib/python*/site-packages"))
    from benchmarks.programs.flask_app import app

    return app
