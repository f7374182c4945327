"""What a request is answered with when its resource didn't answer it: errors raised, methods not supported,
results that are no response."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sennit._engine import Answer
from sennit.internet import defer
from sennit.python._later import asyncio, logging, traceback
from sennit.web._accesslog import escapeForLog
from sennit.web._codes import INTERNAL_SERVER_ERROR, NO_BODY_CODES, RESPONSES, SERVICE_UNAVAILABLE
from sennit.web.error import Error, PageRedirect, UnsupportedMethod
from sennit.web.pages import ErrorPageResource

if TYPE_CHECKING:
    from sennit.web.http import Request

_LOGGER = "sennit.web"

# Response headers that describe a body which is not sent in the end; they go before an error page is made.
_ABOUT_THE_BODY = (
    b"content-type",
    b"content-length",
    b"content-encoding",
    b"content-language",
    b"content-location",
    b"content-range",
    b"content-disposition",
    b"accept-ranges",
    b"etag",
    b"last-modified",
)
# Those that say how long to keep it; a program that raises `Error` may mean them for the error.
_ABOUT_CACHING = (b"cache-control", b"expires")


def fail(request: "Request", exception: BaseException, resource: object) -> None:
    """Answer a request whose traversal or rendering raised `exception`; `resource` is what was asked, or
    None."""
    if request.finished or request.disconnected_early:
        byDeparture = request.disconnected_early and isinstance(exception, ConnectionError | Error)
        if not (byDeparture or isinstance(exception, asyncio.CancelledError | defer.CancelledError)):
            # What a program's code meets when its client has left is not worth a line in the log.
            logFailure(request, exception)
    elif isinstance(exception, UnsupportedMethod):
        _refuseMethod(request, exception, resource)
    elif isinstance(exception, Error):
        _answerError(request, exception)
    elif isinstance(exception, asyncio.CancelledError):
        # Cancelled from outside while the client waits: the site is being stopped, or the program gave up.
        answerWithPage(request, SERVICE_UNAVAILABLE, None, None)
    else:
        logFailure(request, exception)
        answerMistake(request, lambda: "".join(traceback.format_exception(exception)))


def logFailure(request: "Request", exception: BaseException) -> None:
    """Log the traceback of a program's mistake."""
    logging.getLogger(_LOGGER).error(
        "Unhandled error while answering %s", _describe(request), exc_info=exception
    )


def answerMistake(request: "Request", details: Callable[[], str]) -> None:
    """Answer with a 500 page, which shows `details()` (plain text) only if the site displays tracebacks."""
    for name in _ABOUT_CACHING:
        request.responseHeaders.removeHeader(name)
    shown = details() if getattr(request.site, "displayTracebacks", False) else None
    answerWithPage(request, INTERNAL_SERVER_ERROR, None, "Processing Failed", shown)


def refuseResult(request: "Request", resource: object, result: object) -> None:
    """Answer a request whose render method returned what is no response."""
    hint = " (is a return missing?)" if result is None else ""
    problem = (
        f"{resource!r} answered {_describe(request)} with {result!r}{hint}: a render method returns bytes, "
        "str, an Answer, NOT_DONE_YET, an awaitable of these, or an iterator of chunks"
    )
    logging.getLogger(_LOGGER).error("%s", problem)
    answerMistake(request, lambda: problem)


def answerWithPage(
    request: "Request", code: int, brief: str | None, detail: str | None, preformatted: str | None = None
) -> None:
    """Answer with the site's page for an error. If the response has begun, it is cut off instead: the client
    is to see that it isn't whole."""
    if request.startedWriting:
        logging.getLogger(_LOGGER).warning(
            "The response to %s is cut off by an error (%d)", _describe(request), code
        )
        request.lose_connection()
        return
    _forgetBody(request)
    page = _pageFor(request, code, brief, detail, preformatted)
    try:
        result = page.render(request)
    except Exception as exception:
        logFailure(request, exception)
        result = ErrorPageResource(code, _phrase(code), detail or "").renderOwn(request)
    request.respond(result, page)


def _pageFor(
    request: "Request", code: int, brief: str | None, detail: str | None, preformatted: str | None
) -> Any:
    if preformatted is not None:
        return TracebackPage(code, _phrase(code), preformatted)
    makePage = getattr(request.site, "errorResource", None)
    if makePage is None or request._answersError:
        # The site's own page for an error has failed: no second try, or there would be no end of it.
        return _PlainPage(code, brief or _phrase(code), detail or "")
    request._answersError = True
    return makePage(code, brief, detail)


class _PlainPage(ErrorPageResource):
    """A page that the site can't replace."""

    def render(self, request: "Request") -> Answer:
        return self.renderOwn(request)


class TracebackPage(_PlainPage):
    """A page that shows a text as it is, for a site with `displayTracebacks`."""

    def makeHTML(self) -> bytes:
        """The page in HTML; what isn't ASCII becomes character references."""
        from html import escape

        brief, detail = escape(self.brief), escape(self.detail)
        return (
            f"<!DOCTYPE html>\n<html><head><title>{self.code} - {brief}</title></head>\n"
            f"<body><h1>{brief}</h1>\n<pre>{detail}</pre></body></html>\n"
        ).encode("ascii", "xmlcharrefreplace")


def _refuseMethod(request: "Request", exception: UnsupportedMethod, resource: Any) -> None:
    allowed = exception.allowedMethods
    if request.method == b"HEAD" and b"GET" in allowed and resource is not None and not request._askedAsGET:
        _askAsGET(request, resource)
        return
    from sennit.web import server

    code = 405 if request.method in server.supportedMethods else 501
    if allowed and not request.startedWriting:
        request.setHeader(b"Allow", b", ".join(allowed))
    method = request.method.decode("latin-1")
    methods = b", ".join(allowed).decode("latin-1") or "none"
    target = request.uri.decode("latin-1")
    answerWithPage(request, code, None, f"{target} can't be asked with {method}. Allowed methods: {methods}.")


def _askAsGET(request: "Request", resource: Any) -> None:
    """Answer HEAD with what GET gives, for a resource that knows GET alone; the body is left out."""
    request._askedAsGET = True
    request.method = b"GET"
    try:
        result = resource.render(request)
    except Exception as exception:
        request.method = b"HEAD"
        fail(request, exception, resource)
        return
    request.method = b"HEAD"
    request.respond(result, resource)


def _answerError(request: "Request", exception: Error) -> None:
    code = int(exception.status)
    if code < 200:
        logFailure(request, exception)
        answerMistake(request, lambda: f"{exception} can't be a final answer")
        return
    if isinstance(exception, PageRedirect) and exception.location and not request.startedWriting:
        request.setHeader(b"Location", exception.location)
    if request.startedWriting or (exception.response is None and code not in NO_BODY_CODES):
        message = None if exception.message is None else exception.message.decode("utf-8", "replace")
        phrase = _phrase(code)
        if code in RESPONSES:
            answerWithPage(request, code, phrase, None if message == phrase else message)
        else:
            answerWithPage(request, code, message or phrase, None)
        return
    _forgetBody(request)
    request.setResponseCode(code)
    request.respond(exception.response or b"", None)


def _forgetBody(request: "Request") -> None:
    for name in _ABOUT_THE_BODY:
        request.responseHeaders.removeHeader(name)
    request.etag = None
    request.lastModified = None


def _phrase(code: int) -> str:
    return RESPONSES.get(code, b"Unknown Status").decode("ascii")


def _describe(request: "Request") -> str:
    return f"{escapeForLog(request.method)} {escapeForLog(request.uri)}"
