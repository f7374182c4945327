"""The exceptions of the event loop, its connections and its processes."""

import os
import socket
from typing import Any

__all__ = [
    "AlreadyCalled",
    "AlreadyCancelled",
    "BindError",
    "CannotListenError",
    "ConnectError",
    "ConnectionAborted",
    "ConnectionClosed",
    "ConnectionDone",
    "ConnectionLost",
    "NotConnectingError",
    "PeerVerifyError",
    "ProcessDone",
    "ProcessExitedAlready",
    "ProcessTerminated",
    "ReactorAlreadyRunning",
    "ReactorNotRestartable",
    "ReactorNotRunning",
    "TimeoutError",
    "UserError",
]


class _Described(Exception):
    """An exception whose text begins with what its class means, followed by its arguments."""

    meaning = ""

    def __str__(self) -> str:
        details = " ".join(str(argument) for argument in self.args)
        return f"{self.meaning}: {details}." if details else f"{self.meaning}."


class BindError(_Described):
    """An address could not be bound."""

    meaning = "An error occurred binding to an interface"


class CannotListenError(BindError):
    """A server could not listen: `interface` (str, empty or None for any), `port` (int, or a path),
    `socketError`.
    """

    def __init__(self, interface: str | None, port: int | str | bytes, socketError: object) -> None:
        super().__init__(interface, port, socketError)
        self.interface = interface
        self.port = port
        self.socketError = socketError

    def __str__(self) -> str:
        reason = self.socketError
        if isinstance(reason, socket.gaierror):
            reason = reason.args[-1]
        elif isinstance(reason, OSError) and reason.strerror:
            reason = reason.strerror
        if isinstance(self.port, int):
            interface = self.interface or "any"
            where = f"[{interface}]:{self.port}" if ":" in interface else f"{interface}:{self.port}"
        else:
            where = os.fsdecode(self.port)
        return f"Couldn't listen on {where}: {reason}."


class ConnectError(_Described):
    """A connection could not be made."""

    meaning = "An error occurred while connecting"

    def __init__(self, osError: object = None, string: str = "") -> None:
        super().__init__(*(argument for argument in (osError, string) if argument))
        self.osError = osError


class UserError(ConnectError):
    """The program itself ended the attempt to connect."""

    meaning = "User aborted connection"


class TimeoutError(UserError):
    """Something took longer than the program allowed."""

    meaning = "User timeout caused connection failure"


class NotConnectingError(RuntimeError):
    """An attempt to connect was stopped that was not under way."""


class PeerVerifyError(_Described):
    """The peer's certificate could not be verified."""

    meaning = "Could not verify peer"


class ConnectionClosed(Exception):
    """A connection is over, cleanly or not."""


class ConnectionLost(ConnectionClosed, _Described):
    """A connection ended in an error."""

    meaning = "Connection to the other side was lost in a non-clean fashion"


class ConnectionAborted(ConnectionLost):
    """A connection was reset at the program's own request."""

    meaning = "Connection was aborted locally"


class ConnectionDone(ConnectionClosed, _Described):
    """A connection was closed in order."""

    meaning = "Connection was closed cleanly"


class AlreadyCalled(ValueError):
    """A delayed call was changed that has run already."""

    def __str__(self) -> str:
        return self.args[0] if self.args else "Tried to cancel an already-called event."


class AlreadyCancelled(ValueError):
    """A delayed call was changed that has been cancelled."""

    def __str__(self) -> str:
        return self.args[0] if self.args else "Tried to cancel an already-cancelled event."


class ReactorNotRunning(RuntimeError):
    """The reactor was told to stop, but isn't running, or is stopping already."""


class ReactorAlreadyRunning(RuntimeError):
    """The reactor was told to run while it, or another event loop in this thread, is running."""


class ReactorNotRestartable(RuntimeError):
    """For programs that catch it; Sennit's reactor can be run again and never raises it."""


class _ProcessEnded(ConnectionClosed):
    """A child process is over: `exitCode` (int or None), `signal` (int or None), `status` as `os.waitpid`
    gives it.
    """

    meaning = ""

    def __init__(self, status: Any = None, exitCode: int | None = None, signal: int | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.exitCode = exitCode
        self.signal = signal

    def __str__(self) -> str:
        details = self.meaning
        if self.exitCode is not None:
            details += f" with exit code {self.exitCode}"
        if self.signal is not None:
            details += f" by signal {self.signal}"
        return details + "."


class ProcessDone(_ProcessEnded):
    """A child process ended with exit code 0."""

    meaning = "A process has ended without apparent errors: process finished"

    def __init__(self, status: Any = None) -> None:
        super().__init__(status, exitCode=0)


class ProcessTerminated(_ProcessEnded):
    """A child process ended with another exit code, or by a signal."""

    meaning = "A process has ended with a probable error condition: process ended"

    def __init__(self, exitCode: int | None = None, signal: int | None = None, status: Any = None) -> None:
        super().__init__(status, exitCode, signal)


class ProcessExitedAlready(Exception):
    """A process was signalled that has ended."""
