"""Loggers, their levels, and the ways between them and the standard `logging`."""

import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sennit.logger import (
    InvalidLogLevelError,
    Logger,
    LogLevel,
    STDLibLogObserver,
    capturedLogs,
    formatEvent,
    globalLogBeginner,
    globalLogPublisher,
    textFileLogObserver,
)
from sennit.python import log
from sennit.python.failure import Failure


@pytest.fixture(autouse=True)
def untouched_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(log, "_started", False)
    monkeypatch.setattr(globalLogBeginner, "_hasBegun", False)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    log.discardLogs()
    level, propagate = log.logger.level, log.logger.propagate
    yield
    for observer in list(globalLogPublisher._observers):
        globalLogPublisher.removeObserver(observer)
    for old in list(log._handlers):
        log.removeObserver(old)
    log.logger.setLevel(level)
    log.logger.propagate = propagate


class Shop:
    log = Logger()

    def __init__(self) -> None:
        self.owner = "Ada"


def observed() -> tuple[Logger, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    return Logger("here", observer=events.append), events


@pytest.mark.parametrize("name", ["debug", "info", "warn", "error", "critical"])
def test_event_says_level_namespace_and_fields(name: str) -> None:
    logger, events = observed()
    getattr(logger, name)("sold {thing} for {price:.2f}", thing="apple", price=3)
    [event] = events
    assert event["log_level"] is getattr(LogLevel, name)
    assert event["log_namespace"] == "here"
    assert event["log_logger"] is logger
    assert event["thing"] == "apple"
    assert formatEvent(event) == "sold apple for 3.00"


def test_namespace_is_the_module_by_default() -> None:
    assert Logger().namespace == __name__


def test_attribute_of_a_class_has_its_name_and_source() -> None:
    shop = Shop()
    assert (Shop.log.namespace, Shop.log.source) == (f"{__name__}.Shop", Shop)
    assert shop.log.source is shop
    with capturedLogs() as events:
        shop.log.info("shop of {log_source.owner}")
    assert [formatEvent(event) for event in events] == ["shop of Ada"]


def test_failure_is_the_exception_being_handled() -> None:
    logger, events = observed()
    try:
        raise KeyError("pear")
    except KeyError:
        logger.failure("no price for {fruit}", fruit="pears")
    [event] = events
    assert event["log_level"] is LogLevel.critical
    assert event["log_failure"].check(KeyError)
    assert formatEvent(event) == "no price for pears"


def test_failure_may_be_given() -> None:
    logger, events = observed()
    failure = Failure(ValueError())
    logger.failure("x", failure, LogLevel.warn)
    assert (events[0]["log_failure"], events[0]["log_level"]) == (failure, LogLevel.warn)


def test_what_is_no_level_is_logged_as_a_mistake() -> None:
    logger, events = observed()
    logger.emit("loud", "x")  # type: ignore[arg-type]
    assert events[0]["log_failure"].check(InvalidLogLevelError)
    assert "loud" in formatEvent(events[0])


def test_failures_of_a_block_are_logged() -> None:
    logger, events = observed()
    with logger.failuresHandled("while selling {thing}", thing="pears") as operation:
        raise KeyError("pear")
    assert operation.failed
    assert not operation.succeeded
    assert formatEvent(events[0]) == "while selling pears"
    with logger.failuresHandled("nothing") as operation:
        pass
    assert operation.succeeded
    with pytest.raises(KeyboardInterrupt), logger.failuresHandled("not this"):
        raise KeyboardInterrupt
    assert len(events) == 1


def test_failure_handler_is_used_again() -> None:
    logger, events = observed()
    handler = logger.failureHandler("while {selling}")
    for _ in range(2):
        with handler:
            raise KeyError
    assert [formatEvent(event) for event in events] == ["while {selling}"] * 2


def test_levels_are_ordered_and_named() -> None:
    assert LogLevel.debug < LogLevel.info < LogLevel.warn < LogLevel.error < LogLevel.critical
    assert next(LogLevel.iterconstants()) is LogLevel.debug
    assert LogLevel.levelWithName("warn") is LogLevel.warn
    with pytest.raises(InvalidLogLevelError):
        LogLevel.levelWithName("loud")


def test_event_is_a_record_of_the_standard_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sennit")
    Logger("shop.till").warn("too {much}", much="much")
    try:
        raise KeyError("pear")
    except KeyError:
        Logger("shop").failure("no price")
    first, second = caplog.records
    assert (first.name, first.levelno, first.getMessage()) == ("shop.till", logging.WARNING, "too much")
    assert (second.levelno, second.getMessage()) == (logging.CRITICAL, "no price")
    assert second.exc_info is not None
    assert second.exc_info[0] is KeyError


def test_level_that_logging_does_not_want_costs_no_formatting(caplog: pytest.LogCaptureFixture) -> None:
    log.takeEarly()
    caplog.set_level(logging.WARNING, "sennit")

    class Costly:
        def __str__(self) -> str:
            raise AssertionError("formatted")

    Logger("shop").info("{thing}", thing=Costly())
    assert caplog.records == []


def test_old_observers_see_new_events() -> None:
    events: list[dict[str, Any]] = []
    log.addObserver(events.append)
    Logger("shop").info("sold {thing}", thing="apple")
    try:
        raise KeyError("pear")
    except KeyError:
        Logger("shop").failure("no price")
    assert log.textFromEventDict(events[0]) == "sold apple"
    assert (events[0]["isError"], events[0]["system"]) == (0, "shop")
    assert str(log.textFromEventDict(events[1])).startswith("no price\nTraceback")
    assert events[1]["isError"] == 1


def test_new_observers_see_old_events_and_records() -> None:
    with capturedLogs() as events:
        log.msg("old", "words", system="till")
        log.err(KeyError("pear"), "no price")
        logging.getLogger("sennit.web").debug("from %s", "inside")
    assert [formatEvent(event) for event in events] == ["old words", "no price", "from inside"]
    assert [event["log_level"] for event in events] == [LogLevel.info, LogLevel.error, LogLevel.debug]
    assert events[0]["log_system"] == "till"
    assert events[1]["log_failure"].check(KeyError)
    assert events[2]["log_namespace"] == "sennit.web"


def test_observer_that_logs_is_not_called_by_that() -> None:
    events: list[dict[str, Any]] = []

    def observe(event: dict[str, Any]) -> None:
        events.append(event)
        Logger("inner").info("again")

    globalLogPublisher.addObserver(observe)
    Logger("outer").info("once")
    assert [event["log_namespace"] for event in events] == ["outer"]


def test_early_events_are_replayed_when_logging_begins() -> None:
    try:
        raise KeyError("pear")
    except KeyError:
        Logger("shop").failure("early {x}", x=1)
    log.msg("early too")
    file = io.StringIO()
    globalLogBeginner.beginLoggingTo([textFileLogObserver(file)], redirectStandardIO=False)
    Logger("shop").info("late")
    lines = file.getvalue().splitlines()
    assert "[shop] early 1" in lines[0]
    assert "KeyError: 'pear'" in file.getvalue()
    assert lines[-2].endswith("early too")
    assert lines[-1].endswith("[shop#info] late")


def test_events_for_debugging_are_not_kept() -> None:
    Logger("shop").debug("{no} fields")
    file = io.StringIO()
    globalLogBeginner.beginLoggingTo([textFileLogObserver(file)], redirectStandardIO=False)
    assert file.getvalue() == ""


def test_buffer_may_be_discarded() -> None:
    Logger("shop").info("early")
    file = io.StringIO()
    globalLogBeginner.beginLoggingTo(
        [textFileLogObserver(file)], discardBuffer=True, redirectStandardIO=False
    )
    assert file.getvalue() == ""


def test_what_is_printed_becomes_events(capsys: pytest.CaptureFixture[str]) -> None:
    events: list[dict[str, Any]] = []
    globalLogBeginner.beginLoggingTo([events.append])
    print("hello")
    assert [formatEvent(event) for event in events] == ["hello"]
    assert capsys.readouterr().out == ""


def test_second_beginning_warns_and_adds() -> None:
    events: list[dict[str, Any]] = []
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    with pytest.warns(RuntimeWarning, match="begun already"):
        globalLogBeginner.beginLoggingTo([events.append], redirectStandardIO=False)
    Logger("shop").info("seen")
    assert len(events) == 1


def test_observer_for_the_standard_library_sees_each_event_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    observer = STDLibLogObserver("elsewhere")
    globalLogPublisher.addObserver(observer)
    Logger("shop").info("sold {thing}", thing="apple")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("elsewhere", "sold apple")]
    globalLogPublisher.removeObserver(observer)
    Logger("shop").info("again")
    assert caplog.records[-1].name == "shop"
