"""Programs that say by channel classes which requests they want."""

from typing import Any

import pytest

from sennit.internet.protocol import Protocol
from sennit.web.http import HTTPChannel, HTTPFactory, Request
from sennit.web.resource import Resource
from sennit.web.server import Request as SiteRequest
from sennit.web.server import Site
from sennit.web.testing import TestClient
from tests.unit.web.doubles import Calls


class Shout(Request):
    def process(self) -> None:
        self.write(self.path.upper())
        self.finish()


class ShoutChannel(HTTPChannel):
    requestFactory = Shout


def test_factory_uses_the_requests_of_its_channel_class() -> None:
    class Factory(HTTPFactory):
        protocol = ShoutChannel

    with TestClient(Factory()) as client:
        assert client.get("/hello").text == "/HELLO"


def test_factory_uses_the_channel_that_its_method_makes() -> None:
    class Factory(HTTPFactory):
        def buildProtocol(self, addr: Any) -> Any:
            assert addr.host
            return ShoutChannel()

    with TestClient(Factory()) as client:
        assert client.get("/hello").text == "/HELLO"


def test_site_gives_its_channels_what_they_need() -> None:
    class Own(SiteRequest):
        pass

    class Patient(Site):
        def buildProtocol(self, addr: Any) -> Any:
            channel = super().buildProtocol(addr)
            assert (channel.site, channel.factory, channel.requestFactory) == (self, self, Own)
            channel.timeOut = 7.0
            return channel

    site = Patient(Calls(lambda request: type(request).__name__), requestFactory=Own)
    with TestClient(site) as client:
        assert client.get("/").text == "Own"
    assert site.timeOut == 7.0


def test_channel_without_requests_of_its_own_has_the_factorys() -> None:
    channel = Site(Resource(), timeout=5).buildProtocol(None)
    assert type(channel) is HTTPChannel
    assert (channel.requestFactory, channel.timeOut) == (SiteRequest, 5)


def test_protocol_that_is_no_channel_is_refused() -> None:
    class Factory(HTTPFactory):
        def buildProtocol(self, addr: Any) -> Any:
            return Protocol()

    with pytest.raises(TypeError, match="HTTPChannel"):
        Factory().engineService()
