"""Pages for errors: resources that answer every method, there and below, with one status code and a short
text.

The form follows the request's `Accept`: HTML, problem details in JSON (RFC 9457) or plain text. What is shown
is escaped, and a site can put its own page in place of any of them (`Site.errorPages`).
"""

from typing import TYPE_CHECKING, Any

from sennit._engine import Answer
from sennit.web._negotiate import HTML, PROBLEM, TEXT, preferredForm
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web import http
    from sennit.web.iweb import ResourceLike
    from sennit.web.server import Request

__all__ = ["errorPage", "forbidden", "notFound"]


def _fieldsFor(form: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"Content-Type", _CONTENT_TYPES[form]),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Vary", b"Accept"),
    )


# How many answers a page finds by `Accept` as it came, and the longest such value: clients choose them.
_MOST_KEPT = 32
_LONGEST_KEPT = 512

_CONTENT_TYPES = {HTML: HTML + b"; charset=utf-8", PROBLEM: PROBLEM, TEXT: TEXT + b"; charset=utf-8"}


class ErrorPageResource(Resource):
    """The resource that `errorPage` makes. `code`, `brief` and `detail` can be read; changing them has no
    effect once the page has been shown."""

    # It answers for everything below it, so there is nothing to walk to, unless children are put there.
    isLeaf = True

    def __init__(self, code: int, brief: str, detail: str) -> None:
        super().__init__()
        self.code = int(code)
        self.brief = brief
        self.detail = detail
        # By form and, for the values of `Accept` that came first, by these too (None: no such header).
        self._answers: dict[bytes | None, Answer] = {}

    def putChild(self, path: bytes | str, child: "ResourceLike") -> None:
        """Serve `child` below this page, which goes on to answer for everything else there."""
        self.isLeaf = False
        super().putChild(path, child)

    def getChild(self, path: bytes, request: "Request") -> Resource:
        """This page answers for everything below it too."""
        return self

    def render(self, request: "Request") -> Any:
        """Answer with the page, or with the one that the site has for this code."""
        # Scanners of a site get little else than pages: as little is done here as can be.
        try:
            replacements = request.site.errorPages
        except AttributeError:
            replacements = None
        if replacements:
            replacement = replacements.get(self.code, replacements.get(None, replacements.get(0)))
            if replacement is not None and replacement is not self:
                return self._replaced(replacement, request)
        accept = request.getHeader(b"accept")
        answer = self._answers.get(accept)
        return self._answerTo(accept) if answer is None else answer

    def renderOwn(self, request: "http.Request") -> Answer:
        """Answer with this page, whatever the site has."""
        accept: bytes | None = request.getHeader(b"accept")
        answer = self._answers.get(accept)
        return self._answerTo(accept) if answer is None else answer

    def _answerTo(self, accept: bytes | None) -> Answer:
        form = preferredForm(accept)
        answer = self._answers.get(form)
        if answer is None:
            answer = self._answers[form] = Answer(self.code, _fieldsFor(form), self._makeBody(form))
        if len(self._answers) < _MOST_KEPT and (accept is None or len(accept) <= _LONGEST_KEPT):
            self._answers[accept] = answer
        return answer

    def _makeBody(self, form: bytes) -> bytes:
        if form is HTML:
            return self.makeHTML()
        return self.makeProblem() if form is PROBLEM else self.makeText()

    def makeHTML(self) -> bytes:
        """The page in HTML."""
        # Imported when needed: the table of all HTML entities that comes with it costs a slow start.
        from html import escape

        brief = escape(self.brief)
        paragraph = f"<p>{escape(self.detail)}</p>\n" if self.detail else ""
        return (
            f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
            f"<title>{self.code} - {brief}</title></head>\n"
            f"<body>\n<h1>{brief}</h1>\n{paragraph}</body>\n</html>\n"
        ).encode("utf-8", "replace")

    def makeProblem(self) -> bytes:
        """The page as problem details (RFC 9457 section 3.1)."""
        import json

        problem = {"type": "about:blank", "title": self.brief, "status": self.code}
        if self.detail:
            problem["detail"] = self.detail
        return json.dumps(problem).encode("ascii") + b"\n"

    def makeText(self) -> bytes:
        """The page as plain text."""
        paragraph = f"\n{self.detail}\n" if self.detail else ""
        return f"{self.code} - {self.brief}\n{paragraph}".encode("utf-8", "replace")

    def _replaced(self, replacement: Any, request: "Request") -> Any:
        request.setResponseCode(self.code)
        if isinstance(replacement, ErrorPageResource):
            # Not asked for a replacement of its own, so that two pages can't send each other round in a
            # circle.
            return replacement.renderOwn(request)
        if hasattr(replacement, "render"):
            return replacement.render(request)
        return replacement(request, self.code, self.brief, self.detail)


class SharedPage(ErrorPageResource):
    """A page that many resources have in common: nobody's to put children below."""

    def putChild(self, path: bytes | str, child: "ResourceLike") -> None:
        """Raises RuntimeError: what is put here for one address would be found below others."""
        raise RuntimeError(
            f"this {self.code} page is shared by all resources: put {child!r} below a page of its own, as "
            "sennit.web.pages.notFound() makes one"
        )


def errorPage(code: int, brief: str, detail: str) -> Resource:
    """A page with a status code, for any method and any path below; `brief` is its heading, `detail` its
    text.

    Both are plain text and escaped where the form needs it. Children put below it with `putChild` are found
    first.
    """
    return ErrorPageResource(code, brief, detail)


def notFound(
    brief: str = "No Such Resource", message: str = "Sorry. No luck finding that resource."
) -> Resource:
    """A page with the code 404."""
    return ErrorPageResource(404, brief, message)


def forbidden(brief: str = "Forbidden Resource", message: str = "Sorry, resource is forbidden.") -> Resource:
    """A page with the code 403."""
    return ErrorPageResource(403, brief, message)
