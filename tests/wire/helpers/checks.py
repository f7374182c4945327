"""What many tests assert."""

from .client import Wire
from .http1 import Response, parse_all
from .refusals import Refusal
from .server import LiveSite


def assert_refused(site: LiveSite, refusal: Refusal, mode: str) -> Response:
    """Send a refusal; it must be answered once, with its code, and closed; nothing may reach the program."""
    with Wire(site.port) as wire:
        wire.send_as(mode, refusal.data)
        received = wire.read_to_end()
    assert not wire.was_reset or received, "closed with a reset before the answer could be read"
    (response,) = parse_all(received, ["GET"])
    assert response.code in refusal.codes, response
    assert response.value("connection") == b"close"
    assert site.take_events() == []
    return response


def assert_alive(site: LiveSite) -> None:
    """The server still serves."""
    with Wire(site.port) as wire:
        wire.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.response().body == b"hello"
