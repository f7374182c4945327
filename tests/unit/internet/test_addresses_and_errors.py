"""Addresses as values, and what errors say."""

import socket

import pytest

from sennit.internet import error, interfaces
from sennit.internet._addresses import fromSocketAddress
from sennit.internet.address import IPv4Address, IPv6Address, UNIXAddress


def test_addresses_are_values() -> None:
    assert IPv4Address("TCP", "1.2.3.4", 80) == IPv4Address("TCP", "1.2.3.4", 80)
    assert IPv4Address("TCP", "1.2.3.4", 80) != IPv4Address("UDP", "1.2.3.4", 80)
    assert len({IPv6Address("TCP", "::1", 80), IPv6Address("TCP", "::1", 80, 0, 0)}) == 1
    assert UNIXAddress("/run/x") == UNIXAddress(b"/run/x")
    assert hash(UNIXAddress(None)) == hash(UNIXAddress(None))


def test_address_provides_IAddress_and_checks_its_type() -> None:
    assert interfaces.IAddress.providedBy(UNIXAddress(None))
    for kind in (IPv4Address, IPv6Address):
        assert interfaces.IAddress.providedBy(kind("TCP", "x", 1))
        with pytest.raises(ValueError, match="'SCTP'"):
            kind("SCTP", "x", 1)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (("1.2.3.4", 80), IPv4Address("TCP", "1.2.3.4", 80)),
        (("::1", 80, 1, 2), IPv6Address("TCP", "::1", 80, 1, 2)),
        (("::1", 80), IPv6Address("TCP", "::1", 80)),
        ("/run/x", UNIXAddress(b"/run/x")),
        (b"\0abstract", UNIXAddress(b"\0abstract")),
        ("", UNIXAddress(None)),
        (None, UNIXAddress(None)),
    ],
)
def test_socket_address_becomes_address(given: object, address: object) -> None:
    assert fromSocketAddress(given) == address


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (
            error.CannotListenError("", 80, OSError(98, "Address already in use")),
            "Couldn't listen on any:80: Address already in use.",
        ),
        (error.CannotListenError("::1", 80, "x"), "Couldn't listen on [::1]:80: x."),
        (
            error.CannotListenError(None, b"/run/x", PermissionError(13, "No")),
            "Couldn't listen on /run/x: No.",
        ),
        (
            error.CannotListenError("nowhere", 80, socket.gaierror(-2, "Name not known")),
            "Couldn't listen on nowhere:80: Name not known.",
        ),
        (error.ConnectionDone(), "Connection was closed cleanly."),
        (
            error.ConnectionLost(OSError("x")),
            "Connection to the other side was lost in a non-clean fashion: x.",
        ),
        (error.ConnectionAborted(), "Connection was aborted locally."),
        (error.TimeoutError(), "User timeout caused connection failure."),
        (error.ConnectError("refused"), "An error occurred while connecting: refused."),
        (error.AlreadyCalled(), "Tried to cancel an already-called event."),
        (error.AlreadyCancelled(), "Tried to cancel an already-cancelled event."),
        (
            error.ProcessTerminated(exitCode=3),
            "A process has ended with a probable error condition: process ended with exit code 3.",
        ),
        (
            error.ProcessTerminated(signal=9),
            "A process has ended with a probable error condition: process ended by signal 9.",
        ),
    ],
)
def test_errors_say_what_happened(raised: Exception, text: str) -> None:
    assert str(raised) == text


def test_errors_have_the_bases_programs_catch() -> None:
    assert issubclass(error.ConnectionAborted, error.ConnectionLost)
    assert issubclass(error.ConnectionLost, error.ConnectionClosed)
    assert issubclass(error.CannotListenError, error.BindError)
    assert issubclass(error.TimeoutError, error.UserError)
    assert error.ProcessDone().exitCode == 0
