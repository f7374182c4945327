"""How much an event matters."""

import logging
from collections.abc import Iterator
from enum import Enum


class InvalidLogLevelError(Exception):
    """Something else than a `LogLevel` was given as one: `level` says what."""

    def __init__(self, level: object) -> None:
        super().__init__(str(level))
        self.level = level


class LogLevel(Enum):
    """The levels of events, in ascending order; a value is the level's number in the standard `logging`."""

    debug = logging.DEBUG
    info = logging.INFO
    warn = logging.WARNING
    error = logging.ERROR
    critical = logging.CRITICAL

    @classmethod
    def levelWithName(cls, name: str) -> "LogLevel":
        """The level of a name, "info" for instance; InvalidLogLevelError if there is none of it."""
        try:
            return cls[name]
        except KeyError:
            raise InvalidLogLevelError(name) from None

    @classmethod
    def iterconstants(cls) -> Iterator["LogLevel"]:
        """All levels, in ascending order."""
        return iter(cls)

    def __lt__(self, other: "LogLevel") -> bool:
        return self.value < other.value

    def __le__(self, other: "LogLevel") -> bool:
        return self.value <= other.value

    def __gt__(self, other: "LogLevel") -> bool:
        return self.value > other.value

    def __ge__(self, other: "LogLevel") -> bool:
        return self.value >= other.value

    def __repr__(self) -> str:
        return f"<LogLevel={self.name}>"


def levelOfNumber(number: int) -> LogLevel:
    """The highest level that isn't above a level number of the standard `logging`."""
    for level in reversed(LogLevel):
        if number >= level.value:
            return level
    return LogLevel.debug
