"""Twisted's way to ask another server: a protocol for one request, whose methods a program overrides."""

from typing import TYPE_CHECKING, Any

from sennit.internet.protocol import ClientFactory, Protocol, connectionDone
from sennit.web._responses import BrokenResponse, ResponseReader
from sennit.web.error import Error

if TYPE_CHECKING:
    from sennit.internet._connector import Connector
    from sennit.python.failure import Failure

# Header lines that this connection's two ends say to each other only (RFC 9110 section 7.6.1).
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Of these a response has one.
_SINGLE = (b"server", b"date", b"content-type")


class HTTPClient(Protocol):
    """Sends one request in HTTP/1.0 and calls a method for each part of the response; override those.

    After a response that breaks the rules, or ends early, `handleResponseEnd` is not called: the connection
    is closed, and `connectionLost` tells.
    """

    # The method of the request that was sent: the answer to a HEAD has no body.
    _method = b"GET"
    _reader: ResponseReader | None = None
    _headTold = False
    _ended = False

    def sendCommand(self, command: bytes, path: bytes) -> None:
        """Send the request line."""
        self._method = command
        self.transport.write(b"%b %b HTTP/1.0\r\n" % (command, path))

    def sendHeader(self, name: bytes, value: Any) -> None:
        """Send a header line; ValueError if it would be more than one."""
        line = b"%b: %b" % (name, value if isinstance(value, bytes) else str(value).encode("utf-8"))
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise ValueError(f"a header line can't have a line end in it: {line!r}")
        self.transport.write(line + b"\r\n")

    def endHeaders(self) -> None:
        """Send the empty line after the headers."""
        self.transport.write(b"\r\n")

    def dataReceived(self, data: bytes) -> None:
        """Read the response."""
        if self._ended:
            return
        if self._reader is None:
            self._reader = ResponseReader(self._method)
        try:
            self._reader.receive(data)
        except BrokenResponse:
            self.transport.abortConnection()
            return
        self._tell(self._reader)

    def connectionLost(self, reason: "Failure" = connectionDone) -> None:
        """The end of the connection ends a response that has no length."""
        if self._ended or self._reader is None:
            return
        try:
            self._reader.receiveEnd()
        except BrokenResponse:
            return
        self._tell(self._reader)

    def _tell(self, reader: ResponseReader) -> None:
        head = reader.head
        if head is None:
            return
        if not self._headTold:
            self._headTold = True
            self.handleStatus(head.version, b"%d" % head.code, head.reason)
            for name, values in head.headers.getAllRawHeaders():
                for value in values:
                    self.handleHeader(name, value)
            self.handleEndHeaders()
        piece = reader.takeBody()
        if piece:
            self.handleResponsePart(piece)
        if reader.complete and not self._ended:
            self._ended = True
            self.handleResponseEnd()

    def handleStatus(self, version: bytes, status: bytes, message: bytes) -> None:
        """Override: the status line, `status` in digits."""

    def handleHeader(self, key: bytes, val: bytes) -> None:
        """Override: a header line."""

    def handleEndHeaders(self) -> None:
        """Override: all headers are there."""

    def handleResponsePart(self, data: bytes) -> None:
        """Override: a part of the body."""

    def handleResponseEnd(self) -> None:
        """Override: the response is complete."""


class ProxyClient(HTTPClient):
    """Passes one request on, and its response back to `father`, the client's request.

    `command` (bytes) is the method, `rest` the target, `headers` a dict of bytes to bytes, which is changed,
    and `data` the body. A program overrides the `handle` methods to change the response.
    """

    def __init__(
        self,
        command: bytes,
        rest: bytes,
        version: bytes,
        headers: dict[bytes, bytes],
        data: bytes,
        father: Any,
    ) -> None:
        self.father = father
        self.command = command
        self.rest = rest
        for name in [name for name in headers if name.lower() in _HOP_BY_HOP]:
            del headers[name]
        if data or b"content-length" in headers:
            headers[b"content-length"] = b"%d" % len(data)
        headers.pop(b"expect", None)
        headers[b"connection"] = b"close"
        self.headers = headers
        self.data = data

    def connectionMade(self) -> None:
        """Send the request."""
        self.sendCommand(self.command, self.rest)
        for name, value in self.headers.items():
            self.sendHeader(name, value)
        self.endHeaders()
        self.transport.write(self.data)
        notifyFinish = getattr(self.father, "notifyFinish", None)
        if notifyFinish is not None:
            # The client has left: there is nobody to ask for.
            notifyFinish().addErrback(lambda failure: self.transport.abortConnection())

    def handleStatus(self, version: bytes, status: bytes, message: bytes) -> None:
        """Answer with the same."""
        self.father.setResponseCode(int(status), message)

    def handleHeader(self, key: bytes, val: bytes) -> None:
        """Pass a header line on; it replaces what the response has if there can be only one."""
        name = key.lower()
        if name in _SINGLE:
            self.father.responseHeaders.setRawHeaders(key, [val])
        elif name not in _HOP_BY_HOP:
            self.father.responseHeaders.addRawHeader(key, val)

    def handleEndHeaders(self) -> None:
        """From now on the client's pace is the server's."""
        registerProducer = getattr(self.father, "registerProducer", None)
        if registerProducer is not None:
            registerProducer(self.transport, True)

    def handleResponsePart(self, data: bytes) -> None:
        """Pass a part of the body on."""
        self.father.write(data)

    def handleResponseEnd(self) -> None:
        """End the client's response."""
        unregisterProducer = getattr(self.father, "unregisterProducer", None)
        if unregisterProducer is not None:
            unregisterProducer()
        self.father.finish()
        self.transport.loseConnection()

    def connectionLost(self, reason: "Failure" = connectionDone) -> None:
        """A response that breaks off is a 502, or breaks the client's off."""
        super().connectionLost(reason)
        if not self._ended:
            self._ended = True
            _refuse(self.father)


class ProxyClientFactory(ClientFactory):
    """Makes the protocol that passes one request on; see `ProxyClient` for the arguments."""

    protocol: Any = ProxyClient
    noisy = False

    def __init__(
        self,
        command: bytes,
        rest: bytes,
        version: bytes,
        headers: dict[bytes, bytes],
        data: bytes,
        father: Any,
    ) -> None:
        self.father = father
        self.command = command
        self.rest = rest
        self.headers = headers
        self.data = data
        self.version = version

    def buildProtocol(self, addr: Any) -> Any:
        """The protocol for the connection."""
        return self.protocol(self.command, self.rest, self.version, self.headers, self.data, self.father)

    def clientConnectionFailed(self, connector: "Connector", reason: "Failure") -> None:
        """The server can't be reached: a 502."""
        _refuse(self.father)


def _refuse(father: Any) -> None:
    if not father.finished:
        father._failed(Error(502), None)
