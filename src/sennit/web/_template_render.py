"""A template as the response to a request."""

import asyncio
import logging
from typing import Any, Final

from sennit.internet import defer
from sennit.web._lifecycle import drained
from sennit.web._template_flatten import Flattener
from sennit.web._template_interfaces import Flattenable
from sennit.web.error import Error, FlattenerError, UnsupportedMethod

NOT_DONE_YET: Final = 1

_logger = logging.getLogger("sennit.web")

_MISTAKE = (
    '<div style="font-size: 200%; font-weight: bold; color: #fff; background: #b00; padding: 0.5em">'
    "An error occurred while rendering the response.</div>"
)


def renderElement(
    request: Any, element: Flattenable, doctype: bytes | str | None = b"<!DOCTYPE html>"
) -> int:
    """Answer `request` with `element` (anything flattenable) after `doctype` and a newline (None: without);
    returns NOT_DONE_YET, to be returned from a render method.

    A page that is complete before it had to wait and below 64 KiB is sent with its length; others go out
    piece by piece, as fast as the client takes them, and flattening is cancelled when the client leaves.

    If flattening fails before anything was sent, the request is answered as if its render method had raised
    the exception: `error.Error` in a renderer answers with its code, others with a 500. After that, a notice
    (with the site's `displayTracebacks` the traceback) ends the page, and the connection is closed so that
    the client knows it is not whole.
    """
    page = defer.ensureDeferred(_Page(request).show(element, doctype))
    if not page.called and hasattr(request, "notifyFinish"):
        request.notifyFinish().addErrback(lambda gone: page.cancel())
    return NOT_DONE_YET


class _Page:
    """One rendering of one page."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._prelude = b""
        self._started = False

    async def show(self, element: Flattenable, doctype: bytes | str | None) -> None:
        """Flatten and send, whatever happens."""
        if doctype is not None:
            self._prelude = (doctype.encode("utf-8") if isinstance(doctype, str) else doctype) + b"\n"
        flattener = Flattener(self._request, self._write, self._breathe)
        try:
            await flattener.run(element)
        except (asyncio.CancelledError, defer.CancelledError, FlattenerError) as error:
            if self._started:
                self._write(flattener.takeRest())
            self._fail(error)
        else:
            self._end(flattener.takeRest())

    def _write(self, data: bytes) -> None:
        self._started = True
        data, self._prelude = self._prelude + data, b""
        if data:
            self._request.write(data)

    async def _breathe(self) -> None:
        """After each piece of a large page: let others have their turn, and the client catch up."""
        request = self._request
        if asyncio._get_running_loop() is None or not hasattr(request, "on_drain"):
            return
        await asyncio.sleep(0)
        await drained(request)
        if request.disconnected_early:
            raise asyncio.CancelledError

    def _end(self, rest: bytes) -> None:
        request = self._request
        if (
            not self._started
            and not getattr(request, "startedWriting", False)
            and hasattr(request, "respond")
        ):
            request.respond(self._prelude + rest)
            return
        self._write(rest)
        request.finish()

    def _fail(self, error: BaseException) -> None:
        request = self._request
        cause: BaseException = error.args[0] if isinstance(error, FlattenerError) else error
        gone = getattr(request, "disconnected_early", False) or getattr(request, "finished", False)
        if not (gone or isinstance(cause, Error | UnsupportedMethod)):
            # Whoever reads the log wants to know where in the template it was.
            cause = error
        started = self._started or getattr(request, "startedWriting", False)
        if hasattr(request, "_failed") and (gone or not started):
            request._failed(cause, None)
            return
        # Not by the request's attributes: here comes what a test of a program has in its place, too.
        _logger.error("Unhandled error while flattening a template for %r", request, exc_info=cause)
        if not started:
            request.setResponseCode(500)
        self._write(self._notice(error))
        if hasattr(request, "loseConnection"):
            request.loseConnection()
        else:
            request.finish()

    def _notice(self, error: BaseException) -> bytes:
        if getattr(getattr(self._request, "site", None), "displayTracebacks", False):
            # Imported when needed: it brings the table of all entities of HTML.
            from html import escape

            return f"<pre>{escape(str(error))}</pre>".encode("utf-8", "replace")
        return _MISTAKE.encode("ascii")
