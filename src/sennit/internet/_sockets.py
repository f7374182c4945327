"""Binding listening sockets: TCP, UNIX, and those that were made by somebody else."""

import errno
import fcntl
import os
import socket
import stat

from sennit.internet.error import CannotListenError


def listenOnTCP(port: int, interface: str, backlog: int) -> socket.socket:
    """A listening TCP socket; `interface` is an address or a name, "" for all of IPv4. Raises
    CannotListenError.
    """
    if not 0 <= port <= 65535:  # getaddrinfo would take it modulo 65536
        raise CannotListenError(interface, port, "a port is a number from 0 to 65535")
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    try:
        # A link-local address comes with its interface (fe80::1%eth0), which only getaddrinfo understands.
        address = (
            socket.getaddrinfo(interface, port, family, socket.SOCK_STREAM)[0][4] if interface else ("", port)
        )
    except OSError as error:
        raise CannotListenError(interface, port, error) from None
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of an earlier process that are still in TIME_WAIT don't block the port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        raise CannotListenError(interface, port, error) from None
    listening.setblocking(False)
    return listening


def duplicateListening(fileDescriptor: int, addressFamily: int) -> socket.socket:
    """A duplicate of a socket that is bound and listening already. Raises CannotListenError if it isn't
    that.
    """
    try:
        listening = socket.socket(addressFamily, socket.SOCK_STREAM, fileno=os.dup(fileDescriptor))
    except OSError as error:
        raise CannotListenError(None, f"descriptor {fileDescriptor}", error) from None
    try:
        accepting = listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        listening.close()
        raise CannotListenError(None, f"descriptor {fileDescriptor}", error) from None
    if not accepting:
        listening.close()
        raise CannotListenError(None, f"descriptor {fileDescriptor}", "it is not a listening socket")
    listening.setblocking(False)
    return listening


class UNIXListener:
    """A listening UNIX socket with its place in the file system."""

    def __init__(self, address: bytes, backlog: int, mode: int, wantPID: bool) -> None:
        """Bind and listen. Raises CannotListenError.

        A stale socket, one that nobody answers at, is removed before. `mode` are the permissions of the
        socket's file. With `wantPID` the file `address + ".lock"` is held locked, and contains this process's
        id. A name that begins with NUL is Linux's abstract kind, which has no files.
        """
        self.address = address
        self._isFile = not address.startswith(b"\0")
        self._lock: PIDLock | None = None
        self._identity: tuple[int, int] | None = None
        if wantPID and self._isFile:
            self._lock = PIDLock(address + b".lock")
            if not self._lock.acquire():
                raise CannotListenError(
                    None, address, f"another process holds {os.fsdecode(self._lock.path)}"
                )
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._bind(mode)
            self.socket.listen(backlog)
        except (OSError, ValueError) as error:
            self.socket.close()
            self.release()
            raise CannotListenError(None, address, error) from None
        self.socket.setblocking(False)

    def _bind(self, mode: int) -> None:
        try:
            self.socket.bind(self.address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not (self._isFile and _isStale(self.address)):
                raise
            os.unlink(self.address)
            self.socket.bind(self.address)
        if self._isFile:
            # Before listen(), so that nobody connects while the permissions are still the umask's.
            os.chmod(self.address, mode)
            self._identity = _identityOf(self.address)

    def release(self) -> None:
        """Remove the socket's file, unless another process has put its own there, and the lock."""
        if self._identity is not None and _identityOf(self.address) == self._identity:
            os.unlink(self.address)
        self._identity = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _identityOf(path: bytes) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _isStale(path: bytes) -> bool:
    """Whether `path` is a socket that no process listens on."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            probe.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


class PIDLock:
    """A file that is locked while this process lives, and contains its id.

    The kernel gives the lock back however the process ends, so none is ever stale.
    """

    def __init__(self, path: bytes) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Try to take it; whether that worked. OSError if the file can't be made."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            status = os.fstat(descriptor)
            if _identityOf(self.path) == (status.st_dev, status.st_ino):
                break
            os.close(descriptor)  # its holder has removed the file since we opened it: a new one is needed
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode("ascii"))
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Remove the file and give the lock back."""
        if self._descriptor is not None:
            os.unlink(self.path)
            os.close(self._descriptor)
            self._descriptor = None
