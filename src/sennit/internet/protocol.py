"""Protocols and the factories that make them, for servers of other kinds beside a `Site`."""

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from sennit.internet.error import ConnectionDone
from sennit.internet.interfaces import IProcessProtocol, IProtocol, IProtocolFactory
from sennit.python import log
from sennit.python.failure import Failure

connectionDone = Failure(ConnectionDone())


class BaseProtocol:
    """What protocols of all kinds have in common: `transport`, None until there is a connection."""

    connected = 0
    transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """Called by the event loop with the connection's ITransport; calls `connectionMade`."""
        self.connected = 1
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Override: the connection is there."""


@implementer(IProtocol)
class Protocol(BaseProtocol):
    """Reacts to the events of one connection; override the methods. `factory` is what made it."""

    factory: Any = None

    def dataReceived(self, data: bytes) -> None:
        """Override: bytes have come in, in pieces of any size."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Override: the connection is over; `reason` wraps ConnectionDone, ConnectionLost or
        ConnectionAborted.
        """


@implementer(IProtocolFactory)
class Factory:
    """Makes a protocol for each connection and holds what they share.

    `protocol` is a Protocol class, or any callable without arguments that makes one.
    """

    protocol: Callable[[], Any] | None = None
    numPorts = 0
    # Whether starting and stopping is logged.
    noisy = True

    @classmethod
    def forProtocol(cls, protocol: Callable[[], Any], *args: Any, **kwargs: Any) -> "Factory":
        """A factory for `protocol`; further arguments go to the factory's class."""
        factory = cls(*args, **kwargs)
        factory.protocol = protocol
        return factory

    def logPrefix(self) -> str:
        """The name it has in the log."""
        return type(self).__name__

    def doStart(self) -> None:
        """Called as each port begins to listen; `startFactory` is called for the first."""
        if self.numPorts == 0:
            if self.noisy:
                log.msg(f"Starting factory {self!r}")
            self.startFactory()
        self.numPorts += 1

    def doStop(self) -> None:
        """Called as each port ends; `stopFactory` is called for the last."""
        if self.numPorts == 0:
            return
        self.numPorts -= 1
        if self.numPorts == 0:
            if self.noisy:
                log.msg(f"Stopping factory {self!r}")
            self.stopFactory()

    def startFactory(self) -> None:
        """Override: somebody begins to listen."""

    def stopFactory(self) -> None:
        """Override: nobody listens any more."""

    def buildProtocol(self, addr: Any) -> Any:
        """A protocol for the connection from the IAddress `addr`; None refuses it."""
        if self.protocol is None:
            raise NotImplementedError(
                f"{type(self).__name__} has neither a protocol nor its own buildProtocol"
            )
        protocol = self.protocol()
        protocol.factory = self
        return protocol


class ServerFactory(Factory):
    """A factory for the side that listens."""


class ClientFactory(Factory):
    """A factory for the side that connects; override the methods."""

    def startedConnecting(self, connector: Any) -> None:
        """Override: an attempt to connect begins."""

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """Override: it has failed."""

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        """Override: the connection is over."""


@implementer(IProcessProtocol)
class ProcessProtocol(BaseProtocol):
    """Reacts to the events of a child process; override the methods. `transport` is its IProcessTransport."""

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Bytes from one of the child's descriptors: calls `outReceived` for 1 and `errReceived` for 2."""
        if childFD == 1:
            self.outReceived(data)
        elif childFD == 2:
            self.errReceived(data)

    def outReceived(self, data: bytes) -> None:
        """Override: bytes from its standard output."""

    def errReceived(self, data: bytes) -> None:
        """Override: bytes from its standard error."""

    def childConnectionLost(self, childFD: int) -> None:
        """A descriptor was closed: calls `inConnectionLost`, `outConnectionLost` or `errConnectionLost`."""
        if childFD == 0:
            self.inConnectionLost()
        elif childFD == 1:
            self.outConnectionLost()
        elif childFD == 2:
            self.errConnectionLost()

    def inConnectionLost(self) -> None:
        """Override: its standard input was closed."""

    def outConnectionLost(self) -> None:
        """Override: its standard output was closed."""

    def errConnectionLost(self) -> None:
        """Override: its standard error was closed."""

    def processExited(self, reason: Failure) -> None:
        """Override: it has ended; `reason` wraps ProcessDone or ProcessTerminated."""

    def processEnded(self, reason: Failure) -> None:
        """Override: it has ended, and all its descriptors are closed."""
