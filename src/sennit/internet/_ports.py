"""Listening ports: of factories that the engine serves (web sites), and of all others."""

from __future__ import annotations

import math
import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sennit.internet._addresses import fromSocketAddress
from sennit.internet._calls import startTask
from sennit.internet._engines import engineFor
from sennit.internet._handlers import Handlers
from sennit.internet._loops import stateOf
from sennit.internet._sockets import UNIXListener
from sennit.internet.address import IPv4Address, IPv6Address, UNIXAddress
from sennit.internet.defer import Deferred, succeed
from sennit.internet.interfaces import IListeningPort
from sennit.python import log
from sennit.python._later import asyncio

if TYPE_CHECKING:
    from sennit._engine import Engine
    from sennit.internet._transport import ProtocolAdapter

# Seconds a stopping port gives to the requests that run, if its factory has no `stopGrace`.
_DEFAULT_GRACE = 10.0
# Seconds for the protocols of connections that were reset to be told so.
_NOTICE = 1.0
# Seconds between two looks at whether the last connection is gone.
_LOOK_AGAIN = 0.01

# Connections accepted in a row before others get their turn.
_ACCEPTS_PER_TURN = 64
# Seconds without accepting after the system has refused to.
_PAUSE = 1.0

# Loops in several threads may listen for one factory, which is told of the first and the last of them.
_tellingFactories = threading.RLock()

# Gives a bound and listening socket, or such a one with a place in the file system.
Bind = Callable[[], socket.socket | UNIXListener]


@implementer(IListeningPort)
class ListeningPort(ABC):
    """A listening socket of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bind: Bind, factory: Any) -> None:
        self.factory = factory
        self.listening = False
        self._loop = loop
        self._bind = bind
        self._place: UNIXListener | None = None
        self._host: IPv4Address | IPv6Address | UNIXAddress | None = None

    def startListening(self) -> None:
        """Listen. Raises CannotListenError; does nothing if it listens already."""
        if self.listening:
            return
        bound = self._bind()
        if isinstance(bound, UNIXListener):
            self._place, bound = bound, bound.socket
        self._host = fromSocketAddress(bound.getsockname())
        try:
            with _tellingFactories:
                self.factory.doStart()
                self._serve(bound)
        except BaseException:
            bound.close()
            self._release()
            raise
        self.listening = True
        state = stateOf(self._loop)
        state.ports.add(self)
        state.closeWith(self._loop)
        if getattr(self.factory, "noisy", True):
            log.msg(f"{self._factoryName()} starting on {self._where()}", startingPort=self)

    def moveTo(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to `loop`, which has taken over the state of the one before."""
        self._loop = loop

    def getHost(self) -> IPv4Address | IPv6Address | UNIXAddress:
        """The address it listens on, with the port that was chosen if that was 0. RuntimeError before it
        listens.
        """
        if self._host is None:
            raise RuntimeError("this port doesn't listen yet")
        return self._host

    def stopListening(self) -> Deferred[None]:
        """Close the socket. Open connections go on. The Deferred has fired already."""
        if self._stopAccepting():
            self._tellOfStop()
            state = stateOf(self._loop)
            state.endedPorts = {port for port in state.endedPorts if port._hasConnections()} | {self}
        return succeed(None)

    # As Twisted's ports have it.
    loseConnection = stopListening

    async def drain(self, grace: float | None = None, idle: float = 0.0) -> None:
        """Stop listening, close idle connections, give running requests `grace` seconds, then cut the rest,
        and cancel the handlers that don't end with that.

        Default: the factory's `stopGrace` (whose None means any time), else 10 seconds. Connections are idle
        once they have waited `idle` seconds for a request: one that comes before is still answered, as the
        last."""
        if grace is None:
            grace = getattr(self.factory, "stopGrace", _DEFAULT_GRACE)
        stopped = self._stopAccepting()
        try:
            await self._endConnections(math.inf if grace is None else grace, idle)
        finally:
            self.abortConnections()
            # Their protocols are told in later turns of the loop, which may be about to end.
            await self._waitUntil(lambda: not self._hasConnections(), self._loop.time() + _NOTICE)
            await self._endHandlers()
            stateOf(self._loop).endedPorts.discard(self)
            # What requests have left to be written, if there is such a thing.
            settle = getattr(self.factory, "settleSessions", None)
            if settle is not None:
                await settle()
            if stopped:
                self._tellOfStop()

    def _tellOfStop(self) -> None:
        with _tellingFactories:
            self.factory.doStop()

    def _stopAccepting(self) -> bool:
        """Close the listening socket; False if that was done before."""
        if not self.listening:
            return False
        self.listening = False
        stateOf(self._loop).ports.discard(self)
        self._close()
        self._release()
        if getattr(self.factory, "noisy", True):
            log.msg(f"({self._factoryName()} on {self._where()} closed)")
        return True

    def _release(self) -> None:
        if self._place is not None:
            self._place.release()
            self._place = None

    def _factoryName(self) -> str:
        prefix = getattr(self.factory, "logPrefix", None)
        return str(prefix()) if prefix is not None else type(self.factory).__name__

    def _where(self) -> object:
        host = self._host
        if isinstance(host, IPv4Address | IPv6Address):
            return host.port
        return os.fsdecode(host.name or b"") if host is not None else None

    @abstractmethod
    def _serve(self, listening: socket.socket) -> None:
        """Begin to accept; takes the socket over."""

    @abstractmethod
    def _close(self) -> None:
        """Cease to accept, close the socket."""

    @abstractmethod
    def _hasConnections(self) -> bool:
        """Whether connections are left."""

    @abstractmethod
    async def _endConnections(self, grace: float, idle: float) -> None:
        """Close connections that have been idle for `idle` seconds and wait for the others, `grace` seconds
        at most."""

    @abstractmethod
    def abortConnections(self) -> None:
        """Reset all connections that are left."""

    @abstractmethod
    async def _endHandlers(self) -> None:
        """See to it that those end who still work for connections that are gone."""

    async def _waitUntil(self, isDone: Callable[[], bool], deadline: float) -> None:
        # The engine counts and doesn't call back: this runs once in a server's life, so looking costs
        # nothing.
        while not isDone() and self._loop.time() < deadline:
            await asyncio.sleep(0)
            if not isDone():
                await asyncio.sleep(_LOOK_AGAIN)

    def __repr__(self) -> str:
        state = f"on {self._where()}" if self.listening else "not listening"
        return f"<{type(self).__name__} of {self._factoryName()} {state}>"


class EnginePort(ListeningPort):
    """A port whose connections the engine serves: its factory's `engineService()` says how."""

    _engine: Engine | None = None
    _service: Any = None
    _listener = 0

    def _serve(self, listening: socket.socket) -> None:
        self._engine = engineFor(self._loop)
        self._service = self.factory.engineService()
        accepts = getattr(self.factory, "acceptsPerTurn", _ACCEPTS_PER_TURN)
        self._listener = self._engine.add_listener(listening.detach(), self._service, accepts)

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.remove_listener(self._listener)

    def _hasConnections(self) -> bool:
        # Another loop may serve the site, too; only this one's connections matter here.
        return (
            self._engine is not None
            and self._service is not None
            and self._service.connections > 0
            and self._engine.connections > 0
        )

    async def _endConnections(self, grace: float, idle: float) -> None:
        service, engine = self._service, self._engine
        if service is None or engine is None:
            return
        service.start_draining()
        handlers = Handlers(service, self._loop)

        def areGone() -> bool:
            # Each time: a connection becomes idle once the response that it was sending is out.
            engine.close_idle(service, idle)
            # An ASGI application may have something to do after its response.
            return not (self._hasConnections() or handlers)

        await self._waitUntil(areGone, self._loop.time() + grace)

    async def _endHandlers(self) -> None:
        if self._service is not None:
            await Handlers(self._service, self._loop).end()

    def abortConnections(self) -> None:
        if self._engine is not None and self._service is not None:
            self._engine.abort_connections(self._service)
            # A service that has drained never keeps a connection alive again; the next port gets a new one.
            if getattr(self.factory, "service", None) is self._service and not self.listening:
                self.factory.service = None


class ProtocolPort(ListeningPort):
    """A port of any factory with `buildProtocol`, served by the asyncio loop.

    It accepts by itself: asyncio's own servers lose a connection that comes in while they are closed, and can
    only be made inside of the running loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bind: Bind, factory: Any) -> None:
        super().__init__(loop, bind, factory)
        self._socket: socket.socket | None = None
        self._adapters: set[ProtocolAdapter] = set()

    def _serve(self, listening: socket.socket) -> None:
        self._socket = listening
        self._loop.add_reader(listening, self._accept)

    def _accept(self) -> None:
        from sennit.internet._transport import ProtocolAdapter

        for _ in range(_ACCEPTS_PER_TURN):
            if self._socket is None:
                return
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pauseAccepting(error)
                return
            connection.setblocking(False)
            adapter = ProtocolAdapter(self.factory.buildProtocol, self._adapters)
            startTask(self._connect(connection, adapter))

    def _pauseAccepting(self, error: OSError) -> None:
        """Out of descriptors or memory: that takes a while to get better, and the socket stays readable
        meanwhile.
        """
        log.err(error, f"{self._factoryName()} can't accept connections")
        self._loop.remove_reader(self._socket)  # type: ignore[arg-type]  # it has just been used
        self._loop.call_later(_PAUSE, self._resumeAccepting)

    def _resumeAccepting(self) -> None:
        if self._socket is not None:
            self._loop.add_reader(self._socket, self._accept)

    async def _connect(self, connection: socket.socket, adapter: ProtocolAdapter) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: adapter, connection)
        except OSError:
            # The client has gone before asyncio could set the connection up.
            self._adapters.discard(adapter)
            connection.close()

    def _close(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _hasConnections(self) -> bool:
        return bool(self._adapters)

    async def _endConnections(self, grace: float, idle: float) -> None:
        for adapter in list(self._adapters):
            adapter.end()
        await self._waitUntil(lambda: not self._adapters, self._loop.time() + grace)

    def abortConnections(self) -> None:
        for adapter in list(self._adapters):
            adapter.abort()

    async def _endHandlers(self) -> None:
        """Nothing: what a program's own protocols have begun is not known."""


def listen(loop: asyncio.AbstractEventLoop, bind: Bind, factory: Any) -> ListeningPort:
    """Bind and listen for a factory. Raises CannotListenError."""
    kind = EnginePort if hasattr(factory, "engineService") else ProtocolPort
    port = kind(loop, bind, factory)
    port.startListening()
    return port
