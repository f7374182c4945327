"""Listening with plain protocols: ports, transports, UNIX sockets."""

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sennit.internet import error, interfaces, reactor
from sennit.internet.address import IPv4Address, IPv6Address, UNIXAddress
from sennit.internet.protocol import Factory, Protocol, ServerFactory
from sennit.python.failure import Failure


class Echo(Protocol):
    """Sends back what it gets; "bye" ends the connection."""

    def connectionMade(self) -> None:
        self.factory.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        if data == b"bye":
            self.transport.loseConnection()
        elif data == b"abort":
            self.transport.abortConnection()
        elif data == b"raise":
            raise KeyError("in dataReceived")
        else:
            self.transport.write(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.factory.lost.append(type(reason.value))


class Echoes(Factory):
    protocol = Echo
    noisy = False

    def __init__(self) -> None:
        self.made: list[Echo] = []
        self.lost: list[type] = []
        self.events: list[str] = []

    def startFactory(self) -> None:
        self.events.append("start")

    def stopFactory(self) -> None:
        self.events.append("stop")


def run(main: Callable[[Echoes, Any], Awaitable[None]], loops: list[Callable[[], Any]] | None = None) -> None:
    """Run `main(factory, port)` with a listening port, under asyncio and under uvloop."""
    import uvloop

    async def listen() -> None:
        factory = Echoes()
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        try:
            await main(factory, port)
        finally:
            await port.drain(0)

    for newLoop in loops or [asyncio.new_event_loop, uvloop.new_event_loop]:
        with asyncio.Runner(loop_factory=newLoop) as runner:
            runner.run(listen())


async def connect(port: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port.getHost().port)


async def end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def test_port_serves_protocols() -> None:
    async def main(factory: Echoes, port: Any) -> None:
        reader, writer = await connect(port)
        writer.write(b"hello")
        assert await reader.read(5) == b"hello"
        transport = factory.made[0].transport
        verifyObject(interfaces.ITCPTransport, transport)
        verifyObject(interfaces.IConsumer, transport)
        assert transport.getHost() == port.getHost()
        assert transport.getPeer() == IPv4Address("TCP", *writer.get_extra_info("sockname"))
        transport.setTcpNoDelay(False)
        transport.setTcpKeepAlive(True)
        assert (transport.getTcpNoDelay(), transport.getTcpKeepAlive()) == (False, True)
        await end(writer)
        await until(lambda: factory.lost)
        assert factory.lost == [error.ConnectionDone]

    run(main)


def test_transport_closes_after_what_was_written_and_aborts_at_once() -> None:
    async def main(factory: Echoes, port: Any) -> None:
        reader, writer = await connect(port)
        writer.write(b"bye")
        assert await reader.read() == b""
        await end(writer)
        reader, writer = await connect(port)
        writer.write(b"abort")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await end(writer)
        assert factory.lost == [error.ConnectionDone, error.ConnectionAborted]

    run(main)


def test_mistake_of_protocol_is_logged_and_costs_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def main(factory: Echoes, port: Any) -> None:
        reader, writer = await connect(port)
        writer.write(b"raise")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await end(writer)
        reader, writer = await connect(port)
        writer.write(b"alive")
        assert await reader.read(5) == b"alive"
        await end(writer)

    run(main, [asyncio.new_event_loop])
    assert "in dataReceived" in caplog.text


def test_factory_may_refuse_a_connection() -> None:
    async def main(factory: Echoes, port: Any) -> None:
        factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        reader, writer = await connect(port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        await end(writer)

    run(main)


def test_push_producer_is_paused_and_resumed() -> None:
    async def main(factory: Echoes, port: Any) -> None:
        reader, writer = await connect(port)
        await until(lambda: factory.made)
        transport = factory.made[0].transport
        calls: list[str] = []

        class Producer:
            def pauseProducing(self) -> None:
                calls.append("pause")

            def resumeProducing(self) -> None:
                calls.append("resume")

            def stopProducing(self) -> None:
                calls.append("stop")

        transport.registerProducer(Producer(), True)
        with pytest.raises(RuntimeError, match="hasn't been unregistered"):
            transport.registerProducer(Producer(), True)
        transport.write(b"x" * 30_000_000)
        assert calls == ["pause"]
        transport.loseConnection()
        received = 0
        while received < 30_000_000:
            received += len(await reader.read(1 << 20))
        await until(lambda: len(calls) == 2)
        assert not factory.lost
        transport.unregisterProducer()
        assert await reader.read() == b""
        assert calls == ["pause", "resume"]
        await end(writer)

    run(main)


def test_pull_producer_is_asked_as_the_buffer_drains_and_stopped_with_the_connection() -> None:
    async def main(factory: Echoes, port: Any) -> None:
        reader, writer = await connect(port)
        await until(lambda: factory.made)
        transport = factory.made[0].transport

        class Producer:
            pieces = 0
            stopped = False

            def resumeProducing(self) -> None:
                self.pieces += 1
                transport.write(b"%04d" % self.pieces + b"x" * 199_996)
                if self.pieces == 20:
                    transport.unregisterProducer()

            def stopProducing(self) -> None:
                self.stopped = True

        producer = Producer()
        transport.registerProducer(producer, False)
        data = await reader.readexactly(20 * 200_000)
        assert [int(data[at : at + 4]) for at in range(0, len(data), 200_000)] == list(range(1, 21))
        endless = Producer()
        endless.pieces = 100
        transport.registerProducer(endless, False)
        await reader.readexactly(200_000)
        await end(writer)
        await until(lambda: endless.stopped)
        transport.write(b"nobody is there")

    run(main)


def test_half_closeable_protocol_may_answer_after_the_end_of_input() -> None:
    @implementer(interfaces.IHalfCloseableProtocol)
    class Late(Echo):
        def readConnectionLost(self) -> None:
            self.transport.writeSequence([b"still ", "here"])
            self.transport.loseWriteConnection()

        def writeConnectionLost(self) -> None:
            pass

    async def main(factory: Echoes, port: Any) -> None:
        factory.protocol = Late
        reader, writer = await connect(port)
        writer.write_eof()
        assert await reader.read() == b"still here"
        await end(writer)
        factory.made[0].transport.abortConnection()

    run(main)


def test_factory_is_started_with_its_first_port_and_stopped_with_its_last() -> None:
    async def main() -> None:
        factory = Echoes()
        ports = [reactor.listenTCP(0, factory, interface="127.0.0.1") for _ in range(2)]
        verifyObject(interfaces.IListeningPort, ports[0])
        assert factory.events == ["start"]
        await ports[0].stopListening()
        await ports[0].stopListening()
        assert factory.events == ["start"]
        await ports[1].stopListening()
        assert factory.events == ["start", "stop"]
        ports[1].startListening()
        _, writer = await connect(ports[1])
        await ports[1].drain()
        await end(writer)
        assert factory.events == ["start", "stop"] * 2

    asyncio.run(main())


def test_stopping_leaves_connections_open_and_refuses_new_ones() -> None:
    async def main(factory: Echoes, port: Any) -> None:
        reader, writer = await connect(port)
        await until(lambda: factory.made)
        await port.stopListening()
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionRefusedError):
            await connect(port)
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        await end(writer)

    run(main)


def test_taken_port_is_a_CannotListenError_in_one_line() -> None:
    async def main(factory: Echoes, port: Any) -> None:
        number = port.getHost().port
        with pytest.raises(error.CannotListenError) as caught:
            reactor.listenTCP(number, Echoes(), interface="127.0.0.1")
        assert str(caught.value) == f"Couldn't listen on 127.0.0.1:{number}: Address already in use."

    run(main)


def test_impossible_interface_and_port_are_CannotListenErrors() -> None:
    async def main() -> None:
        for port, interface in ((70_000, "127.0.0.1"), (0, "192.0.2.1"), (0, "no such name.invalid")):
            with pytest.raises(error.CannotListenError, match=str(port)):
                reactor.listenTCP(port, Echoes(), interface=interface)

    asyncio.run(main())


def test_interface_with_a_colon_is_IPv6() -> None:
    async def main() -> None:
        port = reactor.listenTCP(0, Echoes(), interface="::1")
        host = port.getHost()
        assert isinstance(host, IPv6Address)
        assert host.host == "::1"
        await port.stopListening()

    asyncio.run(main())


def test_listening_is_logged_with_factory_and_port(caplog: pytest.LogCaptureFixture) -> None:
    class Noisy(Echoes):
        noisy = True

    async def main() -> int:
        port = reactor.listenTCP(0, Noisy(), interface="127.0.0.1")
        await port.stopListening()
        return port.getHost().port

    caplog.set_level("INFO", "sennit")
    number = asyncio.run(main())
    assert f"Noisy starting on {number}" in caplog.text


def test_factory_that_fails_to_start_leaves_no_socket() -> None:
    class Failing(Factory):
        noisy = False

        def startFactory(self) -> None:
            raise KeyError("not today")

    async def main() -> None:
        with pytest.raises(KeyError):
            reactor.listenTCP(0, Failing(), interface="127.0.0.1")

    asyncio.run(main())


def test_ports_are_closed_with_somebody_elses_loop() -> None:
    async def main() -> Any:
        port = reactor.listenTCP(0, Echoes(), interface="127.0.0.1")
        await asyncio.sleep(0)
        return port

    port = asyncio.run(main())
    assert not port.listening
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port.getHost().port))


def test_port_bound_before_run_serves_and_shutdown_closes_connections(reactor: Any) -> None:
    factory = Echoes()
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    client = socket.create_connection(("127.0.0.1", port.getHost().port))
    with client:
        client.sendall(b"hello")
        reactor.callLater(0.05, reactor.stop)
        reactor.run()
        assert client.recv(100) == b"hello"
        assert client.recv(100) == b""
    assert factory.events == ["start", "stop"]


def test_port_stopped_before_run_never_serves(reactor: Any) -> None:
    port = reactor.listenTCP(0, Echoes(), interface="127.0.0.1")
    port.stopListening()
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port.getHost().port))


def test_connections_of_a_stopped_port_end_with_the_reactor(reactor: Any) -> None:
    factory = Echoes()
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
        reactor.callLater(0.02, port.stopListening)
        reactor.callLater(0.03, reactor.stop)
        reactor.run()
        assert client.recv(100) == b""
    assert factory.lost == [error.ConnectionDone]


def test_Factory_without_protocol_says_so() -> None:
    with pytest.raises(NotImplementedError, match="buildProtocol"):
        ServerFactory().buildProtocol(None)
    assert ServerFactory.forProtocol(Protocol).buildProtocol(None).factory is not None


# UNIX sockets


async def speak(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"hello")
    assert await reader.read(5) == b"hello"
    await end(writer)


def test_listenUNIX_serves_with_mode_and_removes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        factory = Echoes()
        port = reactor.listenUNIX(str(path), factory, mode=0o600, wantPID=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (tmp_path / "socket.lock").read_text() == str(os.getpid())
        await speak(path)
        assert port.getHost() == UNIXAddress(str(path))
        assert factory.made[0].transport.getPeer() == UNIXAddress(None)
        await port.drain()

    import uvloop

    for newLoop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=newLoop) as runner:
            runner.run(main())
        assert list(tmp_path.iterdir()) == []


def test_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        port = reactor.listenUNIX(str(path), Echoes())
        await speak(path)
        with pytest.raises(error.CannotListenError, match="in use"):
            reactor.listenUNIX(str(path), Echoes())
        await speak(path)
        await port.drain()

    asyncio.run(main())


def test_other_files_are_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")

    async def main() -> None:
        with pytest.raises(error.CannotListenError):
            reactor.listenUNIX(str(path), Echoes())

    asyncio.run(main())
    assert path.read_text() == "precious"


def test_lock_keeps_others_away_and_is_released(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        port = reactor.listenUNIX(str(path), Echoes(), wantPID=True)
        with pytest.raises(error.CannotListenError, match=r"another process holds .*socket\.lock"):
            reactor.listenUNIX(str(path), Echoes(), wantPID=True)
        await port.stopListening()
        await reactor.listenUNIX(str(path), Echoes(), wantPID=True).stopListening()

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


def test_file_of_another_server_is_left_alone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        port = reactor.listenUNIX(str(path), Echoes())
        path.unlink()
        path.write_text("somebody else's")
        await port.stopListening()

    asyncio.run(main())
    assert path.exists()


def test_abstract_socket_has_no_file() -> None:
    name = f"\0sennit-test-{os.getpid()}"

    async def main() -> None:
        port = reactor.listenUNIX(name, Echoes(), wantPID=True)
        reader, writer = await asyncio.open_unix_connection(name)
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        await end(writer)
        await port.drain()

    asyncio.run(main())


def test_too_long_path_is_a_CannotListenError() -> None:
    async def main() -> None:
        with pytest.raises(error.CannotListenError, match="too long"):
            reactor.listenUNIX("/x" * 100, Echoes())

    asyncio.run(main())
