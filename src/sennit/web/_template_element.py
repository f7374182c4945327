"""Elements: a template together with the methods that fill it."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from zope.interface import implementer

from sennit.web._template_interfaces import Flattenable, IRenderable
from sennit.web.error import MissingRenderMethod, MissingTemplateLoader, UnexposedMethodError

_F = TypeVar("_F", bound=Callable[..., Any])
_NO_DEFAULT: Any = object()
_MARK = "_exposedToTemplates"


class Expose:
    """Marks methods that templates may call; `renderer` is the one instance."""

    def __call__(self, method: _F) -> _F:
        """Mark a method `(self, request, tag)`, which returns something flattenable, as a renderer."""
        setattr(method, _MARK, True)
        return method

    def get(self, instance: object, methodName: str, default: Any = _NO_DEFAULT) -> Any:
        """The renderer `methodName` of `instance`, else `default`; UnexposedMethodError without one.

        A method of that name which is not marked counts as none: templates can't call what isn't meant for
        them.
        """
        method = getattr(instance, methodName, None)
        if method is not None and getattr(method, _MARK, False):
            return method
        if default is _NO_DEFAULT:
            raise UnexposedMethodError(self, methodName)
        return default


renderer: Final = Expose()


@implementer(IRenderable)
class Element:
    """A part of a page: a template, and methods marked with `renderer` that fill it.

        class Greeting(Element):
            loader = XMLString('<p xmlns:t="..." t:render="name" />')

            @renderer
            async def name(self, request, tag):
                return tag(await findName(request))

    `loader` is what loads the template, as a class attribute or given to `__init__`.
    """

    loader: Any = None

    def __init__(self, loader: Any = None) -> None:
        if loader is not None:
            self.loader = loader

    def lookupRenderMethod(self, name: str) -> Callable[[Any, Any], Flattenable]:
        """The method for `t:render="name"`; raises MissingRenderMethod if none is marked."""
        method: Callable[[Any, Any], Flattenable] | None = renderer.get(self, name, None)
        if method is None:
            raise MissingRenderMethod(self, name)
        return method

    def render(self, request: Any) -> Flattenable:
        """The template, for the request; raises MissingTemplateLoader without a loader."""
        if self.loader is None:
            raise MissingTemplateLoader(self)
        template: Flattenable = self.loader.load()
        return template
