"""Processes that answer requests: their environment (RFC 3875 section 4.1), and the pipes to them."""

import asyncio
import os
import signal
import tempfile
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from sennit._engine import cgi_variables
from sennit.internet._processes import reasonOf
from sennit.web._lifecycle import drained
from sennit.web._parsing import unquote
from sennit.web.error import Error
from sennit.web.http import BAD_REQUEST

if TYPE_CHECKING:
    from sennit.web.server import Request

# How much is read from a script at a time, in bytes.
_PIECE = 65536
# A body without a length is kept in memory up to this size, in bytes, and on disk from there on.
_IN_MEMORY = 100_000
# How many seconds a process has to end by itself once it is told to.
_TERM_GRACE = 2.0

_CREDENTIALS = frozenset(["HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"])


def environmentFor(
    request: "Request", scriptFile: str, software: str, withCredentials: bool
) -> dict[str, str]:
    """The meta-variables of a request, without CONTENT_LENGTH, and the server's own environment, without what
    could pass for a meta-variable."""
    variables = cgi_variables(request)
    del variables["wsgi.url_scheme"], variables["CONTENT_LENGTH"]
    for name in ("PATH_INFO", "CONTENT_TYPE"):
        if not variables[name]:
            del variables[name]
    if not withCredentials:
        # Section 4.1.18: others of the same user could read them.
        variables = {name: value for name, value in variables.items() if name not in _CREDENTIALS}
    variables.update(
        GATEWAY_INTERFACE="CGI/1.1",
        SERVER_SOFTWARE=software,
        SCRIPT_FILENAME=scriptFile,
        REQUEST_URI=request.uri.decode("latin-1"),
    )
    told = {name: os.fsdecode(value.encode("latin-1", "replace")) for name, value in variables.items()}
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HTTP_", "CONTENT_"))}
    return {**own, **told}


def argumentsOf(request: "Request") -> list[str]:
    """The words of a query without `=` (section 4.4), as the script's arguments. There are none if one of
    them could be taken for an option: PHP once obeyed what strangers had in their links."""
    query = request.uri.partition(b"?")[2]
    if not query or b"=" in query or request.method not in (b"GET", b"HEAD"):
        return []
    words = [os.fsdecode(unquote(word)) for word in query.split(b"+")]
    return [] if any(word.startswith("-") for word in words) else words


class RequestBody:
    """The body of a request, as a script is to get it: with its length known before."""

    def __init__(self, length: int, request: "Request", spooled: IO[bytes] | None) -> None:
        self.length = length
        self._request = request
        self._spooled = spooled

    @classmethod
    async def of(cls, request: "Request") -> "RequestBody":
        """The body of a request, which is collected first if it comes without a length."""
        length = request.getHeader(b"content-length")
        if length is not None:
            return cls(int(length), request, None)
        spooled = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by close
        try:
            async for piece in request.stream():
                spooled.write(piece)
        except BaseException:
            spooled.close()
            raise
        size = spooled.tell()
        spooled.seek(0)
        return cls(size, request, spooled)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, as fast as it comes."""
        if self._spooled is None:
            async for piece in self._request.stream():
                yield piece
        else:
            while piece := self._spooled.read(_PIECE):
                yield piece

    def close(self) -> None:
        """Let go of what was collected."""
        if self._spooled is not None:
            self._spooled.close()


async def exchange(
    request: "Request",
    protocol: Any,
    command: Sequence[str],
    environment: Mapping[str, str],
    directory: str,
    body: RequestBody,
) -> None:
    """Run a command: `body` goes to its standard input, what it prints to `protocol`, an IProcessProtocol.

    It is ended when this is cancelled, or raises. Raises OSError if it can't be started, and what reading the
    body and the protocol raise.
    """
    try:
        process, transport = await _start(command, environment, directory)
    except ValueError:
        # A NUL, which only a percent-encoded path or query can have brought in.
        raise Error(BAD_REQUEST) from None
    feeding = asyncio.ensure_future(_feed(process, body))
    # Whoever is interested in its exception asks for it; else it must not be logged as forgotten.
    feeding.add_done_callback(lambda fed: fed.cancelled() or fed.exception())
    listening = asyncio.ensure_future(_listen(process, protocol))
    try:
        assert process.stdout is not None
        while data := await process.stdout.read(_PIECE):
            protocol.outReceived(data)
            if request.write_blocked:
                await drained(request)
        if feeding.done() and (trouble := feeding.exception()) is not None:
            raise trouble
        protocol.outConnectionLost()
        await listening
        protocol.processEnded(reasonOf(await process.wait()))
    finally:
        feeding.cancel()
        listening.cancel()
        await _end(process)
        transport.close()


async def _start(
    command: Sequence[str], environment: Mapping[str, str], directory: str
) -> tuple[Process, asyncio.SubprocessTransport]:
    # As asyncio.create_subprocess_exec does it, which doesn't tell the transport: that must be closed before
    # the loop is, also where something that the script has started holds the pipes open.
    loop = asyncio.get_running_loop()
    transport, streams = await loop.subprocess_exec(
        lambda: SubprocessStreamProtocol(_PIECE, loop),
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        cwd=directory,
        # A group of its own: what the script starts is ended with it.
        start_new_session=True,
    )
    return Process(transport, streams, loop), transport


async def _feed(process: Process, body: RequestBody) -> None:
    """Write a body to the process; what is wrong with the body ends the process."""
    assert process.stdin is not None
    try:
        async for piece in body.pieces():
            process.stdin.write(piece)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        # The script doesn't want the rest.
        pass
    except Exception:
        _signal(process, signal.SIGTERM)
        raise
    finally:
        process.stdin.close()


async def _listen(process: Process, protocol: Any) -> None:
    assert process.stderr is not None
    while data := await process.stderr.read(_PIECE):
        protocol.errReceived(data)


async def _end(process: Process) -> None:
    """Have a process and all of its group end: asked at first, then killed."""
    if process.returncode is not None:
        return
    try:
        _signal(process, signal.SIGTERM)
        async with asyncio.timeout(_TERM_GRACE):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        # It has ended, and its group with it.
        pass
