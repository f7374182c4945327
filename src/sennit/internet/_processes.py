"""Child processes of the reactor."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zope.interface import implementer

from sennit.internet._calls import runLogged
from sennit.internet._reactor_base import LoopChooser
from sennit.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from sennit.internet.interfaces import IProcessTransport, IReactorProcess
from sennit.python._later import asyncio, subprocess
from sennit.python.failure import Failure

# How much is read at a time, in bytes.
_PIECE = 65536


def reasonOf(status: int) -> Failure:
    """Why a process is said to have ended: of its exit status, negative for the number of a signal."""
    if status == 0:
        return Failure(ProcessDone(status))
    # The status that the failure has is as os.waitpid gives it.
    if status < 0:
        return Failure(ProcessTerminated(signal=-status, status=-status))
    return Failure(ProcessTerminated(exitCode=status, status=status << 8))


@implementer(IReactorProcess)
class ReactorProcesses(LoopChooser):
    """Starting other programs."""

    def spawnProcess(
        self,
        processProtocol: Any,
        executable: str | bytes,
        args: Sequence[str | bytes] = (),
        env: Mapping[Any, Any] | None = None,
        path: str | bytes | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool | int = False,
        childFDs: Mapping[int, str | int] | None = None,
    ) -> ProcessTransport:
        """Start a program; `processProtocol` is told of what it prints and of its end.

        `args` are all its arguments, its own name first. `env` is its environment, this process's by
        default; `path` the directory that it runs in; `uid` and `gid` whom it runs as. `childFDs` says what
        its descriptors 0, 1 and 2 are: "w" for one that is written to here, "r" for one that is read, or a
        descriptor of this process to be handed on; those left out are /dev/null. By default all of the three
        are pipes.

        Returns its IProcessTransport. Raises OSError if it can't be started, and ValueError for a terminal
        (`usePTY`) and other descriptors, which there are not.
        """
        if usePTY:
            raise ValueError("there are no processes with a terminal")
        wanted = {0: "w", 1: "r", 2: "r"} if childFDs is None else dict(childFDs)
        if not wanted.keys() <= {0, 1, 2} or wanted.get(0) == "r" or "w" in (wanted.get(1), wanted.get(2)):
            raise ValueError(f"a process has the descriptors 0 to write to, 1 and 2 to read, not {wanted}")
        pipes: list[Any] = [
            subprocess.PIPE if isinstance(given := wanted.get(fd, subprocess.DEVNULL), str) else given
            for fd in range(3)
        ]
        process = subprocess.Popen(
            list(args) or [executable],
            executable=executable,
            stdin=pipes[0],
            stdout=pipes[1],
            stderr=pipes[2],
            env=env,
            cwd=path,
            user=uid,
            group=gid,
            bufsize=0,
        )
        return ProcessTransport(self._loop(), process, processProtocol)


@implementer(IProcessTransport)
class ProcessTransport:
    """The way to a child process. `pid` is None once it has ended."""

    disconnecting = False

    def __init__(
        self, loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes], protocol: Any
    ) -> None:
        self.pid: int | None = process.pid
        self._loop = loop
        self._process = process
        self._protocol = protocol
        self._reason: Failure | None = None
        self._ended = False
        # The pipes that are open, by the child's descriptor.
        self._pipes = {
            fd: pipe for fd, pipe in enumerate((process.stdin, process.stdout, process.stderr)) if pipe
        }
        self._outgoing = bytearray()
        protocol.makeConnection(self)
        for fd, pipe in list(self._pipes.items()):
            os.set_blocking(pipe.fileno(), False)
            if fd:
                loop.add_reader(pipe.fileno(), self._read, fd)
        _awaitEnd(loop, process, self._exited)

    def _tell(self, method: str, *args: Any) -> None:
        runLogged(getattr(self._protocol, method), args, {})

    # Its output

    def _read(self, fd: int) -> None:
        try:
            data = os.read(self._pipes[fd].fileno(), _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._tell("childDataReceived", fd, data)
        else:
            self.closeChildFD(fd)

    # Its input

    def write(self, data: bytes) -> None:
        """Write to its standard input, as fast as it reads; nothing happens if that is closed."""
        if 0 in self._pipes and not self.disconnecting:
            self._outgoing += data
            self._flush()

    def writeSequence(self, seq: Iterable[bytes]) -> None:
        """Write several pieces."""
        self.write(b"".join(seq))

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """Write to a descriptor of it, which can only be 0: KeyError otherwise."""
        if childFD != 0:
            raise KeyError(childFD)
        self.write(data)

    def _flush(self) -> None:
        descriptor = self._pipes[0].fileno()
        try:
            sent = os.write(descriptor, bytes(self._outgoing[:_PIECE])) if self._outgoing else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            # It doesn't want the rest.
            self._outgoing.clear()
            self._close(0)
            return
        del self._outgoing[:sent]
        if self._outgoing:
            self._loop.add_writer(descriptor, self._flush)
            return
        self._loop.remove_writer(descriptor)
        if self.disconnecting:
            self._close(0)

    # Its end

    def closeStdin(self) -> None:
        """Close its standard input, once all that was written has been sent."""
        self.closeChildFD(0)

    def closeStdout(self) -> None:
        """Read its standard output no more."""
        self.closeChildFD(1)

    def closeStderr(self) -> None:
        """Read its standard error no more."""
        self.closeChildFD(2)

    def closeChildFD(self, descriptor: int) -> None:
        """Close the pipe to one of its descriptors."""
        if descriptor == 0 and self._outgoing:
            self.disconnecting = True
        else:
            self._close(descriptor)

    def _close(self, fd: int) -> None:
        pipe = self._pipes.pop(fd, None)
        if pipe is None:
            return
        self._loop.remove_reader(pipe.fileno())
        self._loop.remove_writer(pipe.fileno())
        pipe.close()
        self._tell("childConnectionLost", fd)
        self._endIfOver()

    def loseConnection(self) -> None:
        """Close all pipes to it."""
        for fd in range(3):
            self.closeChildFD(fd)

    def signalProcess(self, signalID: str | int) -> None:
        """Send it a signal: a number, or a name as "KILL" or "TERM". Raises ProcessExitedAlready if it has
        ended, ValueError for a name that there isn't."""
        if isinstance(signalID, str):
            try:
                signalID = signal.Signals["SIG" + signalID.removeprefix("SIG")]
            except KeyError:
                raise ValueError(f"there is no signal {signalID!r}") from None
        if self.pid is None:
            raise ProcessExitedAlready()
        os.kill(self.pid, signalID)

    def _exited(self, status: int) -> None:
        self.pid = None
        self._reason = reasonOf(status)
        self._tell("processExited", self._reason)
        self._close(0)
        self._endIfOver()

    def _endIfOver(self) -> None:
        if self._reason is not None and not self._pipes and not self._ended:
            self._ended = True
            self._tell("processEnded", self._reason)

    # What a transport has

    def getPeer(self) -> tuple[str]:
        """There is no address."""
        return ("process",)

    getHost = getPeer


def _awaitEnd(
    loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes], ended: Callable[[int], None]
) -> None:
    """Have `ended(status)` called in the loop when the process has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        # Not Linux, or an old one: a thread waits.
        def wait() -> None:
            status = process.wait()
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended, status)

        threading.Thread(target=wait, name=f"waits for {process.pid}", daemon=True).start()
        return

    def readable() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        ended(process.wait())

    loop.add_reader(descriptor, readable)
