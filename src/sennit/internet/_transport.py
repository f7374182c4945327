"""Connections of factories that aren't web sites: Twisted's transport and protocol interfaces over
asyncio's.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from sennit.internet._addresses import fromSocketAddress
from sennit.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from sennit.internet.interfaces import IConsumer, IHalfCloseableProtocol, ITCPTransport
from sennit.python import log
from sennit.python.failure import Failure

_NO_LINGERING = struct.pack("ii", 1, 0)


@implementer(ITCPTransport, IConsumer)
class StreamTransport:
    """What a protocol writes to. Writing after the connection is lost does nothing."""

    # Whether loseConnection was called.
    disconnecting = False
    connected = True

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._producer: Any = None
        self._streaming = False
        self._blocked = False
        self._aborted = False
        self._pullScheduled = False

    def write(self, data: bytes | str) -> None:
        """Send `data` (str as UTF-8), without waiting."""
        if isinstance(data, str):
            data = data.encode("utf-8")
        if self.connected and data:
            self._transport.write(data)

    def writeSequence(self, data: Iterable[bytes | str]) -> None:
        """Send the pieces of `data`."""
        self.write(b"".join(piece.encode("utf-8") if isinstance(piece, str) else piece for piece in data))

    def loseConnection(self, reason: object = None) -> None:
        """Close when all that was written has been sent; with a producer, when that is done, too."""
        self.disconnecting = True
        if self._producer is None:
            self._transport.close()

    def loseWriteConnection(self) -> None:
        """End this side's half when all that was written has been sent."""
        if self.connected and self._transport.can_write_eof():
            self._transport.write_eof()

    def abortConnection(self) -> None:
        """Reset the connection at once."""
        if not self.connected:
            return
        self._aborted = True
        # Without lingering, closing sends a reset (socket(7)); asyncio's abort alone looks like an orderly
        # end.
        self.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        self._transport.abort()

    def getPeer(self) -> Any:
        """The IAddress of the other side."""
        return fromSocketAddress(self._transport.get_extra_info("peername"))

    def getHost(self) -> Any:
        """The IAddress of this side."""
        return fromSocketAddress(self._transport.get_extra_info("sockname"))

    def getHandle(self) -> Any:
        """The socket."""
        return self._transport.get_extra_info("socket")

    def getTcpNoDelay(self) -> bool:
        """Whether TCP_NODELAY is set: small writes are sent at once."""
        return bool(self.getHandle().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Set TCP_NODELAY."""
        self.getHandle().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(enabled))

    def getTcpKeepAlive(self) -> bool:
        """Whether SO_KEEPALIVE is set: the system finds out about dead peers."""
        return bool(self.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Set SO_KEEPALIVE."""
        self.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(enabled))

    def pauseProducing(self) -> None:
        """Receive nothing for a while."""
        if self.connected:
            self._transport.pause_reading()

    def resumeProducing(self) -> None:
        """Receive again."""
        if self.connected and not self.disconnecting:
            self._transport.resume_reading()

    def stopProducing(self) -> None:
        """Close the connection."""
        self.loseConnection()

    # the producer whose data goes out here

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take data from `producer`. RuntimeError if there is one already."""
        if self._producer is not None:
            raise RuntimeError(
                f"{producer!r} can't be registered: {self._producer!r} is and hasn't been unregistered"
            )
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._streaming = streaming
        if not streaming:
            # Told of every write that doesn't go out whole, so as to ask for more only when all has.
            self._transport.set_write_buffer_limits(high=0)
            self._schedulePull()
        elif self._blocked:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """The producer is done."""
        if self._producer is not None and not self._streaming:
            self._transport.set_write_buffer_limits()
        self._producer = None
        if self.disconnecting and self.connected:
            self._transport.close()

    def blocked(self) -> None:
        """For the adapter: the buffer is full."""
        self._blocked = True
        if self._producer is not None and self._streaming:
            self._producer.pauseProducing()

    def unblocked(self) -> None:
        """For the adapter: the buffer has drained."""
        self._blocked = False
        if self._producer is None:
            return
        if self._streaming:
            self._producer.resumeProducing()
        else:
            self._schedulePull()

    def _schedulePull(self) -> None:
        if not self._pullScheduled:
            self._pullScheduled = True
            asyncio.get_running_loop().call_soon(self._pull)

    def _pull(self) -> None:
        self._pullScheduled = False
        if self._producer is None or self._blocked:
            return
        self._producer.resumeProducing()
        if self._producer is not None and not self._blocked:
            self._schedulePull()

    def lost(self) -> None:
        """For the adapter: the connection is over."""
        self.connected = False
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()


class ProtocolAdapter(asyncio.Protocol):
    """An asyncio protocol that makes a Twisted-style protocol and drives it. `open` are the port's
    adapters.
    """

    transport: StreamTransport

    def __init__(self, buildProtocol: Callable[[Any], Any], open: "set[ProtocolAdapter]") -> None:
        self._buildProtocol = buildProtocol
        self._open = open
        self._connected = False
        self._ended = False
        self._protocol: Any = None
        # From now on, though it is connected only in a later turn: a port that stops must know of it.
        open.add(self)

    def end(self) -> None:
        """Close the connection when what was written has been sent."""
        self._ended = True
        if self._connected:
            self.transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection."""
        self._ended = True
        if self._connected:
            self.transport.abortConnection()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = StreamTransport(transport)  # type: ignore[arg-type]  # those of sockets are
        self._connected = True
        try:
            if not self._ended:
                self._protocol = self._buildProtocol(self.transport.getPeer())
            if self._protocol is None:
                self.transport.abortConnection()
            else:
                self._protocol.makeConnection(self.transport)
        except Exception:
            log.err()
            self.transport.abortConnection()

    def data_received(self, data: bytes) -> None:
        if self._protocol is not None and not self.transport.disconnecting:
            self._guarded(self._protocol.dataReceived, data)

    def eof_received(self) -> bool:
        if IHalfCloseableProtocol.providedBy(self._protocol):
            self._guarded(self._protocol.readConnectionLost)
            return True
        return False

    def pause_writing(self) -> None:
        self._guarded(self.transport.blocked)

    def resume_writing(self) -> None:
        self._guarded(self.transport.unblocked)

    def _guarded(self, function: Callable[..., object], *args: object) -> None:
        """A protocol's mistake is logged and costs its connection."""
        try:
            function(*args)
        except Exception:
            log.err()
            self.transport.abortConnection()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        self._guarded(self.transport.lost)
        if self._protocol is None:
            return
        reason: Exception
        if self.transport._aborted:
            reason = ConnectionAborted()
        elif exc is not None:
            reason = ConnectionLost(exc)
        else:
            reason = ConnectionDone()
        try:
            self._protocol.connectionLost(Failure(reason))
        except Exception:
            log.err()
