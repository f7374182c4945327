"""Log events, observers, and the capture of print."""

import gc
import io
import logging
import re
import sys
import weakref
from collections.abc import Iterator

import pytest

from sennit.python import log
from sennit.python.failure import Failure


@pytest.fixture(autouse=True)
def freshLog(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The state before startLogging; what a test starts is undone."""
    monkeypatch.setattr(log, "_started", False)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    log.discardLogs()
    level = log.logger.level
    yield
    for observer in list(log._handlers):
        log.removeObserver(observer)
    log.logger.setLevel(level)


def test_msg_reaches_observers_as_an_event() -> None:
    events: list = []
    log.addObserver(events.append)
    log.msg("two", b"parts", 3, system="test", extra="x")
    [event] = events
    assert event["message"] == ("two", "parts", "3")
    assert (event["system"], event["isError"], event["extra"]) == ("test", 0, "x")
    assert log.textFromEventDict(event) == "two parts 3"


def test_observer_is_called_once_and_can_be_removed() -> None:
    events: list = []
    log.addObserver(events.append)
    log.addObserver(events.append)
    log.msg("once")
    assert len(events) == 1
    log.removeObserver(events.append)
    log.msg("unseen")
    assert len(events) == 1
    with pytest.raises(ValueError, match="no observer"):
        log.removeObserver(events.append)


@pytest.mark.parametrize("why", ["trouble", b"trouble", None])
def test_err_logs_exception_with_heading_and_traceback(why: str | bytes | None) -> None:
    events: list = []
    log.addObserver(events.append)
    try:
        raise KeyError("k")
    except KeyError as error:
        log.err(None, why)
        log.err(error, why)
        log.err(Failure(error), why)
    assert len(events) == 3
    for event in events:
        text = log.textFromEventDict(event)
        assert text is not None
        assert text.startswith("trouble\nTraceback" if why else "Unhandled Error\nTraceback")
        assert "KeyError: 'k'" in text
        assert event["isError"] == 1


def test_err_logs_other_things_by_repr() -> None:
    events: list = []
    log.addObserver(events.append)
    log.err("strange")
    assert log.textFromEventDict(events[0]) == "'strange'"


def test_events_go_through_the_standard_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sennit")
    log.msg("100% plain")
    log.err(KeyError("k"), "why")
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("sennit", "INFO", "100% plain"),
        ("sennit", "ERROR", "why"),
    ]
    assert isinstance(caplog.records[1].exc_info[1], KeyError)


def test_records_of_the_standard_logger_reach_observers() -> None:
    events: list = []
    log.addObserver(events.append)
    log.logger.warning("a %s", "record")
    try:
        raise KeyError
    except KeyError:
        log.logger.getChild("part").exception("oops")
    assert events[0]["message"] == ("a record",)
    assert events[1]["failure"].check(KeyError)
    assert (events[1]["why"], events[1]["system"]) == ("oops", "sennit.part")


def test_observer_that_raises_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    events: list = []

    def raising(event: log.EventDict) -> None:
        raise KeyError

    log.addObserver(raising)
    log.addObserver(events.append)
    log.msg("seen")
    assert len(events) == 1


def test_startLogging_writes_lines_and_replays_earlier_events() -> None:
    log.msg("early")
    file = io.StringIO()
    log.startLogging(file, setStdout=False)
    log.msg("late", system="part")
    log.err(KeyError("k"), "why")
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4} "
    lines = file.getvalue().split("\n")
    for line, text in zip(
        lines, [r"\[-\] early", r"\[-\] Log opened\.", r"\[part\] late", r"\[-\] why"], strict=False
    ):
        assert re.fullmatch(stamp + text, line)
    assert lines[4] == "\tKeyError: 'k'"


def test_early_errors_are_replayed_without_keeping_their_frames_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Big:
        pass

    def failing() -> None:
        big = Big()
        references.append(weakref.ref(big))
        raise KeyError("early")

    references: list = []
    try:
        failing()
    except KeyError:
        monkeypatch.setattr(log.logger, "disabled", True)  # pytest keeps all records
        log.err()
        monkeypatch.setattr(log.logger, "disabled", False)
    gc.collect()
    assert references[0]() is None
    file = io.StringIO()
    log.startLogging(file, setStdout=False)
    assert "Unhandled Error\n\tTraceback" in file.getvalue()
    assert "in failing" in file.getvalue()


def test_startLogging_captures_print_and_standard_error() -> None:
    file = io.StringIO()
    log.startLogging(file)
    print("printed", "words")
    print("to stderr", file=sys.stderr)
    sys.stdout.write("no end yet")
    assert re.search(r"\[-\] printed words\n.*\[-\] to stderr\n$", file.getvalue())
    assert not sys.stdout.isatty()
    with pytest.raises(OSError, match="descriptor"):
        sys.stdout.fileno()


def test_observer_that_prints_does_not_loop(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list = []

    def printing(event: log.EventDict) -> None:
        seen.append(event)
        print("from the observer")

    log.startLoggingWithObserver(printing)
    seen.clear()
    print("once")
    assert len(seen) == 1


def test_unformattable_and_empty_events_are_harmless() -> None:
    file = io.StringIO()
    observer = log.FileLogObserver(file)
    observer.timeFormat = "T"
    observer.emit({"message": (), "time": 0, "system": "-", "isError": 0, "format": "%(missing)s"})
    observer.emit({"message": (), "time": 0, "system": "-", "isError": 0})
    observer.emit({"message": (), "time": 0, "system": "-", "isError": 0, "format": "%(a)s", "a": 1})
    lines = file.getvalue().splitlines()
    assert lines[0].startswith("T [-] unformattable event")
    assert lines[1:] == ["T [-] 1"]


def test_PythonLoggingObserver_passes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "elsewhere")
    observer = log.PythonLoggingObserver("elsewhere")
    observer.start()
    log.msg("hello")
    log.err(KeyError())
    observer.stop()
    levels = [(r.levelname) for r in caplog.records if r.name == "elsewhere"]
    assert levels == ["INFO", "CRITICAL"]


def test_logfile_takes_lines() -> None:
    events: list = []
    log.addObserver(events.append)
    log.logfile.write("one\ntwo")
    log.logfile.writelines([" goes on\n"])
    assert [event["message"] for event in events] == [("one",), ("two goes on",)]
