"""Error pages under the names they had before `sennit.web.pages`; kept for the programs and tutorials that
use them.

They differ from Twisted's in that what they show is escaped, and that `Accept` is looked at.
"""

import warnings
from typing import Any

from sennit.web.pages import ErrorPageResource


class ErrorPage(ErrorPageResource):
    """A page for any method and path below, with a status code. Use `sennit.web.pages.errorPage` instead.

    `status` is an int; `brief` and `detail` (str) are the heading and the text. A subclass or instance may
    set `template`, a %-format with `code`, `brief` and `detail`, which are escaped before they go in.
    """

    template: str | None = None

    def __init__(self, status: int, brief: str, detail: str) -> None:
        warnings.warn(
            f"{type(self).__name__} is kept for old programs: use sennit.web.pages instead",
            DeprecationWarning,
            stacklevel=2 if type(self) is ErrorPage else 3,
        )
        super().__init__(status, brief, detail)

    def makeHTML(self) -> bytes:
        """The page in HTML, from `template` if there is one."""
        if self.template is None:
            return super().makeHTML()
        from html import escape

        fields: dict[str, Any] = {
            "code": self.code,
            "brief": escape(self.brief),
            "detail": escape(self.detail),
        }
        return (self.template % fields).encode("utf-8")


class NoResource(ErrorPage):
    """A 404 page. Use `sennit.web.pages.notFound` instead."""

    def __init__(self, message: str = "Sorry. No luck finding that resource.") -> None:
        super().__init__(404, "No Such Resource", message)


class ForbiddenResource(ErrorPage):
    """A 403 page. Use `sennit.web.pages.forbidden` instead."""

    def __init__(self, message: str = "Sorry, resource is forbidden.") -> None:
        super().__init__(403, "Forbidden Resource", message)
