"""A failure as a part of a page."""

import linecache
from typing import Any

from sennit.python.failure import Failure
from sennit.python.reflect import qual, safe_str
from sennit.web._template_element import Element, renderer
from sennit.web._template_loaders import TagLoader
from sennit.web._template_nodes import Tag

# Lines of code shown before and after the one of a frame.
_AROUND = 2


class FailureElement(Element):
    """Shows a failure: its type, its value, and the lines of code that led there. Not to be shown to
    strangers.

    A template of one's own, given as `loader`, has `t:render="type"`, `"value"` and `"traceback"`.
    """

    def __init__(self, failure: Failure, loader: Any = None) -> None:
        super().__init__(loader if loader is not None else TagLoader(_template()))
        self.failure = failure

    @renderer
    def type(self, request: Any, tag: Tag) -> Tag:
        """The full name of the exception's class."""
        return tag(qual(self.failure.type))

    @renderer
    def value(self, request: Any, tag: Tag) -> Tag:
        """The exception as text."""
        return tag(safe_str(self.failure.value))

    @renderer
    def traceback(self, request: Any, tag: Tag) -> Tag:
        """The frames, the outermost first, each with the code around its line."""
        return tag(*(_frame(*frame[:3]) for frame in self.failure.frames))


def _template() -> Tag:
    heading = Tag("p", {"class": "error"})
    heading(Tag("span", render="type"), ": ", Tag("span", render="value"))
    return Tag("div", {"class": "failure"})(heading, Tag("ol", {"class": "frames"}, render="traceback"))


def _frame(function: str, file: str, line: int) -> Tag:
    code = Tag("pre")
    for number in range(max(1, line - _AROUND), line + _AROUND + 1):
        text = linecache.getline(file, number)
        if text:
            code(Tag("strong")(text) if number == line else text)
    return Tag("li")(Tag("code")(f"{file}:{line}"), " in ", Tag("code")(function), code)
