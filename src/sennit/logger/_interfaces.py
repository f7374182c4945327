"""What observers and filters are."""

from collections.abc import Callable
from typing import Any

from zope.interface import Interface

# A log event: "log_format" (str), "log_level" (LogLevel), "log_namespace" (str), "log_source" (any),
# "log_time" (seconds since the epoch), "log_failure" (Failure), "log_logger" (Logger), and what the format
# refers to.
LogEvent = dict[str, Any]
Observer = Callable[[LogEvent], object]


class ILogObserver(Interface):
    """Takes log events."""

    def __call__(event: LogEvent) -> None:
        """Take one event; it must not be changed."""


class ILogFilterPredicate(Interface):
    """Decides about log events."""

    def __call__(event: LogEvent) -> object:
        """Whether an event is to be seen: a `PredicateResult`."""
