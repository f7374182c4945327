"""Exceptions of the web room, and the way to answer with any status code from anywhere: raise `Error`.

`NoResource`, `ErrorPage` and `ForbiddenResource` can be imported from here as well, since the tutorials of
the time before Twisted 8 did so; new programs use `sennit.web.pages`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sennit.web._codes import RESPONSES

if TYPE_CHECKING:
    from sennit.web._oldpages import ErrorPage, ForbiddenResource, NoResource

__all__ = [
    "Error",
    "ErrorPage",
    "ExcessiveBufferingError",
    "FlattenerError",
    "ForbiddenResource",
    "InfiniteRedirection",
    "MissingRenderMethod",
    "MissingTemplateLoader",
    "NoResource",
    "PageRedirect",
    "RedirectWithNoLocation",
    "RenderError",
    "SchemeNotSupported",
    "UnexposedMethodError",
    "UnfilledSlot",
    "UnsupportedMethod",
    "UnsupportedType",
]


class UnsupportedMethod(Exception):
    """A resource doesn't support the request's method: answered with 405, or with 501 for an unknown method.

    `allowedMethods` are the methods (bytes or str) that it does support; they are sent as the `Allow` header.
    A single string, or anything that is not a sequence, raises TypeError.
    """

    allowedMethods: tuple[bytes, ...]

    def __init__(self, allowedMethods: Sequence[bytes | str], *args: object) -> None:
        if isinstance(allowedMethods, str | bytes | bytearray) or not isinstance(allowedMethods, Sequence):
            raise TypeError(f"allowedMethods must be a sequence of method names, not {allowedMethods!r}")
        super().__init__(allowedMethods, *args)
        self.allowedMethods = tuple(
            name.encode("ascii") if isinstance(name, str) else bytes(name) for name in allowedMethods
        )

    def __str__(self) -> str:
        return f"only {b', '.join(self.allowedMethods).decode('latin-1')} allowed"


class Error(Exception):
    """An HTTP status as an exception: raised in traversal or rendering, it answers the request with that
    code.

    `code` is an int from 100 to 999 (an `http.HTTPStatus` too), or its three digits as bytes or str; anything
    else raises ValueError. `message` (bytes or str) is shown on the error page and defaults to the registered
    reason phrase. `response` (bytes or str), if given, is the body to send in place of an error page.
    """

    status: bytes
    message: bytes | None
    response: bytes | None

    def __init__(
        self, code: int | bytes | str, message: bytes | str | None = None, response: bytes | str | None = None
    ) -> None:
        number = _statusNumber(code)
        self.status = b"%d" % number
        self.message = RESPONSES.get(number) if message is None else _toBytes(message)
        self.response = None if response is None else _toBytes(response)
        super().__init__(self.status, self.message, self.response)

    def __str__(self) -> str:
        status = self.status.decode("ascii")
        return f"{status} {self.message.decode('utf-8', 'replace')}" if self.message else status


class PageRedirect(Error):
    """A redirect as an exception: `location` (bytes or str) becomes the `Location` header."""

    location: bytes | None

    def __init__(
        self,
        code: int | bytes | str,
        message: bytes | str | None = None,
        response: bytes | str | None = None,
        location: bytes | str | None = None,
    ) -> None:
        super().__init__(code, message, response)
        self.location = None if location is None else _toBytes(location)
        if self.location and self.message:
            self.message = self.message + b" to " + self.location


class InfiniteRedirection(PageRedirect):
    """Redirects go round in a circle, or there are too many of them."""


class RedirectWithNoLocation(Error):
    """A redirect that doesn't say where to; `uri` is the address that gave it."""

    uri: bytes

    def __init__(self, code: int | bytes | str, message: bytes | str, uri: bytes | str) -> None:
        super().__init__(code, message)
        self.uri = _toBytes(uri)
        self.message = (self.message or b"") + b" to " + self.uri


class SchemeNotSupported(Exception):
    """The scheme of a URI is not one that can be used here."""


def _statusNumber(code: int | bytes | str) -> int:
    if isinstance(code, int):
        number = int(code)
    else:
        digits = _toBytes(code)
        number = int(digits) if len(digits) == 3 and digits.isdigit() else 0
    if not 100 <= number <= 999:
        raise ValueError(f"not a status code: {code!r}")
    return number


def _toBytes(value: bytes | str) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else value


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Loaded when asked for: these pages are resources, and resources import this module.
        if name in ("ErrorPage", "NoResource", "ForbiddenResource"):
            from sennit.web import _oldpages

            return getattr(_oldpages, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class RenderError(Exception):
    """Something is wrong with a template, or with what renders it."""


class MissingRenderMethod(RenderError):
    """`element` has no renderer for the name `renderName` (str) that its template asks for."""

    def __init__(self, element: object, renderName: str) -> None:
        super().__init__(element, renderName)
        self.element = element
        self.renderName = renderName

    def __str__(self) -> str:
        return f"{self.element!r} has no renderer named {self.renderName!r}"


class MissingTemplateLoader(RenderError):
    """`element` was to be rendered and has no loader."""

    def __init__(self, element: object) -> None:
        super().__init__(element)
        self.element = element

    def __str__(self) -> str:
        return f"{self.element!r} has no loader, so there is no template"


class UnexposedMethodError(Exception):
    """A method was asked for through something that marks methods, and isn't marked or isn't there."""


class UnfilledSlot(Exception):
    """A slot has neither been filled nor a default; its argument is the slot's name."""

    def __str__(self) -> str:
        return f"the slot {self.args[0]!r} was not filled" if self.args else "a slot was not filled"


class UnsupportedType(Exception):
    """A template has something in it that can't be shown (an int or None, say); its argument is that."""

    def __str__(self) -> str:
        if not self.args:
            return "this can't be shown in a template"
        return f"{type(self.args[0]).__name__} can't be shown in a template: {self.args[0]!r}"


class FlattenerError(Exception):
    """Flattening a template ended with `exception`.

    `roots` are the parts of the template that it was in, outermost first; `traceback` is what
    `traceback.extract_tb` gives for the exception. The three are `args`; the text shows them all.
    """

    def __init__(self, exception: Exception, roots: Sequence[object], traceback: Sequence[object]) -> None:
        super().__init__(exception, roots, traceback)

    def __str__(self) -> str:
        from traceback import format_exception_only, format_list

        exception, roots, frames = self.args
        lines: list[str] = []
        for root in roots:
            line = f"  {_describeRoot(root)}\n"
            if lines[-1:] != [line]:
                lines.append(line)
        text = "".join(lines + format_list(frames) + format_exception_only(exception))
        return f"a template could not be flattened:\n{text}"


class ExcessiveBufferingError(Exception):
    """More was written than a connection may hold back."""


# Of a text or a repr, what is enough to recognize it by.
_SHOWN = 60


def _describeRoot(root: Any) -> str:
    """A part of a template, in one line, with its place if that is known."""
    if isinstance(root, str | bytes):
        return repr(root) if len(root) <= _SHOWN else repr(root[:_SHOWN]) + "..."
    name = getattr(root, "tagName", None)
    if name is None:
        name = getattr(root, "name", None)
    line = getattr(root, "lineNumber", None)
    if isinstance(name, str | bytes) and isinstance(line, int):
        text = name if isinstance(name, str) else name.decode("utf-8", "replace")
        return f'File "{root.filename or "<template>"}", line {line}, column {root.columnNumber}, in "{text}"'
    if isinstance(name, str | bytes) and hasattr(root, "children"):
        return f"{type(root).__name__} {name!r}"
    try:
        text = repr(root)
    except Exception:
        text = object.__repr__(root)
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "..."
