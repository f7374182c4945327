"""Observers: what becomes of events."""

import io
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from zope.interface import implementer

from sennit.logger._format import formatEvent, formatEventAsClassicLogText, formatTime, timeFormatRFC3339
from sennit.logger._interfaces import ILogObserver, LogEvent, Observer
from sennit.logger._levels import LogLevel
from sennit.python.failure import Failure


class Writable(Protocol):
    """A file, as far as logs need one."""

    def write(self, text: Any, /) -> object:
        """Write text, or bytes to a binary file."""

    def flush(self) -> object:
        """Write out what is held back."""


@implementer(ILogObserver)
class LogPublisher:
    """Passes each event on to any number of observers.

    One that raises an exception doesn't keep the others from the event; the exception is an event for them.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers = list(observers)

    def addObserver(self, observer: Observer) -> None:
        """Have `observer(event)` called for each event from now on; TypeError if it can't be called."""
        if not callable(observer):
            raise TypeError(f"Observer is not callable: {observer!r}")
        if observer not in self._observers:
            self._observers.append(observer)

    def removeObserver(self, observer: Observer) -> None:
        """Undo `addObserver`; nothing happens if it isn't there."""
        if observer in self._observers:
            self._observers.remove(observer)

    def __call__(self, event: LogEvent) -> None:
        """Take one event."""
        broken: list[tuple[Observer, Failure]] = []
        for observer in self._observers[:]:
            if "log_trace" in event:
                event["log_trace"].append((self, observer))
            try:
                observer(event)
            except Exception:
                broken.append((observer, Failure()))
        for observer, failure in broken:
            others = LogPublisher(*(other for other in self._observers if other is not observer))
            others._tell(observer, failure)

    def _tell(self, observer: Observer, failure: Failure) -> None:
        from sennit.logger._logger import Logger

        if self._observers:
            Logger(__name__, observer=self).failure(
                "Temporarily disabling observer {observer} due to exception: {log_failure}",
                failure,
                observer=observer,
            )


@implementer(ILogObserver)
class FileLogObserver:
    """Writes what `formatEvent` makes of each event (text, or None to leave it out) to `outFile`, as UTF-8 if
    that is a binary file."""

    def __init__(self, outFile: Writable, formatEvent: Callable[[LogEvent], str | None]) -> None:
        self._outFile = outFile
        self._isBinary = isinstance(outFile, io.RawIOBase | io.BufferedIOBase)
        self.formatEvent = formatEvent

    def __call__(self, event: LogEvent) -> None:
        """Write one event."""
        text = self.formatEvent(event)
        if text:
            self._outFile.write(text.encode("utf-8") if self._isBinary else text)
            self._outFile.flush()


def textFileLogObserver(outFile: Writable, timeFormat: str | None = timeFormatRFC3339) -> FileLogObserver:
    """An observer that writes lines `time [namespace#level] text` to a file; `timeFormat` is one of
    `strftime`, None for no time."""
    return FileLogObserver(
        outFile, partial(formatEventAsClassicLogText, formatTime=partial(formatTime, timeFormat=timeFormat))
    )


@implementer(ILogObserver)
class LimitedHistoryLogObserver:
    """Keeps the last `size` events (all, if it is None), to be told to another observer later."""

    def __init__(self, size: int | None = 65536) -> None:
        self._events: deque[LogEvent] = deque(maxlen=size)

    def __call__(self, event: LogEvent) -> None:
        """Keep one event."""
        self._events.append(event)

    def replayTo(self, otherObserver: Observer) -> None:
        """Give the kept events to another observer, the oldest first."""
        for event in list(self._events):
            otherObserver(event)


@implementer(ILogObserver)
class STDLibLogObserver:
    """Passes events on to a logger of the standard library, named `name`."""

    defaultStackDepth = 4

    def __init__(self, name: str = "twisted", stackDepth: int = defaultStackDepth) -> None:
        self.logger = logging.getLogger(name)
        self.stackDepth = stackDepth

    def __call__(self, event: LogEvent) -> None:
        """Log one event."""
        level = event.get("log_level", LogLevel.info)
        failure = event.get("log_failure")
        self.logger.log(
            level.value,
            "%s",
            formatEvent(event),
            exc_info=None if failure is None else (failure.type, failure.value, failure.tb),
            stacklevel=self.stackDepth,
            extra={"twistedEvent": event},
        )


def bitbucketLogObserver(event: LogEvent) -> None:
    """An observer that does nothing."""


@contextmanager
def capturedLogs() -> Iterator[Sequence[LogEvent]]:
    """For tests: the list of the events that are logged in the `with` block."""
    from sennit.logger._global import globalLogPublisher

    events: list[LogEvent] = []
    observer = events.append
    globalLogPublisher.addObserver(observer)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(observer)
