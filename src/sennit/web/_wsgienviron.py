"""What a WSGI application is told of a request (PEP 3333, "environ Variables")."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from sennit.internet.address import UNIXAddress
from sennit.python import log

if TYPE_CHECKING:
    from sennit.web.server import Request

Environ: TypeAlias = dict[str, Any]


@lru_cache(maxsize=1024)
def _environName(name: bytes) -> str | None:
    """The key of a request header in the environ; None for one that isn't passed on.

    A name with an underscore would be taken for one with a hyphen, which somebody in front of this server may
    have set or removed. Proxy would become HTTP_PROXY, which programs take for a setting of their own. The
    other two have keys without HTTP_, and may have no others (PEP 3333, "environ Variables").
    """
    lower = name.lower()
    if b"_" in lower or lower in (b"proxy", b"content-type", b"content-length"):
        return None
    return "HTTP_" + lower.decode("latin-1").upper().replace("-", "_")


def environOf(request: "Request", inThread: bool) -> Environ:
    secure = request.isSecure()
    script, path = _scriptAndPath(request.prepath, request.postpath)
    host, client = request.getHost(), request.getClientAddress()
    port = (443 if secure else 80) if isinstance(host, UNIXAddress) else host.port
    remote = ("", "") if isinstance(client, UNIXAddress) else (client.host, str(client.port))
    contentType: bytes = request.getHeader(b"content-type") or b""
    contentLength: bytes = request.getHeader(b"content-length") or b""
    environ: Environ = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": script,
        "PATH_INFO": path,
        "QUERY_STRING": request.uri.partition(b"?")[2].decode("latin-1"),
        "CONTENT_TYPE": contentType.decode("latin-1"),
        "CONTENT_LENGTH": contentLength.decode("latin-1"),
        "SERVER_NAME": request.getRequestHostname().decode("latin-1") or "localhost",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": request.clientproto.decode("latin-1"),
        "REMOTE_ADDR": remote[0],
        "REMOTE_PORT": remote[1],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if secure else "http",
        "wsgi.errors": ErrorLog(),
        "wsgi.multithread": inThread,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        # Not of PEP 3333, but common: the input ends where the body does, so that one without a length, which
        # comes in chunks, can be read.
        "wsgi.input_terminated": True,
    }
    for name, values in request.requestHeaders.getAllRawHeaders():
        key = _environName(name)
        if key is not None:
            # RFC 9110 section 5.3, and RFC 6265 section 5.4 for the one field that has no commas.
            separator = b"; " if key == "HTTP_COOKIE" else b","
            value = values[0] if len(values) == 1 else separator.join(values)
            environ[key] = value.decode("latin-1")
    authority = request.getRequestAuthority()
    if authority is not None:
        # A trusted proxy may know better than the Host header.
        environ["HTTP_HOST"] = authority.decode("latin-1")
    return environ


def _scriptAndPath(prepath: list[bytes], postpath: list[bytes]) -> tuple[str, str]:
    """SCRIPT_NAME and PATH_INFO: each empty or with a slash before it, and not both empty."""
    script = b"/" + b"/".join(prepath) if prepath else b""
    path = b"/" + b"/".join(postpath) if postpath else b""
    if script.endswith(b"/") and not path:
        # The resource itself stands for a trailing slash, which belongs to the path.
        script, path = script[:-1], b"/"
    return script.decode("latin-1"), path.decode("latin-1")


class ErrorLog:
    """`wsgi.errors`: each line becomes an error in the log."""

    # The beginning of a line whose end is to come.
    _rest = ""

    def write(self, text: str) -> int:
        """Log the complete lines, and keep the rest until its line ends or `flush` is called."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}")
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            log.msg(line, system="wsgi", isError=1)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each; they bring their line ends along."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log an incomplete line as it is."""
        if self._rest:
            rest, self._rest = self._rest, ""
            log.msg(rest, system="wsgi", isError=1)
