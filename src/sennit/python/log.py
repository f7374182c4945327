"""Log events in Twisted's manner, by way of the standard `logging`.

Everything goes through the logger "sennit": `msg` at INFO, `err` at ERROR with the traceback. Handlers that a
program gives to that logger see all events, and observers added here see all records of that logger.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from sennit.python._later import logging
from sennit.python.failure import Failure

if TYPE_CHECKING:
    from sennit.python._loghandler import ObserverHandler

_NAME = "sennit"
# As in `logging`, which isn't loaded for events that it would only drop.
_INFO, _WARNING, _ERROR = 20, 30, 40

# An event: "message" (tuple of str), "time" (float), "isError" (0 or 1), "system" (str), for errors "failure"
# and "why".
EventDict = dict[str, Any]
Observer = Callable[[EventDict], object]

# Events from before startLogging that are shown once it is called; more than a program logs while it is set
# up.
_EARLY_EVENTS = 200


class _Writable(Protocol):
    def write(self, text: str, /) -> object: ...


class _State(threading.local):
    emitting = False


_state = _State()
_early: deque[EventDict] = deque(maxlen=_EARLY_EVENTS)
_handlers: dict[Observer, ObserverHandler] = {}
_started = False


def __getattr__(name: str) -> Any:
    """`logger`, the logger of all events."""
    if name == "logger":
        return _logger()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _logger() -> logging.Logger:
    return logging.getLogger(_NAME)


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def msg(*message: object, **kw: Any) -> None:
    """Log one event: `message` parts (bytes or str) are joined by spaces; `system="name"` names the
    source.
    """
    _log({"message": tuple(_text(part) for part in message), "isError": 0, "system": "-", **kw})


def err(_stuff: object = None, _why: str | bytes | None = None, **kw: Any) -> None:
    """Log a Failure, an exception, or the exception being handled now, with its traceback, headed by `_why`.

    Anything else is logged by its repr.
    """
    why = _text(_why) if _why is not None else None
    event: EventDict = {"message": (), "isError": 1, "system": "-", "why": why}
    if _stuff is None:
        event["failure"] = Failure()
    elif isinstance(_stuff, Failure):
        event["failure"] = _stuff
    elif isinstance(_stuff, BaseException):
        event["failure"] = Failure(_stuff)
    else:
        event["message"] = (repr(_stuff),)
    _log({**event, **kw})


def _log(event: EventDict) -> None:
    event.setdefault("time", time.time())
    publish(event, _ERROR if event["isError"] else _INFO, _NAME)


def publish(event: EventDict, level: int, name: str) -> None:
    """Log an event as a record of `level`, which says that it comes from the logger `name`."""
    if keepsEarly(level):
        _early.append(_asText(event))
    if level < _WARNING and "logging" not in sys.modules:
        return  # nobody has asked for it: what isn't loaded isn't set up
    logger = _logger()
    if not logger.isEnabledFor(level):
        return
    failure = event.get("failure")
    # The record's text is the heading alone: logging itself adds the traceback.
    text = textFromEventDict(event) if failure is None else event.get("why") or "Unhandled Error"
    record = logger.makeRecord(
        name,
        level,
        "(unknown file)",
        0,
        "%s",
        (text or "",),
        None if failure is None else (failure.type, failure.value, failure.tb),
        extra={"sennitEvent": event},
    )
    logger.handle(record)


def _asText(event: EventDict) -> EventDict:
    """The event as text: what is kept must not keep a traceback's frames, and all that they refer to,
    alive.
    """
    kept = ("time", "isError", "system", "log_level", "log_namespace")
    texts = {key: value for key, value in event.items() if key in kept}
    return {**texts, "message": (textFromEventDict(event),), "failure": None}


def keepsEarly(level: int) -> bool:
    """Whether events of a level are still kept for observers to come: many programs never have one, and what
    is for debugging must not cost them anything."""
    return not _started and level >= _INFO


def takeEarly() -> list[EventDict]:
    """The events from before; from now on none are kept."""
    global _started
    _started = True
    events = list(_early)
    _early.clear()
    return events


def textFromEventDict(eventDict: EventDict) -> str | None:
    """The text of an event: of an error its heading and traceback; None if it has no text."""
    if eventDict.get("failure") is not None:
        heading = eventDict.get("why") or "Unhandled Error"
        return f"{heading}\n{eventDict['failure'].getTraceback()}"
    if eventDict["message"]:
        return " ".join(eventDict["message"])
    if "format" in eventDict:
        try:
            return str(eventDict["format"] % eventDict)
        except (TypeError, ValueError, KeyError) as trouble:
            return f"unformattable event {eventDict['format']!r}: {trouble!r}"
    return None


def eventOf(record: logging.LogRecord) -> EventDict:
    """The event that a record was made from; for one that was not, an event that says the same."""
    event = getattr(record, "sennitEvent", None)
    if event is None:
        isError = int(record.levelno >= logging.ERROR)
        system = record.name if record.name != "sennit" else "-"
        event = {"message": (), "time": record.created, "isError": isError, "system": system}
        if record.exc_info and record.exc_info[1] is not None:
            event["failure"] = Failure(record.exc_info[1], exc_tb=record.exc_info[2])
            event["why"] = record.getMessage()
        else:
            event["message"] = (record.getMessage(),)
    return event


@contextmanager
def emitting() -> Iterator[bool]:
    """For the time that observers run: tells whether they are not running already, in this thread.

    An observer that prints while print is captured would otherwise call itself for ever.
    """
    isOutermost = not _state.emitting
    _state.emitting = True
    try:
        yield isOutermost
    finally:
        if isOutermost:
            _state.emitting = False


def addObserver(other: Observer) -> None:
    """Call `other(eventDict)` for each event from now on."""
    if other not in _handlers:
        from sennit.python._loghandler import ObserverHandler

        logger = _logger()
        _handlers[other] = ObserverHandler(other)
        logger.addHandler(_handlers[other])
        if logger.level == logging.NOTSET:
            # The root logger's default, WARNING, would hide what msg() logs.
            logger.setLevel(logging.INFO)


def removeObserver(other: Observer) -> None:
    """Undo `addObserver`. Raises ValueError if it isn't there."""
    if other not in _handlers:
        raise ValueError(f"{other!r} is no observer")
    _logger().removeHandler(_handlers.pop(other))


class FileLogObserver:
    """Writes events to a text file: `2026-01-31 12:00:00+0000 [system] text`, further lines indented by a
    tab.
    """

    timeFormat: str | None = None

    def __init__(self, f: _Writable) -> None:
        self._file = f
        self.write = f.write
        self.flush: Callable[[], object] = getattr(f, "flush", lambda: None)

    def formatTime(self, when: float) -> str:
        """Seconds since the epoch as text: by `timeFormat` of strftime if that is set."""
        return time.strftime(self.timeFormat or "%Y-%m-%d %H:%M:%S%z", time.localtime(when))

    def emit(self, eventDict: EventDict) -> None:
        """Write one event."""
        text = textFromEventDict(eventDict)
        if text is None:
            return
        text = text.rstrip("\n").replace("\n", "\n\t")
        self.write(f"{self.formatTime(eventDict['time'])} [{eventDict['system']}] {text}\n")
        self.flush()

    def start(self) -> None:
        """Begin to observe."""
        addObserver(self.emit)

    def stop(self) -> None:
        """Cease to observe."""
        removeObserver(self.emit)


class PythonLoggingObserver:
    """Passes events on to another logger of the standard library, named `loggerName`."""

    def __init__(self, loggerName: str = "twisted") -> None:
        self.logger = logging.getLogger(loggerName)

    def emit(self, eventDict: EventDict) -> None:
        """Log one event: errors at CRITICAL, others at INFO, or at the event's own `logLevel`."""
        text = textFromEventDict(eventDict)
        if text is not None:
            level = eventDict.get("logLevel") or (logging.CRITICAL if eventDict["isError"] else logging.INFO)
            self.logger.log(level, "%s", text)

    def start(self) -> None:
        """Begin to observe. Events come to the root logger by way of this observer only."""
        addObserver(self.emit)
        _logger().propagate = False

    def stop(self) -> None:
        """Cease to observe."""
        removeObserver(self.emit)
        _logger().propagate = True


class StdioOnnaStick:
    """A text file each of whose lines becomes a log event; what `print` writes to after `startLogging`."""

    closed = False
    encoding = "utf-8"
    mode = "w"
    name = "<stdio (log)>"
    softspace = 0

    def __init__(self, isError: bool = False, original: TextIO | None = None) -> None:
        self.isError = isError
        self._original = original
        self._rest = ""

    def write(self, data: str) -> int:
        """Log the complete lines."""
        if _state.emitting and self._original is not None:
            return self._original.write(data)
        *lines, self._rest = (self._rest + data).split("\n")
        for line in lines:
            _log({"message": (line,), "isError": int(self.isError), "system": "-", "printed": 1})
        return len(data)

    def writelines(self, lines: list[str]) -> None:
        """Log each line."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is held back but an incomplete line, which waits for its end."""

    def close(self) -> None:
        """The log isn't closed by this."""

    def isatty(self) -> bool:
        """A log is no terminal."""
        return False

    def fileno(self) -> int:
        """There is none: io.UnsupportedOperation."""
        raise io.UnsupportedOperation("the log has no file descriptor")


# Where access lines go without a logPath.
logfile = StdioOnnaStick()


def startLogging(file: _Writable, setStdout: bool = True) -> FileLogObserver:
    """Write events to `file`, also those from before; with `setStdout` capture print and standard error,
    too.
    """
    observer = FileLogObserver(file)
    startLoggingWithObserver(observer.emit, setStdout)
    return observer


def startLoggingWithObserver(observer: Observer, setStdout: bool = True) -> None:
    """Like `startLogging`, for any observer."""
    for event in takeEarly():
        observer(event)
    addObserver(observer)
    msg("Log opened.")
    if setStdout:
        captureStandardIO()


def captureStandardIO() -> None:
    """Make events of what is printed, on standard output and error, from now on."""
    sys.stdout = StdioOnnaStick(False, sys.stdout)
    sys.stderr = StdioOnnaStick(True, sys.stderr)


def discardLogs() -> None:
    """Forget the events that wait for `startLogging`."""
    _early.clear()
