"""Compressed responses as real clients take them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.codings import CODINGS
from tests.conftest import FindClient

from .clients import ask_curl
from .network import Network, free_port
from .processes import PYTHON, Process

# Serves `/whole/COUNT` and `/streamed/COUNT`.
PROGRAM = """
from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site, standardEncoders


class Lines(Resource):
    isLeaf = True

    def render_GET(self, request):
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        count = int(request.postpath[1])
        lines = (f"line {number}\\n" for number in range(count))
        return lines if request.postpath[0] == b"streamed" else "".join(lines)


reactor.listenTCP(PORT, Site(Lines(), encoders=standardEncoders()))
reactor.run()
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the program listens."""
    number = free_port()
    with Process(*PYTHON, "-c", PROGRAM.replace("PORT", str(number))) as process:
        process.wait_for_port(number)
        yield number


PATHS = ["whole/300", "whole/100000", "streamed/300", "streamed/100000"]


def expected(path: str) -> str:
    return "".join(f"line {number}\n" for number in range(int(path.partition("/")[2])))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("coding", CODINGS)
def test_httpx_decodes(port: int, coding: str, path: str) -> None:
    with httpx.Client(trust_env=False) as client:
        response = client.get(f"http://127.0.0.1:{port}/{path}", headers={"Accept-Encoding": coding})
        assert response.headers["content-encoding"] == coding
        assert response.text == expected(path)
        assert client.head(f"http://127.0.0.1:{port}/{path}").status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_curl_decodes_whatever_it_knows(port: int, path: str, find_client: FindClient) -> None:
    answer = ask_curl(find_client("curl"), Network(), "--compressed", f"http://127.0.0.1:{port}/{path}")
    assert answer.fields["content-encoding"] in ("gzip", "br", "zstd")
    assert answer.body == expected(path)
