"""The interfaces of the event loop's objects, for `implementer`, `providedBy` and adaptation.

They are zope.interface interfaces: their methods have no `self`, and their docstrings are the specification.
"""

# zope.interface has no types, and its methods neither a `self` nor a body.
# mypy: disable-error-code="misc, no-untyped-def, empty-body, no-untyped-call"

from zope.interface import Attribute, Interface

__all__ = [
    "IAddress",
    "IConsumer",
    "IDelayedCall",
    "IHalfCloseableProtocol",
    "IListeningPort",
    "IProcessProtocol",
    "IProcessTransport",
    "IProducer",
    "IProtocol",
    "IProtocolFactory",
    "IProtocolNegotiationFactory",
    "IPullProducer",
    "IPushProducer",
    "IReactorCore",
    "IReactorFromThreads",
    "IReactorInThreads",
    "IReactorProcess",
    "IReactorSSL",
    "IReactorSocket",
    "IReactorTCP",
    "IReactorThreads",
    "IReactorTime",
    "IReactorUNIX",
    "ISSLTransport",
    "IStreamServerEndpoint",
    "ITCPTransport",
    "ITransport",
]


class IAddress(Interface):
    """A place that something can be connected to; equal by value and hashable."""


# the reactor


class IReactorCore(Interface):
    """Starting and stopping."""

    running = Attribute("Whether events are being served, a bool.")

    def run():
        """Serve events until stopped."""

    def stop():
        """Fire the shutdown events and make `run` return."""

    def crash():
        """Make `run` return at once, without shutdown events."""

    def iterate(delay=0):
        """Serve events for `delay` seconds."""

    def fireSystemEvent(eventType):
        """Call the triggers of an event."""

    def addSystemEventTrigger(phase, eventType, callable, *args, **kw):
        """Have `callable` called in the phase "before", "during" or "after" of an event; returns an id."""

    def removeSystemEventTrigger(triggerID):
        """Undo `addSystemEventTrigger`."""

    def callWhenRunning(callable, *args, **kw):
        """Call at startup, or at once if running."""


class IReactorTime(Interface):
    """Time, and calls at a later one."""

    def seconds():
        """The time in seconds, a float."""

    def callLater(delay, callable, *args, **kw):
        """Call after `delay` seconds; returns an IDelayedCall."""

    def getDelayedCalls():
        """All calls that are still to come, a list."""


class IDelayedCall(Interface):
    """A call that is to come. Its methods raise AlreadyCalled or AlreadyCancelled once it is over."""

    def getTime():
        """When it will be called, on the clock of `IReactorTime.seconds`."""

    def cancel():
        """Don't call it."""

    def delay(secondsLater):
        """Call it `secondsLater` later than planned."""

    def reset(secondsFromNow):
        """Call it `secondsFromNow` from now instead."""

    def active():
        """Whether it is still to come."""


class IReactorFromThreads(Interface):
    """What other threads may call."""

    def callFromThread(callable, *args, **kw):
        """Have the reactor's thread call it."""


class IReactorInThreads(Interface):
    """Calls made in other threads."""

    def callInThread(callable, *args, **kwargs):
        """Call in a thread of the pool."""


class IReactorThreads(IReactorFromThreads, IReactorInThreads):
    """The pool of threads."""

    def getThreadPool():
        """The reactor's ThreadPool."""

    def suggestThreadPoolSize(size):
        """Set how many threads the pool may have at most."""


class IReactorTCP(Interface):
    """TCP."""

    def listenTCP(port, factory, backlog=1024, interface=""):
        """Listen; returns an IListeningPort or raises CannotListenError."""


class IReactorSSL(Interface):
    """TLS over TCP."""

    def listenSSL(port, factory, contextFactory, backlog=1024, interface=""):
        """Listen; returns an IListeningPort or raises CannotListenError."""


class IReactorUNIX(Interface):
    """UNIX sockets."""

    def listenUNIX(address, factory, backlog=1024, mode=0o666, wantPID=0):
        """Listen; returns an IListeningPort or raises CannotListenError."""


class IReactorSocket(Interface):
    """Sockets that somebody else made."""

    def adoptStreamPort(fileDescriptor, addressFamily, factory):
        """Serve a duplicate of a bound and listening socket; returns an IListeningPort."""


class IReactorProcess(Interface):
    """Child processes."""

    def spawnProcess(
        processProtocol, executable, args=(), env=None, path=None, uid=None, gid=None, usePTY=0, childFDs=None
    ):
        """Start a program; returns an IProcessTransport."""


# ports, endpoints, protocols


class IListeningPort(Interface):
    """A listening socket."""

    def startListening():
        """Listen; raises CannotListenError."""

    def stopListening():
        """Close it; returns a Deferred that fires when that is done. Open connections go on."""

    def getHost():
        """The IAddress it listens on."""


class IStreamServerEndpoint(Interface):
    """A place that can be listened on."""

    def listen(protocolFactory):
        """Listen; returns a Deferred of an IListeningPort."""


class IProtocolFactory(Interface):
    """Makes a protocol for each connection."""

    def buildProtocol(addr):
        """An IProtocol for the connection from `addr`, or None to refuse it."""

    def doStart():
        """Called for each port or connector that begins to use the factory."""

    def doStop():
        """Called for each port or connector that ceases to use the factory."""


class IProtocolNegotiationFactory(Interface):
    """A factory that takes part in choosing the protocol of a TLS connection."""

    def acceptableProtocols():
        """The names of protocols in order of preference, a list of bytes."""


class IProtocol(Interface):
    """Reacts to the events of one connection."""

    def dataReceived(data):
        """Bytes have come in."""

    def connectionLost(reason):
        """The connection is over; `reason` is a Failure."""

    def makeConnection(transport):
        """The connection is there."""

    def connectionMade():
        """Called by `makeConnection`."""


class IHalfCloseableProtocol(Interface):
    """A protocol that can go on writing when the peer has ended its side."""

    def readConnectionLost():
        """The peer won't send any more."""

    def writeConnectionLost():
        """Nothing more can be sent."""


class IProcessProtocol(Interface):
    """Reacts to the events of a child process."""

    def makeConnection(process):
        """The process has been started."""

    def childDataReceived(childFD, data):
        """Bytes have come from one of its descriptors."""

    def childConnectionLost(childFD):
        """One of its descriptors is closed."""

    def processExited(reason):
        """The process has ended."""

    def processEnded(reason):
        """The process has ended and all its descriptors are closed."""


class ITransport(Interface):
    """The way out of a connection."""

    def write(data):
        """Send bytes, without waiting."""

    def writeSequence(data):
        """Send an iterable of bytes."""

    def loseConnection():
        """Close when all that was written has been sent."""

    def getPeer():
        """The IAddress of the other side."""

    def getHost():
        """The IAddress of this side."""


class ITCPTransport(ITransport):
    """A TCP connection."""

    def loseWriteConnection():
        """End this side's half when all that was written has been sent."""

    def abortConnection():
        """Reset the connection at once."""

    def getTcpNoDelay():
        """Whether TCP_NODELAY is set."""

    def setTcpNoDelay(enabled):
        """Set TCP_NODELAY."""

    def getTcpKeepAlive():
        """Whether SO_KEEPALIVE is set."""

    def setTcpKeepAlive(enabled):
        """Set SO_KEEPALIVE."""


class ISSLTransport(ITCPTransport):
    """A TLS connection."""

    def getPeerCertificate():
        """The peer's certificate, or None."""


class IProcessTransport(ITransport):
    """The way to a child process."""

    pid = Attribute("The process's id, None once it has ended.")

    def closeStdin():
        """Close its standard input."""

    def signalProcess(signalID):
        """Send it a signal by number or name."""


class IConsumer(Interface):
    """Takes data from a producer."""

    def registerProducer(producer, streaming):
        """Take data from `producer`: an IPushProducer if `streaming`, else an IPullProducer."""

    def unregisterProducer():
        """The producer is done."""

    def write(data):
        """Take bytes."""


class IProducer(Interface):
    """Makes data for a consumer."""

    def stopProducing():
        """The consumer is gone; make no more."""


class IPushProducer(IProducer):
    """Makes data on its own until told to pause."""

    def pauseProducing():
        """Make no more until `resumeProducing`."""

    def resumeProducing():
        """Go on."""


class IPullProducer(IProducer):
    """Makes data when asked."""

    def resumeProducing():
        """Write once."""
