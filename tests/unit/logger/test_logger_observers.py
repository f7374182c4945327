"""Events as text and JSON, publishers and filters."""

import io
import json
from typing import Any

import pytest

from sennit.logger import (
    FilteringLogObserver,
    InvalidLogLevelError,
    LimitedHistoryLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    PredicateResult,
    eventAsJSON,
    eventAsText,
    eventFromJSON,
    eventsFromJSONLogFile,
    extractField,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
    jsonFileLogObserver,
    textFileLogObserver,
)
from sennit.python.failure import Failure


class Request:
    uri = "/buy"

    def host(self) -> str:
        return "example.org"


class Broken:
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def failure() -> Failure:
    try:
        raise KeyError("pear")
    except KeyError:
        return Failure()


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{r.uri} at {r.host()}", "/buy at example.org"),
        ("{d[a]!r} {n:04d}", "'x' 0007"),
        (b"bytes \xc3\xbc", "bytes ü"),
        ("{{}}", "{}"),
        (None, ""),
        ("", ""),
    ],
)
def test_format_is_filled(form: Any, text: str) -> None:
    assert formatEvent({"log_format": form, "r": Request(), "d": {"a": "x"}, "n": 7}) == text


@pytest.mark.parametrize("event", [{"log_format": "{x}"}, {"log_format": "{"}, {"log_format": 3}])
def test_what_cannot_be_formatted_is_described(event: dict[str, Any]) -> None:
    assert formatEvent(event).startswith("Unable to format event")
    assert formatEvent({"log_format": "{x}", "x": Broken()}).startswith("Unable to format event")


def test_event_as_text() -> None:
    event = {
        "log_format": "hello",
        "log_namespace": "shop",
        "log_level": LogLevel.info,
        "log_time": 0,
        "log_failure": failure(),
    }
    text = eventAsText(event)
    assert text.startswith(formatTime(0) + " [shop#info] hello\nTraceback")
    assert eventAsText(event, False, False, False) == "hello"
    assert eventAsText({"log_format": "x", "log_system": "till"}) == "- [till] x"
    assert eventAsText({"log_format": "x"}) == "- [-#-] x"
    assert eventAsText({}) == ""


def test_lines_of_a_file_are_indented() -> None:
    event = {"log_format": "one\ntwo", "log_namespace": "n", "log_level": LogLevel.info}
    assert formatEventAsClassicLogText(event) == "- [n#info] one\n\ttwo\n"
    assert formatEventAsClassicLogText({}) is None


@pytest.mark.parametrize("file", [io.StringIO(), io.BytesIO()])
def test_text_file_observer(file: Any) -> None:
    observer = textFileLogObserver(file, timeFormat=None)
    Logger("n", observer=observer).info("ü")
    Logger("n", observer=observer).info()
    written = file.getvalue()
    assert (written if isinstance(written, str) else written.decode()) == "- [n#info] ü\n"


def test_fields_are_extracted() -> None:
    event = {"r": Request(), "n": 7}
    assert extractField("r.uri", event) == "/buy"
    assert extractField("r.host()", event) == "example.org"
    assert extractField("r.uri!r", event) == "'/buy'"


def test_json_can_be_read_back() -> None:
    file = io.StringIO()
    logger = Logger("n", observer=jsonFileLogObserver(file))
    logger.info("{r.uri} at {r.host()}, {n:03d} {n!r:>3}", r=Request(), n=7, raw=b"\xff")
    logger.failure("broken", failure())
    assert file.getvalue().startswith("\x1e{")
    file.seek(0)
    first, second = eventsFromJSONLogFile(file, bufferSize=5)
    assert formatEvent(first) == "/buy at example.org, 007   7"
    assert first["log_level"] is LogLevel.info
    assert first["r"] == {"unpersistable": True}
    assert extractField("r.uri", first) == "/buy"
    assert "KeyError: 'pear'" in eventAsText(second)


def test_json_lines_without_separator() -> None:
    file = io.StringIO()
    Logger("n", observer=jsonFileLogObserver(file, "")).info("x", y=[1])
    assert json.loads(file.getvalue())["y"] == [1]


def test_json_is_an_object() -> None:
    assert eventFromJSON(eventAsJSON({"log_format": "x", "y": 1}))["y"] == 1
    with pytest.raises(ValueError):
        eventFromJSON("[]")


def test_broken_observer_does_not_keep_others_from_events() -> None:
    events: list[dict[str, Any]] = []

    def broken(event: dict[str, Any]) -> None:
        raise KeyError("pear")

    publisher = LogPublisher(broken, events.append)
    publisher({"log_format": "x"})
    assert events[0] == {"log_format": "x"}
    assert events[1]["log_failure"].check(KeyError)
    publisher.removeObserver(broken)
    publisher.removeObserver(broken)
    publisher({"log_format": "y"})
    assert len(events) == 3
    with pytest.raises(TypeError):
        publisher.addObserver(3)  # type: ignore[arg-type]


def test_history_keeps_the_last() -> None:
    history = LimitedHistoryLogObserver(2)
    for n in range(3):
        history({"n": n})
    events: list[dict[str, Any]] = []
    history.replayTo(events.append)
    assert events == [{"n": 1}, {"n": 2}]


def test_filter_by_level_and_namespace() -> None:
    seen: list[str] = []
    refused: list[str] = []
    predicate = LogLevelFilterPredicate(LogLevel.warn)
    predicate.setLogLevelForNamespace("shop.till", LogLevel.debug)
    observer = FilteringLogObserver(
        lambda event: seen.append(event["log_namespace"]),
        [predicate],
        lambda event: refused.append(event["log_namespace"]),
    )
    for namespace in ("shop", "shop.till", "shop.till.drawer", "shop.tillage"):
        Logger(namespace, observer=observer).info("x")
    Logger("loud", observer=observer).error("x")
    assert seen == ["shop.till", "shop.till.drawer", "loud"]
    assert refused == ["shop", "shop.tillage"]
    predicate.clearLogLevels()
    assert predicate.logLevelForNamespace("shop.till") is LogLevel.warn
    with pytest.raises(InvalidLogLevelError):
        predicate.setLogLevelForNamespace("x", "loud")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("results", "passes"),
    [
        ([], True),
        ([PredicateResult.maybe], True),
        ([PredicateResult.yes, PredicateResult.no], True),
        ([PredicateResult.no, PredicateResult.yes], False),
    ],
)
def test_first_opinion_decides(results: list[PredicateResult], passes: bool) -> None:
    seen: list[Any] = []
    predicates = [lambda event, result=result: result for result in results]
    FilteringLogObserver(seen.append, predicates)({})
    assert bool(seen) is passes


def test_what_is_no_opinion_is_refused() -> None:
    with pytest.raises(TypeError):
        FilteringLogObserver(lambda event: None, [lambda event: True])({})
