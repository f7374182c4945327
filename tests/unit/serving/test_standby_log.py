"""The log of programs that set up none."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from sennit.internet.address import IPv4Address, IPv6Address, UNIXAddress
from sennit.python import log
from sennit.serving import standby_log
from sennit.web.resource import Resource
from sennit.web.server import Site


def port(address: Any, factory: object = None) -> Any:
    """Something like a listening port."""
    return SimpleNamespace(getHost=lambda: address, factory=factory or Site(Resource()))


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (IPv4Address("TCP", "0.0.0.0", 8880), "http://localhost:8880/"),
        (IPv6Address("TCP", "::", 8880), "http://localhost:8880/"),
        (IPv4Address("TCP", "127.0.0.1", 80), "http://127.0.0.1:80/"),
        (IPv6Address("TCP", "::1", 8880), "http://[::1]:8880/"),
        (UNIXAddress(b"/tmp/socket"), None),
    ],
)
def test_url_of_a_site(address: object, url: str | None) -> None:
    assert standby_log.url_of(port(address)) == url


def test_no_url_of_other_factories() -> None:
    assert standby_log.url_of(port(IPv4Address("TCP", "127.0.0.1", 80), factory=object())) is None


@contextmanager
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log started as in a process that has no handlers yet; taken back afterwards."""
    logger = logging.getLogger("sennit")
    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        patch.setattr(logger, "handlers", [])
        level = logger.level
        standby_log.start()
        yield
        logger.setLevel(level)


Capture = pytest.CaptureFixture[str]


def test_site_that_starts_is_told_with_its_url(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with started(monkeypatch):
        log.msg("Site starting on 8880", startingPort=port(IPv4Address("TCP", "0.0.0.0", 8880)))
    assert capsys.readouterr().err.endswith(" Site starting on 8880: http://localhost:8880/\n")


def test_other_records_are_told_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with started(monkeypatch):
        logging.getLogger("sennit.web").warning("it is late")
    assert capsys.readouterr().err.endswith(" it is late\n")


def test_debugging_is_not_told(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with started(monkeypatch):
        logging.getLogger("sennit.web").debug("it is early")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["", "sennit"])
def test_handler_of_the_program_ends_it(monkeypatch: pytest.MonkeyPatch, capsys: Capture, name: str) -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    with started(monkeypatch):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger("sennit").warning("it is late")
    assert capsys.readouterr().err == ""
    assert [record.getMessage() for record in records] == ["it is late"]
