"""Observers that see only some of the events."""

from collections.abc import Iterable
from enum import Enum
from functools import partial
from typing import Any

from zope.interface import implementer

from sennit.logger._interfaces import ILogFilterPredicate, ILogObserver, LogEvent, Observer
from sennit.logger._levels import InvalidLogLevelError, LogLevel


class PredicateResult(Enum):
    """What a predicate says of an event: it is to be seen, it is not, or the next predicate shall decide."""

    yes = "yes"
    no = "no"
    maybe = "maybe"


def shouldLogEvent(predicates: Iterable[Any], event: LogEvent) -> bool:
    """Whether the first of the predicates that has an opinion lets the event pass; so do those that have
    none."""
    for predicate in predicates:
        result = predicate(event)
        if result is PredicateResult.yes:
            return True
        if result is PredicateResult.no:
            return False
        if result is not PredicateResult.maybe:
            raise TypeError(f"Invalid predicate result: {result!r}")
    return True


@implementer(ILogObserver)
class FilteringLogObserver:
    """Passes events on to `observer` as `predicates` say, and those that they refuse to
    `negativeObserver`."""

    def __init__(
        self, observer: Observer, predicates: Iterable[Any], negativeObserver: Observer = lambda event: None
    ) -> None:
        self._observer = observer
        self._negativeObserver = negativeObserver
        self._shouldLogEvent = partial(shouldLogEvent, list(predicates))

    def __call__(self, event: LogEvent) -> None:
        """Take one event."""
        passes = self._shouldLogEvent(event)
        observer = self._observer if passes else self._negativeObserver
        if "log_trace" in event:
            event["log_trace"].append((self, observer))
        observer(event)


@implementer(ILogFilterPredicate)
class LogLevelFilterPredicate:
    """Refuses events below a level, which may be another one for each namespace and what is below it."""

    def __init__(self, defaultLogLevel: LogLevel = LogLevel.info) -> None:
        self.defaultLogLevel = defaultLogLevel
        self._levels: dict[str, LogLevel] = {}

    def logLevelForNamespace(self, namespace: str | None) -> LogLevel:
        """The level for a namespace: its own, or that of the closest namespace above it, or the default."""
        name = namespace or ""
        while name:
            if name in self._levels:
                return self._levels[name]
            name = name.rpartition(".")[0]
        return self._levels.get("", self.defaultLogLevel)

    def setLogLevelForNamespace(self, namespace: str | None, level: LogLevel) -> None:
        """Set the level for a namespace and what is below it, for "" or None of all that have none of their
        own. InvalidLogLevelError for anything but a LogLevel."""
        if not isinstance(level, LogLevel):
            raise InvalidLogLevelError(level)
        self._levels[namespace or ""] = level

    def clearLogLevels(self) -> None:
        """Forget the levels of namespaces."""
        self._levels.clear()

    def __call__(self, event: LogEvent) -> PredicateResult:
        """Decide about one event; those without level or namespace are refused."""
        level = event.get("log_level")
        namespace = event.get("log_namespace")
        if not isinstance(level, LogLevel) or namespace is None:
            return PredicateResult.no
        if level < self.logLevelForNamespace(namespace):
            return PredicateResult.no
        return PredicateResult.maybe
