"""What programs log with."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sennit.logger._global import globalLogPublisher
from sennit.logger._interfaces import LogEvent, Observer
from sennit.logger._levels import InvalidLogLevelError, LogLevel
from sennit.python.failure import Failure

_LEVELS = frozenset(LogLevel)


class Logger:
    """Logs events of one source.

    `namespace` (str) says where events come from: the module that makes the logger if nothing else is said.
    `source` is the object that they are of. They go to `observer`, a callable of an event (dict):
    `globalLogPublisher` by default.

    As an attribute of a class, a logger gets the class's name as its namespace, and the class or instance
    that it is asked of as its source.
    """

    def __init__(
        self, namespace: str | None = None, source: object = None, observer: Observer | None = None
    ) -> None:
        if namespace is None:
            namespace = str(sys._getframe(1).f_globals.get("__name__", "<unknown>"))
        self.namespace = namespace
        self.source = source
        self.observer: Observer = globalLogPublisher if observer is None else observer

    def __get__(self, instance: object, owner: type | None = None) -> "Logger":
        kind = type(instance) if owner is None else owner
        source = kind if instance is None else instance
        return type(self)(f"{kind.__module__}.{kind.__qualname__}", source, self.observer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.namespace!r}>"

    def emit(self, level: LogLevel, format: str | None = None, **kwargs: Any) -> None:
        """Log an event. `format` is one of `str.format`, filled from `kwargs`; both go with the event."""
        if level not in _LEVELS:
            self.failure(
                "Got invalid log level {invalidLevel!r} in {logger}.emit().",
                Failure(InvalidLogLevelError(level)),
                invalidLevel=level,
                logger=self,
            )
            return
        event: LogEvent = kwargs
        event.update(
            log_logger=self,
            log_level=level,
            log_namespace=self.namespace,
            log_source=self.source,
            log_format=format,
            log_time=time.time(),
        )
        if "log_trace" in event:
            event["log_trace"].append((self, self.observer))
        self.observer(event)

    def debug(self, format: str | None = None, **kwargs: Any) -> None:
        """Log an event of level debug; see `emit`."""
        self.emit(LogLevel.debug, format, **kwargs)

    def info(self, format: str | None = None, **kwargs: Any) -> None:
        """Log an event of level info; see `emit`."""
        self.emit(LogLevel.info, format, **kwargs)

    def warn(self, format: str | None = None, **kwargs: Any) -> None:
        """Log an event of level warn; see `emit`."""
        self.emit(LogLevel.warn, format, **kwargs)

    def error(self, format: str | None = None, **kwargs: Any) -> None:
        """Log an event of level error; see `emit`."""
        self.emit(LogLevel.error, format, **kwargs)

    def critical(self, format: str | None = None, **kwargs: Any) -> None:
        """Log an event of level critical; see `emit`."""
        self.emit(LogLevel.critical, format, **kwargs)

    def failure(
        self,
        format: str,
        failure: Failure | None = None,
        level: LogLevel = LogLevel.critical,
        **kwargs: Any,
    ) -> None:
        """Log a failure with its traceback: `failure`, or the exception that is being handled now."""
        self.emit(level, format, log_failure=Failure() if failure is None else failure, **kwargs)

    @contextmanager
    def failuresHandled(
        self, format: str, level: LogLevel = LogLevel.critical, **kwargs: Any
    ) -> Iterator["Operation"]:
        """Log what is raised in the `with` block, and go on after it. The block's `as` name tells afterwards
        whether it has `succeeded` or `failed`, and the `failure` if it has."""
        operation = Operation()
        try:
            yield operation
        except Exception:
            operation.failure = Failure()
            self.failure(format, operation.failure, level, **kwargs)
        operation.succeeded = operation.failure is None

    def failureHandler(self, staticMessage: str, level: LogLevel = LogLevel.critical) -> "_FailureHandler":
        """The same for a message without fields, to be made once and used often."""
        return _FailureHandler(self, staticMessage, level)


class Operation:
    """What has become of a block whose failures are handled."""

    succeeded = False
    failure: Failure | None = None

    @property
    def failed(self) -> bool:
        """Whether it has raised something."""
        return self.failure is not None


class _FailureHandler:
    """A context manager that logs what is raised in its block; it may be used any number of times."""

    def __init__(self, logger: Logger, message: str, level: LogLevel) -> None:
        self._logger = logger
        self._message = message
        self._level = level

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: Any) -> bool:
        if not isinstance(value, Exception):
            return False
        self._logger.failure("{message}", Failure(value), self._level, message=self._message)
        return True
