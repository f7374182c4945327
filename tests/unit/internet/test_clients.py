"""Connections that the reactor makes."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from sennit.internet import error, reactor
from sennit.internet.protocol import ClientFactory, Factory, Protocol
from sennit.python.failure import Failure


class Echo(Protocol):
    """Sends back what comes, and closes."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.loseConnection()


class Asking(Protocol):
    """Sends a word and keeps what comes back."""

    factory: "AskingFactory"

    def connectionMade(self) -> None:
        self.transport.write(b"word")

    def dataReceived(self, data: bytes) -> None:
        self.factory.notes.append(data)


class AskingFactory(ClientFactory):
    """Notes what happens."""

    protocol = Asking
    noisy = False

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.over = asyncio.get_running_loop().create_future()

    def startedConnecting(self, connector: Any) -> None:
        self.notes.append(("started", connector.state))

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.notes.append(("failed", type(reason.value)))
        self.over.set_result(None)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.notes.append(("lost", type(reason.value)))
        self.over.set_result(None)

    def stopFactory(self) -> None:
        self.notes.append("stopped")


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 10))


SERVED = [("started", "connecting"), b"word", ("lost", error.ConnectionDone), "stopped"]


def echoes() -> Factory:
    factory = Factory.forProtocol(Echo)
    factory.noisy = False
    return factory


def test_connect_tcp_drives_a_protocol_and_tells_of_its_end() -> None:
    async def test() -> None:
        port = reactor.listenTCP(0, echoes(), interface="127.0.0.1")
        number = port.getHost().port  # type: ignore[union-attr]
        factory = AskingFactory()
        connector = reactor.connectTCP("127.0.0.1", number, factory)
        assert connector.getDestination().port == number
        await factory.over
        assert factory.notes == SERVED
        assert connector.state == "disconnected"
        await port.stopListening()

    run(test)


def test_connect_unix_does_the_same(tmp_path: Path) -> None:
    async def test() -> None:
        path = str(tmp_path / "s")
        port = reactor.listenUNIX(path, echoes())
        factory = AskingFactory()
        reactor.connectUNIX(path, factory)
        await factory.over
        assert factory.notes == SERVED
        await port.stopListening()

    run(test)


def test_failure_to_connect_is_told() -> None:
    async def test() -> None:
        port = reactor.listenTCP(0, echoes(), interface="127.0.0.1")
        number = port.getHost().port  # type: ignore[union-attr]
        await port.stopListening()
        factory = AskingFactory()
        reactor.connectTCP("127.0.0.1", number, factory)
        await factory.over
        assert factory.notes == [("started", "connecting"), ("failed", error.ConnectError), "stopped"]

    run(test)


def test_attempt_can_be_given_up() -> None:
    async def test() -> None:
        factory = AskingFactory()
        connector = reactor.connectTCP("127.0.0.1", 9, factory)
        with pytest.raises(RuntimeError):
            connector.connect()
        connector.disconnect()
        with pytest.raises(error.NotConnectingError):
            connector.stopConnecting()
        await factory.over
        assert factory.notes[1] == ("failed", error.UserError)

    run(test)
