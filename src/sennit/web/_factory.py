"""What listens: a factory with its limits and its access log, and the service that the engine makes of it."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Any

from sennit import _engine
from sennit.internet.address import IPv4Address
from sennit.internet.protocol import ServerFactory
from sennit.web._accesslog import combinedLogFormatter, jsonLogFormatter
from sennit.web._dates import datetimeToLogString
from sennit.web._httpchannel import HTTPChannel
from sennit.web._limits import Limits, allLimits
from sennit.web._proxies import TrustsProxies
from sennit.web.iweb import INonQueuedRequestFactory
from sennit.web.resource import Resource, sharedNotFound

if TYPE_CHECKING:
    from sennit.web._requestid import RequestIDs
    from sennit.web.metrics import Metrics
    from sennit.web.opentelemetry import OpenTelemetry

# A line of the access log from a timestamp and a finished request.
LogFormatter = Callable[[str, Any], str]

# Formatters whose lines the engine makes itself.
_ENGINE_FORMATS: dict[LogFormatter, str] = {combinedLogFormatter: "combined", jsonLogFormatter: "json"}


class HTTPFactory(Limits, TrustsProxies, ServerFactory):
    """Serves requests made by `requestFactory`, whose `process` answers them. `Site` is the one for resource
    trees.

    `logPath` (str or bytes; "-" is the standard output) is where the access log goes, appended to; None:
    nowhere. `timeout` is how long a connection may be idle, in seconds. `logFormatter` makes the lines of the
    log: the combined format by default; that and `http.jsonLogFormatter` cost next to nothing, others are
    called for each request. Keyword arguments set the limits of the same names (see
    `sennit.web._limits.Limits`).
    """

    requestFactory: Callable[..., Any]
    # The class of the channels that `buildProtocol` makes; it may have a requestFactory of its own.
    protocol: Callable[[], Any] | None = HTTPChannel
    displayTracebacks = False

    # Where the ids of requests come from, None: each has one of its own, and only the program sees it.
    requestIDs: "RequestIDs | None" = None

    _logFile: Any = None
    # Whether the log was opened here, and is to be closed here.
    _logWasOpened = False
    _encoders: tuple[Any, ...] | None = None
    _accessLog: _engine.AccessLog | None = None
    _metrics: "Metrics | None" = None
    _openTelemetry: "OpenTelemetry | None" = None

    def __init__(
        self,
        logPath: str | bytes | None = None,
        timeout: float | None = 60,
        logFormatter: LogFormatter | None = None,
        reactor: Any = None,
        **limits: float | None,
    ) -> None:
        self.logPath = _absolute(logPath)
        self.timeOut = timeout
        self._logFormatter: LogFormatter = combinedLogFormatter if logFormatter is None else logFormatter
        self._reactor = reactor
        known = {limit.name for limit in allLimits()}
        for name, value in limits.items():
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no option {name!r}")
            setattr(self, name, value)

    @property
    def reactor(self) -> Any:
        """The reactor given, else the global one."""
        if self._reactor is None:
            from sennit.internet import reactor

            self._reactor = reactor
        return self._reactor

    @property
    def encoders(self) -> tuple[Any, ...] | None:
        """Factories of encoders for all responses, the favourite first (see `server.standardEncoders`); None:
        nothing is coded, unless a resource says so."""
        return self._encoders

    @encoders.setter
    def encoders(self, value: Iterable[Any] | None) -> None:
        if value is not None:
            from sennit.web._encoding import checkedEncoders

            value = checkedEncoders(value)
        self._encoders = value
        if self.service is not None:
            self.service.set_encoders(value)

    # Listening

    def engineService(self) -> _engine.Service:
        """What the engine serves for this factory; made once, with the request factory of that time."""
        if self.service is None:
            factory, customProcess = self._requestFactoryForEngine()
            service = _engine.Service(
                self,
                factory,
                (Resource.getChildWithDefault, Resource.getChild, Resource.render, sharedNotFound()),
                custom_process=customProcess,
                custom_traversal=self._traversesItself(),
            )
            for limit in allLimits():
                if limit.inEngine:
                    service.configure(limit.name, limit.check(getattr(self, limit.name)))
            service.set_encoders(self._encoders)
            self._tellTrust(service)
            self._tellRoot(service)
            # Last: one that could not be made as it was asked for must not serve.
            self.service = service
            self._connectLog()
            self._connectMetrics()
        made: _engine.Service = self.service
        return made

    def buildProtocol(self, addr: Any) -> Any:
        """A channel, from `protocol`, with this factory's `requestFactory` unless it has its own.

        A subclass may change it, or give another. It is asked for one once, before anything is served, and
        not for each connection.
        """
        channel = super().buildProtocol(addr)
        channel.site = self
        channel.timeOut = self.timeOut
        if channel.requestFactory is None:
            channel.requestFactory = self.requestFactory
        return channel

    def _programsRequestFactory(self) -> Callable[..., Any]:
        """What makes requests, after a look at the program's own channels."""
        if self.protocol is HTTPChannel and type(self).buildProtocol is HTTPFactory.buildProtocol:
            return self.requestFactory
        channel = self.buildProtocol(IPv4Address("TCP", "127.0.0.1", 0))
        if not isinstance(channel, HTTPChannel):
            raise TypeError(f"{type(self).__name__}.buildProtocol must make an HTTPChannel, not {channel!r}")
        self.timeOut = channel.timeOut
        made: Callable[..., Any] = channel.requestFactory or self.requestFactory
        return made

    def _requestFactoryForEngine(self) -> tuple[Callable[..., Any], bool]:
        """The callable that makes requests, and whether their `process` has to be called."""
        factory, customProcess = self._plainRequestFactory()
        if self._openTelemetry is not None:
            return self._openTelemetry.observing(factory), True
        return factory, customProcess

    def _plainRequestFactory(self) -> tuple[Callable[..., Any], bool]:
        factory = self._programsRequestFactory()
        if INonQueuedRequestFactory.providedBy(factory):
            return (lambda channel, queued=0: factory(channel)), True
        return factory, getattr(factory, "process", None) is not self._stockProcess()

    def _stockProcess(self) -> object:
        return None

    def _traversesItself(self) -> bool:
        return False

    def _tellRoot(self, service: _engine.Service | None) -> None:
        """Tell the engine of the root of the tree: there is none."""

    def startFactory(self) -> None:
        """Open the access log, if there is to be one."""
        if self.logPath is not None and self._logFile is None:
            self._logFile = self._openLogFile(self.logPath)
            self._logWasOpened = True
        self._connectLog()

    def stopFactory(self) -> None:
        """Write out the access log, and close it if it was opened here."""
        self._disconnectLog()
        if self._logWasOpened:
            if self._logFile is not sys.stdout:
                self._logFile.close()
            self._logFile = None
            self._logWasOpened = False

    # Counting

    @property
    def metrics(self) -> "Metrics | None":
        """What counts the requests, None if nothing does."""
        return self._metrics

    @metrics.setter
    def metrics(self, value: "Metrics | None") -> None:
        self._metrics = value
        self._connectMetrics()

    def _connectMetrics(self) -> None:
        if self.service is None:
            return
        self.service.set_metrics(None if self._metrics is None else self._metrics.counters)
        if self._metrics is not None:
            self._metrics.watch(self.service)

    @property
    def openTelemetry(self) -> "OpenTelemetry | None":
        """What traces the requests, an `opentelemetry.OpenTelemetry`; None if nothing does. To be set before
        the site serves, else RuntimeError."""
        return self._openTelemetry

    @openTelemetry.setter
    def openTelemetry(self, value: "OpenTelemetry | None") -> None:
        if self.service is not None:
            raise RuntimeError("OpenTelemetry can't be switched on or off once the site serves")
        self._openTelemetry = value

    # The access log

    def _openLogFile(self, path: str) -> Any:
        """Open the log: an object with `write(str)` and `close()`. For subclasses that keep it elsewhere."""
        return sys.stdout if path == "-" else open(path, "a", encoding="utf-8", buffering=1)

    @property
    def logFile(self) -> Any:
        """The log, an object with `write(str)`; AttributeError while there is none. Setting a binary file
        wraps it."""
        if self._logFile is None:
            raise AttributeError("there is no log file before startFactory")
        return self._logFile

    @logFile.setter
    def logFile(self, value: Any) -> None:
        self._logFile = _TextWriter(value) if _isBinary(value) else value
        self._logWasOpened = False
        self._connectLog()

    def log(self, request: Any) -> None:
        """Write the line of a finished request to the log. Called for each one only if a subclass changes it
        or the formatter is not one of the engine's."""
        if self._logFile is not None:
            self._logFile.write(self._logFormatter(datetimeToLogString(time.time()), request) + "\n")

    def _connectLog(self) -> None:
        """Have the engine write the log if it can, else call `log`."""
        if self.service is None:
            return
        self._disconnectLog()
        overridden = type(self).log is not HTTPFactory.log
        if self._logFile is None and not overridden:
            return
        form = _ENGINE_FORMATS.get(self._logFormatter)
        # What a program opened may be more than its descriptor: a file that is rotated or compressed.
        opensItself = type(self)._openLogFile is not HTTPFactory._openLogFile
        isPlainFile = self._logWasOpened and not opensItself
        descriptor = _descriptorOf(self._logFile) if isPlainFile else None
        if overridden or form is None or descriptor is None:
            self.service.set_log_hook(self.log)
        else:
            self._accessLog = _engine.AccessLog(descriptor, form)
            self.service.set_access_log(self._accessLog)

    def _disconnectLog(self) -> None:
        if self.service is None:
            return
        self.service.set_log_hook(None)
        self.service.set_access_log(None)
        if self._accessLog is not None:
            self._accessLog.flush()
            self._accessLog.close()
            self._accessLog = None


class _TextWriter:
    """Writes text to a binary file, in UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        self._file.write(text.encode("utf-8"))

    def close(self) -> None:
        self._file.close()


def _isBinary(file: Any) -> bool:
    mode = getattr(file, "mode", None)
    if isinstance(mode, str):
        return "b" in mode
    import io

    return isinstance(file, io.RawIOBase | io.BufferedIOBase)


def _descriptorOf(file: Any) -> int | None:
    """The descriptor that writing to `file` ends in, None if it is not a file of the system (a captured
    stdout)."""
    try:
        descriptor = file.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if isinstance(descriptor, int) else None


def _absolute(path: str | bytes | None) -> str | None:
    if path is None:
        return None
    text = os.fsdecode(path)
    return text if text == "-" else os.path.abspath(text)
