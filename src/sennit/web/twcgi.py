"""CGI programs (RFC 3875) as resources.

    root.putChild("cgi-bin", CGIDirectory("/srv/cgi-bin"))
    files.processors = {".cgi": CGIScript}

A program is started for each request: its environment tells of the request, its standard input is the body,
and what it prints is the response. Bodies are streamed both ways.
"""

import os
import re
import stat
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from sennit.internet.protocol import ProcessProtocol
from sennit.python import log
from sennit.python.filepath import FilePath
from sennit.web._cgiprocess import RequestBody, argumentsOf, environmentFor, exchange
from sennit.web._static_names import isSafeName, look
from sennit.web.error import Error
from sennit.web.http import FOUND, INTERNAL_SERVER_ERROR, NOT_FOUND, SERVICE_UNAVAILABLE
from sennit.web.pages import notFound
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, version

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = ["CGIDirectory", "CGIProcessProtocol", "CGIScript", "FilteredScript"]

# More than this before the empty line, in bytes, is no head.
_LONGEST_HEAD = 65536
# For the number of programs that run.
_counting = threading.Lock()
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"([2-9]\d\d)(?:[ \t]+([^\x00-\x08\x0a-\x1f\x7f]*))?")
# Fields that are the server's, or concern the connection (RFC 3875 section 6.3.4, RFC 9110 section 7.6.1).
_NOT_THE_SCRIPTS = frozenset(
    [b"server", b"date", b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"]
)


class CGIDirectory(Resource, FilePath[str]):  # type: ignore[misc]  # children: as Resource has it
    """A directory whose files are CGI programs, all of them; there is no listing. Symbolic links are followed
    within it only."""

    # Which program it is must be known before the body comes, for that to be passed on as it comes.
    streamsBody = True

    def __init__(self, pathname: str | bytes | os.PathLike[str]) -> None:
        Resource.__init__(self)
        FilePath.__init__(self, os.path.abspath(os.fsdecode(pathname)))
        self._root = self.path

    def getChild(self, path: bytes | str, request: "Request") -> Any:
        """The program, or the directory, of a name."""
        try:
            name = path.decode("utf-8") if isinstance(path, bytes) else path
        except UnicodeDecodeError:
            return notFound()
        if not isSafeName(name):
            return notFound()
        found = os.path.join(self.path, name)
        info = look(found, self._root)
        if info is None:
            return notFound()
        if not stat.S_ISDIR(info.st_mode):
            return CGIScript(found)
        below = CGIDirectory(found)
        below._root = self._root
        return below

    def render(self, request: "Request") -> Any:
        """Answer 404."""
        return notFound(message="CGI directories do not support directory listing.").render(request)


class CGIScript(Resource):
    """Answers with what the program `filename` prints, which is started for each request in its own
    directory.

    What it prints to its standard error is logged. When the client leaves, it gets SIGTERM, and SIGKILL if it
    has not ended two seconds later, and so does all that it has started.
    """

    isLeaf = True
    # The script reads the body while it is still being sent.
    streamsBody = True

    # Whether the script gets the Authorization header: its environment can be read by others of the same
    # user.
    passCredentials = False
    # More programs than this, of all scripts together, don't run at a time; further requests get 503. None:
    # any number may.
    maxProcesses: int | None = 64

    _running: ClassVar[int] = 0

    def __init__(
        self, filename: str | bytes | os.PathLike[str], registry: Any = None, reactor: Any = None
    ) -> None:
        """`registry` and `reactor` are not used: processors of files are called with the one, programs for
        Twisted pass the other."""
        super().__init__()
        self.filename = os.path.abspath(os.fsdecode(filename))

    def render(self, request: "Request") -> Any:
        """Run the program. It is told of the query's words as arguments, if the query has no `=`."""
        if not os.path.isfile(self.filename):
            raise Error(NOT_FOUND)
        if self.maxProcesses is not None and CGIScript._running >= self.maxProcesses:
            raise Error(SERVICE_UNAVAILABLE)
        software = version.decode("ascii")
        environment = environmentFor(request, self.filename, software, self.passCredentials)
        return self.runProcess(environment, request, argumentsOf(request))

    def runProcess(self, env: dict[str, str], request: "Request", qargs: Sequence[str] = ()) -> Any:
        """Run the program with an environment and arguments, and answer with what it prints. Override to
        change them."""
        return self._run([self.filename, *qargs], env, request)

    @classmethod
    def _count(cls, change: int) -> None:
        # Event loops in several threads may begin and end programs at the same time.
        with _counting:
            CGIScript._running += change

    async def _run(self, command: list[str], env: dict[str, str], request: "Request") -> int:
        CGIScript._count(1)
        body = None
        try:
            body = await RequestBody.of(request)
            if body.length or request.getHeader(b"content-length") is not None:
                env = {**env, "CONTENT_LENGTH": str(body.length)}
            directory = os.path.dirname(self.filename)
            protocol = CGIProcessProtocol(request, self.filename)
            await exchange(request, protocol, command, env, directory, body)
        finally:
            CGIScript._count(-1)
            if body is not None:
                body.close()
        return NOT_DONE_YET


class FilteredScript(CGIScript):
    """Answers with what the program `filter` prints, which is called with the path of the file `filename`: an
    interpreter, as a rule. A subclass sets `filter`."""

    filter: str = "/usr/bin/cat"

    def runProcess(self, env: dict[str, str], request: "Request", qargs: Sequence[str] = ()) -> Any:
        """Run the filter."""
        return self._run([self.filter, self.filename, *qargs], env, request)


class CGIProcessProtocol(ProcessProtocol):
    """Makes the response to `request` of what a CGI program prints (RFC 3875 section 6)."""

    def __init__(self, request: "Request", script: str | None = None) -> None:
        self.request = request
        self._name = script or "CGI script"
        self._head: bytes | None = b""
        self._errorLine = b""

    def outReceived(self, data: bytes) -> None:
        """Take output: headers at first, after them the body. Raises Error for what are no headers."""
        if self._head is None:
            self.request.write(data)
            return
        self._head += data
        end = _HEAD_END.search(self._head)
        if end is None:
            if len(self._head) > _LONGEST_HEAD:
                raise self._mistake(f"no end of the headers within {_LONGEST_HEAD} bytes")
            return
        head, body = self._head[: end.start()], self._head[end.end() :]
        self._head = None
        self._answerWith(head)
        # Also without a body: the client is to have the head now.
        self.request.write(body)

    def _answerWith(self, head: bytes) -> None:
        request = self.request
        # Section 6.3.1: the script says what type its body has, or there is none.
        request.defaultContentType = None
        code: int | None = None
        for line in head.split(b"\n"):
            name, colon, value = line.rstrip(b"\r").partition(b":")
            value = value.strip(b" \t")
            lower = name.strip(b" \t").lower()
            if not colon:
                raise self._mistake(f"no header: {line[:200]!r}")
            if lower == b"status":
                code = self._setStatus(value)
            elif lower not in _NOT_THE_SCRIPTS:
                self._addHeader(lower, name, value)
        if code is None and request.responseHeaders.hasHeader(b"location"):
            # Section 6.2.3; a local one (6.2.2) is the client's to follow as well.
            request.setResponseCode(FOUND)

    def _setStatus(self, value: bytes) -> int:
        found = _STATUS.fullmatch(value)
        if found is None:
            raise self._mistake(f"no status: {value[:200]!r}")
        code = int(found[1])
        self.request.setResponseCode(code, found[2])
        return code

    def _addHeader(self, lower: bytes, name: bytes, value: bytes) -> None:
        request = self.request
        try:
            if lower == b"set-cookie" and request.cookies:
                # These would replace the ones that are set as headers.
                request.cookies.append(value)
            elif lower in (b"content-type", b"content-length", b"location"):
                request.responseHeaders.setRawHeaders(name, [value])
            else:
                request.responseHeaders.addRawHeader(name, value)
        except ValueError as trouble:
            raise self._mistake(str(trouble)) from None

    def _mistake(self, what: str) -> Error:
        log.msg(f"{self._name}: {what}", system="cgi", isError=1)
        return Error(INTERNAL_SERVER_ERROR, "The CGI script made no valid response")

    def outConnectionLost(self) -> None:
        """Finish the response. Raises Error if there is none."""
        if self._head is not None:
            raise self._mistake("it ended before its headers did")
        self.request.finish()

    def errReceived(self, data: bytes) -> None:
        """Log the lines of the script's standard error."""
        *lines, self._errorLine = (self._errorLine + data).split(b"\n")
        if len(self._errorLine) > _LONGEST_HEAD:
            lines, self._errorLine = [*lines, self._errorLine], b""
        for line in lines:
            log.msg(f"{self._name}: {line.decode('utf-8', 'backslashreplace')}", system="cgi", isError=1)

    def processEnded(self, reason: Any) -> None:
        """Log how the program has ended, unless it is with status 0: `reason` is a Failure of ProcessDone or
        ProcessTerminated."""
        if self._errorLine:
            self.errReceived(b"\n")
        ended = reason.value
        if ended.exitCode != 0:
            how = f"status {ended.exitCode}" if ended.signal is None else f"signal {ended.signal}"
            log.msg(f"{self._name} ended with {how}", system="cgi", isError=1)
