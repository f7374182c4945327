"""Events as text.

The format of an event is one of `str.format`, filled from the event: `{name}`, `{name.attribute}`,
`{name[key]}`; a `()` at the end of a name calls what it stands for.
"""

import string
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sennit.logger._interfaces import LogEvent

timeFormatRFC3339 = "%Y-%m-%dT%H:%M:%S%z"


class _EventFormatter(string.Formatter):
    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
        name = field_name.removesuffix("()")
        value, used = super().get_field(name, args, kwargs)
        return (value() if name != field_name else value), used


_formatter = _EventFormatter()


def formatEvent(event: LogEvent) -> str:
    """The text of an event, "" if it has no format. Never raises: what can't be formatted is described."""
    try:
        form = event.get("log_format")
        if not form:
            return ""
        if isinstance(form, bytes):
            form = form.decode("utf-8")
        if not isinstance(form, str):
            raise TypeError(f"a format is text, not {form!r}")
        if "log_flattened" in event:
            return _formatFlattened(form, event["log_flattened"])
        return _formatter.vformat(form, (), event)
    except Exception as trouble:
        return _describe(event, trouble)


def _describe(event: LogEvent, trouble: Exception) -> str:
    """What is logged of an event that can't be formatted; each part of it may be what is broken."""
    try:
        return f"Unable to format event {event!r}: {trouble}"
    except Exception:
        return f"Unable to format event with the keys {sorted(map(str, event))}: {type(trouble).__name__}"


def eventAsText(
    event: LogEvent,
    includeTraceback: bool = True,
    includeTimestamp: bool = True,
    includeSystem: bool = True,
    formatTime: Callable[[float | None], str] | None = None,
) -> str:
    """The text of an event, after its time and source, and with the traceback of its failure; "" if it has
    neither text nor traceback."""
    text = formatEvent(event)
    if includeTraceback and "log_failure" in event:
        text = "\n".join(part for part in (text, _traceback(event["log_failure"])) if part)
    if not text:
        return ""
    parts = []
    if includeTimestamp:
        parts.append((formatTime or _formatTimeOrDash)(event.get("log_time")))
    if includeSystem:
        parts.append(f"[{_system(event)}]")
    return " ".join([*parts, text])


def _traceback(failure: Any) -> str:
    try:
        return str(failure.getTraceback())
    except Exception as trouble:
        return f"(UNABLE TO OBTAIN TRACEBACK FROM EVENT): {trouble}"


def _system(event: LogEvent) -> str:
    system = event.get("log_system")
    if system is not None:
        try:
            return str(system)
        except Exception:
            return "UNFORMATTABLE"
    level = event.get("log_level")
    return f"{event.get('log_namespace') or '-'}#{'-' if level is None else level.name}"


def formatTime(when: float | None, timeFormat: str | None = timeFormatRFC3339, default: str = "-") -> str:
    """Seconds since the epoch as local time, in a form of `strftime`; `default` for None, or without a
    form."""
    if timeFormat is None or when is None:
        return default
    return time.strftime(timeFormat, time.localtime(when))


def _formatTimeOrDash(when: float | None) -> str:
    return formatTime(when)


def formatEventAsClassicLogText(
    event: LogEvent, formatTime: Callable[[float | None], str] | None = None
) -> str | None:
    """One event for a log file: a line with time and source, further lines indented by a tab, and a newline
    at the end. None for an event without text."""
    text = eventAsText(event, formatTime=formatTime)
    return text.replace("\n", "\n\t") + "\n" if text else None


def extractField(field: str, event: LogEvent) -> Any:
    """The value of one field, as a format would name it: `extractField("request.uri", event)`."""
    conversion = None
    if "!" in field:
        field, _, conversion = field.rpartition("!")
    if "log_flattened" in event:
        return event["log_flattened"][_keyOf(field, conversion, "")]
    value, _ = _formatter.get_field(field, (), event)
    return _formatter.convert_field(value, conversion)


# Formats whose objects are gone


def _keyOf(name: str, conversion: str | None, spec: str | None) -> str:
    return f"{name}!{conversion or ''}:{spec or ''}"


def flattened(event: LogEvent) -> dict[str, Any]:
    """The parts that an event's format refers to, formatted each, so that the text can be made without the
    objects themselves."""
    form = event.get("log_format")
    if not isinstance(form, str):
        return {}
    parts: dict[str, Any] = {}
    for _, name, spec, conversion in _formatter.parse(form):
        if name is None:
            continue
        value, _ = _formatter.get_field(name, (), event)
        if conversion:
            value = _formatter.convert_field(value, conversion)
        parts[_keyOf(name, conversion, spec)] = format(value, spec or "")
    return parts


def _formatFlattened(form: str, parts: Mapping[str, Any]) -> str:
    pieces: list[str] = []
    for literal, name, spec, conversion in _formatter.parse(form):
        pieces.append(literal)
        if name is not None:
            pieces.append(str(parts[_keyOf(name, conversion, spec)]))
    return "".join(pieces)
