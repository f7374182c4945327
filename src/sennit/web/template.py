"""Templates: pages made of XML, or of tags in Python, and of methods that fill them.

    class Greeting(Element):
        loader = XMLString('''
            <html xmlns:t="http://twistedmatrix.com/ns/twisted.web.template/0.1">
                <p t:render="greeting">Hello, <t:slot name="who" />!</p>
            </html>
        ''')

        @renderer
        async def greeting(self, request, tag):
            return tag.fillSlots(who=await findName(request))

    def render_GET(self, request):
        return renderElement(request, Greeting())

What can be in a template, and what a renderer may return: str (UTF-8) and bytes, which are escaped; tags,
slots, `CDATA`, `Comment`, `CharRef`; lists, tuples and iterators of these; objects that provide
`IRenderable`, as `Element` does; and what is still to come: Deferreds, coroutines and other awaitables, and
asynchronous iterators.
"""

from typing import Final

from sennit.web._template_element import Element, Expose, renderer
from sennit.web._template_flatten import flatten, flattenString
from sennit.web._template_interfaces import Flattenable, IRenderable, ITemplateLoader
from sennit.web._template_loaders import TagLoader, XMLFile, XMLString
from sennit.web._template_names import TEMPLATE_NAMESPACE, VALID_HTML_TAG_NAMES
from sennit.web._template_nodes import CDATA, CharRef, Comment, Tag, slot
from sennit.web._template_render import NOT_DONE_YET, renderElement

__all__ = [
    "CDATA",
    "NOT_DONE_YET",
    "TEMPLATE_NAMESPACE",
    "VALID_HTML_TAG_NAMES",
    "CharRef",
    "Comment",
    "Element",
    "Expose",
    "Flattenable",
    "IRenderable",
    "ITemplateLoader",
    "Tag",
    "TagLoader",
    "XMLFile",
    "XMLString",
    "flatten",
    "flattenString",
    "renderElement",
    "renderer",
    "slot",
    "tags",
]


class _TagFactory:
    """Makes tags: `tags.p`, `tags.del_` (one trailing underscore is dropped), `tags.transparent`.

    AttributeError for what is no element of HTML: a `Tag` of any name can be made with its class.
    """

    def __getattr__(self, tagName: str) -> Tag:
        if tagName == "transparent":
            return Tag("")
        name = tagName.removesuffix("_")
        if name not in VALID_HTML_TAG_NAMES:
            raise AttributeError(f"{name!r} is no element of HTML")
        return Tag(name)


tags: Final = _TagFactory()
