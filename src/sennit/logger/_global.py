"""The observers of the whole process, and the two ways between events and records of the standard
`logging`."""

import logging
import sys
import warnings
from collections.abc import Iterable

from sennit.logger._format import formatEvent
from sennit.logger._interfaces import LogEvent, Observer
from sennit.logger._levels import LogLevel, levelOfNumber
from sennit.logger._observers import LogPublisher, STDLibLogObserver
from sennit.python import log


class GlobalLogPublisher(LogPublisher):
    """Hands events to the logger "sennit", and what comes to that, from wherever, to its observers."""

    def __init__(self) -> None:
        super().__init__()
        self._handler = _PublishingHandler(self._publish)

    def addObserver(self, observer: Observer) -> None:
        """As of `LogPublisher`. All levels are seen from now on."""
        super().addObserver(observer)
        if self._handler not in log.logger.handlers:
            log.logger.addHandler(self._handler)
        if log.logger.level > logging.DEBUG or log.logger.level == logging.NOTSET:
            log.logger.setLevel(logging.DEBUG)
        if isinstance(observer, STDLibLogObserver):
            # It brings the events to the root logger: they must not come there by themselves as well.
            log.logger.propagate = False

    def removeObserver(self, observer: Observer) -> None:
        """As of `LogPublisher`."""
        super().removeObserver(observer)
        if not self._observers:
            log.logger.removeHandler(self._handler)
        if not any(isinstance(other, STDLibLogObserver) for other in self._observers):
            log.logger.propagate = True

    def __call__(self, event: LogEvent) -> None:
        """Take one event."""
        level = event.get("log_level", LogLevel.info)
        if not log.keepsEarly(level.value) and not log.logger.isEnabledFor(level.value):
            return
        log.publish(_toOld(event), level.value, str(event.get("log_namespace") or "sennit"))

    def _publish(self, event: LogEvent) -> None:
        super().__call__(event)


class _PublishingHandler(logging.Handler):
    """Makes events of records."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def emit(self, record: logging.LogRecord) -> None:
        with log.emitting() as isOutermost:
            # An observer that prints while print is captured would otherwise call itself for ever.
            if isOutermost:
                self._observer(_ofRecord(record))


def _toOld(event: LogEvent) -> log.EventDict:
    """An event as observers of `sennit.python.log` know it; the keys of both kinds are in it."""
    text = formatEvent(event)
    level = event.get("log_level", LogLevel.info)
    old: log.EventDict = {
        **event,
        "message": (text,),
        "time": event.get("log_time"),
        "system": event.get("log_system") or event.get("log_namespace") or "-",
        "isError": int("log_failure" in event or level >= LogLevel.error),
    }
    if "log_failure" in event:
        old["failure"] = event["log_failure"]
        old["why"] = text
    return old


def _toNew(old: log.EventDict, namespace: str, level: LogLevel) -> LogEvent:
    """An event of `sennit.python.log` as observers here know it."""
    if "log_format" in old:
        return old
    event: LogEvent = {
        **old,
        "log_time": old.get("time"),
        "log_level": old.get("log_level", level),
        "log_namespace": old.get("log_namespace", namespace),
        "log_format": "{log_text}",
    }
    failure = old.get("failure")
    if failure is None:
        event["log_text"] = log.textFromEventDict(old) or ""
    else:
        event["log_text"] = old.get("why") or "Unhandled Error"
        event["log_failure"] = failure
    if old.get("system", "-") != "-":
        event["log_system"] = old["system"]
    return event


def _ofRecord(record: logging.LogRecord) -> LogEvent:
    return _toNew(log.eventOf(record), record.name, levelOfNumber(record.levelno))


globalLogPublisher = GlobalLogPublisher()


class LogBeginner:
    """Begins the logging of a program."""

    def __init__(self, publisher: GlobalLogPublisher) -> None:
        self._publisher = publisher
        self._hasBegun = False

    def beginLoggingTo(
        self, observers: Iterable[Observer], discardBuffer: bool = False, redirectStandardIO: bool = True
    ) -> None:
        """Have all events told to `observers`, also those from before (unless `discardBuffer`).

        With `redirectStandardIO`, what is printed becomes events. A second call only adds observers, and
        warns.
        """
        observers = list(observers)
        if self._hasBegun:
            warnings.warn("logging has begun already: observers are added", RuntimeWarning, stacklevel=2)
        else:
            self._hasBegun = True
            early = log.takeEarly()
            for event in [] if discardBuffer else early:
                for observer in observers:
                    observer(_toNew(event, "sennit", LogLevel.error if event["isError"] else LogLevel.info))
        for observer in observers:
            self._publisher.addObserver(observer)
        if redirectStandardIO and not isinstance(sys.stdout, log.StdioOnnaStick):
            log.captureStandardIO()


globalLogBeginner = LogBeginner(globalLogPublisher)
