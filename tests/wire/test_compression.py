"""Compressed responses on the wire: what goes out when, and how it is framed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from sennit._engine import Channel
from sennit.web.iweb import RenderResult
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Request, Site, standardEncoders
from tests.codings import CODINGS, Decoder, decoded

from .helpers.client import get
from .helpers.http1 import Response, parse_all

LINE = b"a line of text that says little\n"


class Answering(Resource):
    """Answers with what a test gives; requests that were answered with NOT_DONE_YET are kept."""

    isLeaf = True

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result
        self.held: list[Request] = []

    def render_GET(self, request: Request) -> RenderResult:
        request.setHeader("Content-Type", "text/plain")
        self.held.append(request)
        result: RenderResult = self.result() if callable(self.result) else self.result
        return result


def opened(resource: Resource, coding: str = "gzip", *more: bytes) -> Channel:
    """A connection that has asked for `resource`."""
    channel = Channel(Site(resource, encoders=standardEncoders()).engineService())
    channel.receive(get("/", f"Accept-Encoding: {coding}") + b"".join(more))
    return channel


def chunks_of(data: bytes) -> bytes:
    """The content of whole chunks."""
    out = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        out += rest[:length]
        assert rest[length : length + 2] == b"\r\n"
        data = rest[length + 2 :]
    return out


def only(data: bytes) -> Response:
    """The one response in `data`."""
    [response] = parse_all(data, ["GET"])
    return response


@pytest.mark.parametrize("coding", CODINGS)
def test_each_event_goes_out_with_its_turn(coding: str) -> None:
    """A stream whose writer waits between its events is not held back by the codec."""
    resource = Answering(NOT_DONE_YET)
    channel = opened(resource, coding)
    [request] = resource.held
    decoder = Decoder(coding)
    head = b""
    for number in range(5):
        event = b"data: %d\n\n" % number
        request.write(event)
        out = channel.data_to_send()
        if not head:
            head, _, out = out.partition(b"\r\n\r\n")
        assert decoder.feed(chunks_of(out)) == event
    request.finish()
    assert decoder.feed(chunks_of(channel.data_to_send().removesuffix(b"0\r\n\r\n"))) == b""
    assert decoder.isComplete()
    assert b"Content-Encoding: " + coding.encode() in head


def test_nothing_goes_out_where_nothing_was_written() -> None:
    resource = Answering(NOT_DONE_YET)
    channel = opened(resource)
    resource.held[0].write(LINE)
    assert channel.data_to_send() != b""
    assert channel.data_to_send() == b""


def test_many_small_writes_of_one_turn_are_coded_together() -> None:
    def lines() -> int:
        [request] = resource.held
        for _ in range(1000):
            request.write(LINE)
        request.finish()
        return NOT_DONE_YET

    resource = Answering(lines)
    response = only(opened(resource).data_to_send())
    assert decoded("gzip", response.body) == LINE * 1000
    assert len(response.body) < 1000


@pytest.mark.parametrize("size", [1, 17, 1000, 65_536, 300_000])
@pytest.mark.parametrize("coding", CODINGS)
def test_pieces_of_any_size_come_through(coding: str, size: int) -> None:
    body = (LINE * 10_000)[: max(size * 3, 2000)]

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    channel = opened(Answering(pieces), coding)
    data = b""
    while piece := channel.data_to_send():
        data += piece
    assert decoded(coding, only(data).body) == body


def test_async_iterator_is_coded() -> None:
    async def later() -> AsyncIterator[bytes]:
        for _ in range(100):
            await asyncio.sleep(0)
            yield LINE

    async def main() -> bytes:
        channel = opened(Answering(later))
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            await asyncio.sleep(0)
            data += channel.data_to_send()
        return data

    assert decoded("gzip", only(asyncio.run(main())).body) == LINE * 100


def test_pull_producer_whose_writes_an_encoder_keeps_is_asked_again() -> None:
    class Producer:
        left = 40

        def resumeProducing(self) -> None:
            if self.left:
                self.left -= 1
                request.write(LINE)
            else:
                request.unregisterProducer()
                request.finish()

        def stopProducing(self) -> None:
            raise AssertionError("the client is still there")

    resource = Answering(NOT_DONE_YET)
    channel = opened(resource)
    [request] = resource.held
    request.registerProducer(Producer(), False)
    data = b""
    while not data.endswith(b"0\r\n\r\n"):
        data += channel.data_to_send()
    assert decoded("gzip", only(data).body) == LINE * 40


def test_response_to_http_1_0_ends_with_the_connection() -> None:
    channel = Channel(
        Site(Answering(lambda: iter([LINE] * 100)), encoders=standardEncoders()).engineService()
    )
    channel.receive(get("/", "Accept-Encoding: gzip", version="1.0"))
    head, _, body = channel.data_to_send().partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert decoded("gzip", body) == LINE * 100
    assert channel.closed


def test_next_response_begins_where_a_coded_one_ends() -> None:
    """Of GET and HEAD, whole and streamed, small and in slices."""
    for result in (LINE * 100, lambda: iter([LINE] * 100), LINE * 20_000):
        resource = Answering(result)
        head = get("/", "Accept-Encoding: gzip", method="HEAD")
        channel = opened(resource, "gzip", head, get("/", "Accept-Encoding: gzip"))
        data = b""
        while piece := channel.data_to_send():
            data += piece
        first, second, third = parse_all(data, ["GET", "HEAD", "GET"])
        assert second.body == b""
        assert decoded("gzip", first.body) == decoded("gzip", third.body)


def test_client_that_leaves_in_the_middle_of_a_large_body_costs_nothing() -> None:
    resource = Answering(LINE * 100_000)
    channel = opened(resource)
    assert channel.data_to_send() != b""
    channel.disconnect()
    assert channel.closed
    assert resource.held[0].disconnected_early


def test_trailers_come_after_a_coded_body() -> None:
    def written() -> int:
        [request] = resource.held
        request.write(LINE)
        request.setTrailer("X-Sum", "1")
        request.finish()
        return NOT_DONE_YET

    resource = Answering(written)
    assert opened(resource).data_to_send().endswith(b"0\r\nX-Sum: 1\r\n\r\n")
