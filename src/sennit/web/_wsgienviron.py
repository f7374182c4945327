"""What of a WSGI application's environ Python makes (PEP 3333, "environ Variables"); the rest is the
engine's."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sennit.internet.address import UNIXAddress

if TYPE_CHECKING:
    from sennit.web.server import Request


def addressesOf(request: "Request") -> dict[str, str]:
    """The entries of a request whose addresses aren't just those of its connection."""
    secure = request.isSecure()
    host, client = request.getHost(), request.getClientAddress()
    defaultPort = "443" if secure else "80"
    # A trusted proxy may know better than the Host header.
    authority = request.getRequestAuthority()
    asked = {} if authority is None else {"HTTP_HOST": authority.decode("latin-1")}
    return asked | {
        "SERVER_NAME": request.getRequestHostname().decode("latin-1") or "localhost",
        "SERVER_PORT": defaultPort if isinstance(host, UNIXAddress) else str(host.port),
        "REMOTE_ADDR": "" if isinstance(client, UNIXAddress) else client.host,
        "REMOTE_PORT": "" if isinstance(client, UNIXAddress) else str(client.port),
        "wsgi.url_scheme": "https" if secure else "http",
    }


class FileWrapper:
    """`wsgi.file_wrapper`: a file object in blocks (PEP 3333, "Optional Platform-Specific File Handling")."""

    def __init__(self, filelike: Any, blksize: int = 65536) -> None:
        """`filelike` has `read(size)` and may have `close()`, which is called when the response is over."""
        self.filelike = filelike
        self.blksize = blksize

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._block, b"")

    def _block(self) -> bytes:
        block: bytes = self.filelike.read(self.blksize)
        return block

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()
