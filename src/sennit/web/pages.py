"""Pages for errors: resources that answer every method, there and below, with one status code and a short
text.

The form follows the request's `Accept`: HTML, problem details in JSON (RFC 9457) or plain text. What is shown
is escaped, and a site can put its own page in place of any of them (`Site.errorPages`).
"""

from typing import TYPE_CHECKING, Any, ClassVar

from sennit._engine import Answer
from sennit.web._negotiate import HTML, PROBLEM, TEXT, preferredForm
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web import http
    from sennit.web.resource import ResourceLike
    from sennit.web.server import Request

__all__ = ["errorPage", "forbidden", "notFound"]


def _fieldsFor(form: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"Content-Type", _CONTENT_TYPES[form]),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Vary", b"Accept"),
    )


_CONTENT_TYPES = {HTML: HTML + b"; charset=utf-8", PROBLEM: PROBLEM, TEXT: TEXT + b"; charset=utf-8"}


class ErrorPageResource(Resource):
    """The resource that `errorPage` makes. `code`, `brief` and `detail` can be read; changing them has no
    effect once the page has been shown."""

    # It answers for everything below it, so there is nothing to walk to, unless children are put there.
    isLeaf = True

    code: int
    brief: str
    detail: str
    # By form, and by the values of `Accept` that say no more than the form does (None: there is none).
    _answers: dict[bytes | None, Answer]

    def __init__(self, code: int, brief: str, detail: str) -> None:
        super().__init__()
        self.code = int(code)
        self.brief = brief
        self.detail = detail
        self._answers = {}

    def putChild(self, path: bytes | str, child: "ResourceLike") -> None:
        """Serve `child` below this page, which goes on to answer for everything else there."""
        self.isLeaf = False
        super().putChild(path, child)

    def getChild(self, path: bytes, request: "Request") -> Resource:
        """This page answers for everything below it too."""
        return self

    def render(self, request: "Request") -> Any:
        """Answer with the page, or with the one that the site has for this code."""
        replacements = getattr(request.site, "errorPages", None)
        if replacements:
            replacement = replacements.get(self.code, replacements.get(None, replacements.get(0)))
            if replacement is not None and replacement is not self:
                return self._replaced(replacement, request)
        return self.renderOwn(request)

    def renderOwn(self, request: "http.Request") -> Answer:
        """Answer with this page, whatever the site has."""
        accept: bytes | None = request.getHeader(b"accept")
        answer = self._answers.get(accept)
        return self._answerIn(preferredForm(accept)) if answer is None else answer

    def _answerIn(self, form: bytes) -> Answer:
        answer = self._answers.get(form)
        if answer is None:
            answer = self._answers[form] = Answer(self.code, _fieldsFor(form), self._makeBody(form))
            if form is HTML:
                # What most clients say: nothing, or that anything will do.
                self._answers[None] = self._answers[b"*/*"] = answer
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


class NoSuchChild(ErrorPageResource):
    """The 404 page that the default `Resource.getChild` makes: a new one each time, so that what a program
    does to it stays with its request, but with answers that all of them share."""

    code = 404
    brief = "No Such Resource"
    detail = "Sorry. No luck finding that resource."
    _answers: ClassVar[dict[bytes | None, Answer]] = {}

    def __init__(self) -> None:
        # Called for every address that doesn't exist: no more than what a resource must have.
        self.children = {}


def errorPage(code: int, brief: str, detail: str) -> Resource:
    """A page with a status code, for any method and any path below; `brief` is its heading, `detail` its
    text.

    Both are plain text and escaped where the form needs it. Children put below it with `putChild` are found
    first.
    """
    return ErrorPageResource(code, brief, detail)


def notFound(
    brief: str = NoSuchChild.brief, message: str = NoSuchChild.detail
) -> Resource:
    """A page with the code 404."""
    return ErrorPageResource(404, brief, message)


def forbidden(brief: str = "Forbidden Resource", message: str = "Sorry, resource is forbidden.") -> Resource:
    """A page with the code 403."""
    return ErrorPageResource(403, brief, message)
