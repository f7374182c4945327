# Interface methods have no `self`, and zope.interface is not typed.
# mypy: disable-error-code="misc,no-untyped-def,no-untyped-call,no-redef"
"""What templates ask of others: elements that render, loaders that load; and what can be flattened."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import Any, Protocol, TypeAlias

from zope.interface import Interface

from sennit.web._template_nodes import CDATA, CharRef, Comment, Tag, slot


class Renderable(Protocol):
    """The static type of what provides IRenderable."""

    def lookupRenderMethod(self, name: str, /) -> Callable[[Any, Any], Any]:
        """The renderer of a name."""

    def render(self, request: Any, /) -> Any:
        """What is shown."""


# What can be in a template, and what a renderer may return.
Flattenable: TypeAlias = (
    bytes
    | str
    | Tag
    | slot
    | CDATA
    | Comment
    | CharRef
    | list[Any]
    | tuple[Any, ...]
    | Iterator[Any]
    | AsyncIterable[Any]
    | Awaitable[Any]
    | Renderable
)


class IRenderable(Interface):
    """Something that becomes part of a page."""

    def lookupRenderMethod(name):
        """Return the renderer `name` (str): a callable of (request, tag) that returns what is flattenable."""

    def render(request):
        """Return what is shown, something flattenable; renderers named in it are looked up here."""


class ITemplateLoader(Interface):
    """Something that has a template."""

    def load():
        """Return the template, a list of what is flattenable. It isn't changed by rendering."""
