"""Events as JSON, one object for each."""

import json
import uuid
from collections.abc import Iterator
from typing import IO, Any

from sennit.logger._format import flattened
from sennit.logger._interfaces import LogEvent
from sennit.logger._levels import LogLevel
from sennit.logger._observers import FileLogObserver, Writable
from sennit.python.failure import Failure

# What marks the objects that are read back as what they were; the same that Twisted writes.
_CLASS = "__class_uuid__"
_LEVEL = uuid.UUID("02E59486-F24D-46AD-8224-3ACDF2A5732A").hex
_FAILURE = uuid.UUID("E76887E2-20ED-49BF-A8F8-BA25CC586F2D").hex

_RECORD_SEPARATOR = "\x1e"


def _plain(thing: object) -> Any:
    """What stands for an object that JSON doesn't know."""
    if isinstance(thing, bytes):
        return thing.decode("charmap", "backslashreplace")
    if isinstance(thing, LogLevel):
        return {"name": thing.name, _CLASS: _LEVEL}
    if isinstance(thing, Failure):
        kind = {"__module__": thing.type.__module__, "__name__": thing.type.__name__}
        return {"type": kind, "value": str(thing.value), "traceback": thing.getTraceback(), _CLASS: _FAILURE}
    return {"unpersistable": True}


def eventAsJSON(event: LogEvent) -> str:
    """An event as one JSON object, with the parts that its text is made of. What JSON doesn't know is left
    out of it, but not out of the text."""
    parts = flattened(event)
    whole = {**event, "log_flattened": parts} if parts else event
    return json.dumps(_withTextKeys(whole), default=_plain, skipkeys=True)


def _withTextKeys(event: LogEvent) -> LogEvent:
    return {str(key): value for key, value in event.items()}


def _restored(found: dict[str, Any]) -> Any:
    if found.get(_CLASS) == _LEVEL:
        return LogLevel.levelWithName(found["name"])
    if found.get(_CLASS) == _FAILURE:
        return _ReadFailure(found)
    return found


class _ReadFailure:
    """A failure as it was written to a log: its texts are all there is."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def getTraceback(self) -> str:
        """The traceback, as text."""
        return str(self._found.get("traceback", ""))

    def getErrorMessage(self) -> str:
        """The text of the exception."""
        return str(self._found.get("value", ""))

    def __str__(self) -> str:
        kind = self._found.get("type", {})
        name = f"{kind.get('__module__')}.{kind.get('__name__')}"
        return f"[Failure instance: {name}: {self.getErrorMessage()}]"


def eventFromJSON(eventText: str) -> LogEvent:
    """The event that `eventAsJSON` has written; ValueError for what is no JSON object."""
    event = json.loads(eventText, object_hook=_restored)
    if not isinstance(event, dict):
        raise ValueError(f"an event is a JSON object, not {eventText!r}")
    return event


def jsonFileLogObserver(outFile: Writable, recordSeparator: str = _RECORD_SEPARATOR) -> FileLogObserver:
    """An observer that writes events as a JSON text sequence (RFC 7464): each after `recordSeparator`, and
    with a newline at its end. With "" as the separator, it is a JSON object in each line."""

    def form(event: LogEvent) -> str:
        return f"{recordSeparator}{eventAsJSON(event)}\n"

    return FileLogObserver(outFile, form)


def eventsFromJSONLogFile(
    inFile: IO[Any], recordSeparator: str | None = None, bufferSize: int = 4096
) -> Iterator[LogEvent]:
    """The events of a file that `jsonFileLogObserver` has written; a last one that isn't complete is left
    out. `bufferSize` is how much is read at a time, in bytes or characters."""
    rest = ""
    while data := inFile.read(bufferSize):
        rest += data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
        *lines, rest = rest.split("\n")
        for line in lines:
            text = line.removeprefix(_RECORD_SEPARATOR if recordSeparator is None else recordSeparator)
            if text.strip():
                yield eventFromJSON(text)
