"""Structured log events in the manner of `twisted.logger`, by way of the standard `logging`.

    class Shop:
        log = Logger()

        def sell(self, thing):
            self.log.info("sold: {thing}", thing=thing)

Events go to the observers of a logger, by default to `globalLogPublisher`: that hands them to the logger
"sennit" of `logging`, where handlers of the program and the observers of `sennit.python.log` find them too,
and what Sennit itself logs comes back as events to the observers added here.
"""

from sennit.logger._filter import FilteringLogObserver, LogLevelFilterPredicate, PredicateResult
from sennit.logger._format import (
    eventAsText,
    extractField,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
    timeFormatRFC3339,
)
from sennit.logger._global import globalLogBeginner, globalLogPublisher
from sennit.logger._interfaces import ILogFilterPredicate, ILogObserver
from sennit.logger._json import eventAsJSON, eventFromJSON, eventsFromJSONLogFile, jsonFileLogObserver
from sennit.logger._levels import InvalidLogLevelError, LogLevel
from sennit.logger._logger import Logger
from sennit.logger._observers import (
    FileLogObserver,
    LimitedHistoryLogObserver,
    LogPublisher,
    STDLibLogObserver,
    bitbucketLogObserver,
    capturedLogs,
    textFileLogObserver,
)

__all__ = [
    "FileLogObserver",
    "FilteringLogObserver",
    "ILogFilterPredicate",
    "ILogObserver",
    "InvalidLogLevelError",
    "LimitedHistoryLogObserver",
    "LogLevel",
    "LogLevelFilterPredicate",
    "LogPublisher",
    "Logger",
    "PredicateResult",
    "STDLibLogObserver",
    "bitbucketLogObserver",
    "capturedLogs",
    "eventAsJSON",
    "eventAsText",
    "eventFromJSON",
    "eventsFromJSONLogFile",
    "extractField",
    "formatEvent",
    "formatEventAsClassicLogText",
    "formatTime",
    "globalLogBeginner",
    "globalLogPublisher",
    "jsonFileLogObserver",
    "textFileLogObserver",
    "timeFormatRFC3339",
]
