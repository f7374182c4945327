"""Loaders: where templates come from.

Templates in XML are parsed by expat. Nothing outside of the document is ever loaded; of what a document
declares itself, only short plain entities are taken, so that none can expand to more than the template is
worth. The entities of HTML (`&nbsp;`) are known without being declared.
"""

import os
import re
from typing import Any, NoReturn
from xml.parsers import expat
from xml.sax import SAXParseException
from xml.sax.xmlreader import Locator

from zope.interface import implementer

from sennit.web._template_interfaces import Flattenable, ITemplateLoader
from sennit.web._template_names import TEMPLATE_NAMESPACE
from sennit.web._template_nodes import CDATA, Comment, Tag, slot

# The longest value of an entity that a template declares. A reference has three bytes, so that this bounds
# how much larger than its source a template can be.
_LONGEST_ENTITY = 100
_REFERENCE = re.compile(r"&([A-Za-z_:][A-Za-z0-9_:.-]*);")
# Stands around the names of entities that nobody knows, a character that is none (Unicode section 23.7):
# expat would leave such entities out of attributes without a word.
_UNKNOWN = "\ufdd0"
_PREDEFINED = frozenset({"lt", "gt", "amp", "quot", "apos"})


@implementer(ITemplateLoader)
class TagLoader:
    """Loads a template that is made in Python: `TagLoader(tags.p("Hello"))`."""

    def __init__(self, tag: Flattenable) -> None:
        self.tag = tag

    def load(self) -> list[Any]:
        """A list with the tag."""
        return [self.tag]


@implementer(ITemplateLoader)
class XMLString:
    """Loads a template from XML in a str, or in bytes (in the encoding that it declares, else UTF-8).

    It is parsed once, here: xml.sax.SAXParseException tells the line of a mistake.
    """

    def __init__(self, s: str | bytes) -> None:
        if not isinstance(s, str | bytes):
            raise TypeError(f"XMLString takes a str or bytes, not {type(s).__name__}")
        self._template = parseTemplate(s, None)

    def load(self) -> list[Any]:
        """The template."""
        return self._template


@implementer(ITemplateLoader)
class XMLFile:
    """Loads a template from a file with XML: `path` is a path (str, bytes, os.PathLike), a FilePath, or a
    file open for reading.

    It is parsed when it is loaded for the first time, and then kept. Raises OSError if it can't be read, and
    xml.sax.SAXParseException with its name and the line of a mistake.
    """

    def __init__(self, path: Any) -> None:
        self._path = path
        self._template: list[Any] | None = None

    def load(self) -> list[Any]:
        """The template."""
        if self._template is None:
            self._template = self._read()
        return self._template

    def _read(self) -> list[Any]:
        path = self._path
        if hasattr(path, "read"):
            return parseTemplate(path.read(), getattr(path, "name", None))
        # Twisted's FilePath has its path, str or bytes, in an attribute.
        name = os.fsdecode(path if isinstance(path, str | bytes | os.PathLike) else path.path)
        with open(name, "rb") as file:
            return parseTemplate(file.read(), name)

    def __repr__(self) -> str:
        return f"<XMLFile of {self._path!r}>"


def parseTemplate(source: str | bytes, filename: str | None) -> list[Any]:
    """The parts of a template in XML; raises SAXParseException."""
    return _TemplateParser(source, filename).parse()


def _declaration(name: str, value: str | None) -> str:
    """A declaration of an entity of HTML, or of one that is not known."""
    if value is None:
        value = _UNKNOWN + name + _UNKNOWN
    # References in a declaration are resolved at once: twice, so that a < is text in the end and no markup.
    return f'<!ENTITY {name} "{"".join(f"&#38;#{ord(character)};" for character in value)}">'


class _Place(Locator):
    """Where in which file a mistake is."""

    def __init__(self, filename: str | None, line: int, column: int) -> None:
        self._place = filename, line, column

    def getSystemId(self) -> str | None:
        return self._place[0]

    def getPublicId(self) -> str | None:
        return None

    def getLineNumber(self) -> int:
        return self._place[1]

    def getColumnNumber(self) -> int:
        return self._place[2]


class _TemplateParser:
    """Makes the parts of a template from one XML document."""

    def __init__(self, source: str | bytes, filename: str | None) -> None:
        self._source = source
        self._filename = filename
        self._document: list[Any] = []
        # The lists that children go into, innermost last, and what these lists belong to.
        self._lists: list[list[Any]] = [self._document]
        self._owners: list[Any] = []
        # Prefixes to namespaces, one dict for each open element.
        self._namespaces: list[dict[str, str]] = [{"xml": "http://www.w3.org/XML/1998/namespace"}]
        self._cdata: list[str] | None = None
        self._readsOwnDTD = False
        self._parser = self._makeParser()

    def _makeParser(self) -> Any:
        parser: Any = expat.ParserCreate()
        parser.ordered_attributes = True
        # Not what a document type says the defaults are.
        parser.specified_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._startElement
        parser.EndElementHandler = self._endElement
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = self._comment
        parser.StartCdataSectionHandler = self._startCDATA
        parser.EndCdataSectionHandler = self._endCDATA
        parser.EntityDeclHandler = self._entityDeclared
        parser.SkippedEntityHandler = self._entitySkipped
        # expat asks for the external part of the document type, named or not; it gets ours in its place.
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_ALWAYS)
        parser.UseForeignDTD(True)
        parser.ExternalEntityRefHandler = self._readHTMLEntities
        return parser

    def parse(self) -> list[Any]:
        """Parse the document."""
        try:
            self._parser.Parse(self._source, True)
        except expat.ExpatError as error:
            text = expat.ErrorString(error.code)
            raise self._mistake(text, error.lineno, error.offset, error) from None
        return self._document

    # Mistakes

    def _mistake(
        self, text: str, line: int, column: int, cause: Exception | None = None
    ) -> SAXParseException:
        place = _Place(self._filename or "<template>", line, column)
        return SAXParseException(text, cause, place)

    def _refuse(self, text: str) -> NoReturn:
        raise self._mistake(text, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber)

    # Entities

    def _readHTMLEntities(self, context: str, base: str, system: str, public: str) -> int:
        source = self._source if isinstance(self._source, str) else self._source.decode("latin-1")
        names = set(_REFERENCE.findall(source)) - _PREDEFINED
        if names:
            # Imported when needed: it is a large table.
            from html.entities import html5

            declarations = [_declaration(name, html5.get(name + ";")) for name in sorted(names)]
            self._readsOwnDTD = True
            # What the template declares itself has come before, and the first declaration counts.
            self._parser.ExternalEntityParserCreate(context).Parse("".join(declarations), True)
            self._readsOwnDTD = False
        return 1

    def _entityDeclared(
        self,
        name: str,
        isParameter: int,
        value: str | None,
        base: Any,
        system: Any,
        public: Any,
        notation: Any,
    ) -> None:
        if self._readsOwnDTD:
            return
        if isParameter or value is None:
            self._refuse(
                f"the entity {name} is not plain text: templates have no external or parameter entities"
            )
        if len(value) > _LONGEST_ENTITY or "&" in value or "<" in value:
            self._refuse(f"the entity {name} is more than a short plain text")

    def _entitySkipped(self, name: str, isParameter: bool) -> None:
        if not isParameter:
            self._refuse(f"the entity {name} is not known")

    def _refuseUnknown(self, text: str) -> None:
        if _UNKNOWN in text:
            self._refuse(f"the entity {text.split(_UNKNOWN)[1]} is not known")

    # Elements

    def _startElement(self, rawName: str, rawAttributes: list[str]) -> None:
        pairs = list(zip(rawAttributes[::2], rawAttributes[1::2], strict=True))
        self._namespaces.append(self._declared(pairs))
        isTemplates, name = self._resolve(rawName, isAttribute=False)
        attributes: dict[bytes | str, Any] = {}
        render: str | None = None
        for key, value in pairs:
            self._refuseUnknown(value)
            if key == "xmlns" or key.startswith("xmlns:"):
                if value != TEMPLATE_NAMESPACE:
                    attributes[key] = value
                continue
            belongs, local = self._resolve(key, isAttribute=True)
            if not belongs:
                attributes[key] = value
            elif local == "render":
                render = value
            else:
                self._refuse(f"templates have no attribute {local!r} in their namespace, only 'render'")
        if isTemplates:
            self._startOwnElement(name, attributes, render)
        else:
            tag = Tag(rawName, attributes, [], render, self._filename, *self._position())
            self._open(tag, tag.children, isShown=True)

    def _startOwnElement(self, name: str, attributes: dict[bytes | str, Any], render: str | None) -> None:
        """An element of the template namespace."""
        if name == "transparent":
            tag = Tag("", attributes, [], render, self._filename, *self._position())
            self._open(tag, tag.children, isShown=True)
        elif name == "slot":
            if "name" not in attributes:
                self._refuse("a slot needs a name")
            place = slot(attributes["name"], attributes.get("default"), self._filename, *self._position())
            self._open(place, place.children, isShown=True)
        elif name == "attr":
            if "name" not in attributes:
                self._refuse("an attr element needs the name of the attribute")
            if not self._owners or not isinstance(self._owners[-1], Tag):
                self._refuse("an attr element must be inside the element whose attribute it sets")
            value = Tag("", {}, [], render, self._filename, *self._position())
            self._owners[-1].attributes[attributes["name"]] = value
            # Not a tag as far as attributes of its own are concerned.
            self._open(None, value.children, isShown=False)
        else:
            self._refuse(f"templates have no element {name!r} in their namespace")

    def _open(self, owner: Any, children: list[Any], isShown: bool) -> None:
        if isShown:
            self._lists[-1].append(owner)
        self._owners.append(owner)
        self._lists.append(children)

    def _endElement(self, name: str) -> None:
        self._lists.pop()
        self._owners.pop()
        self._namespaces.pop()

    def _position(self) -> tuple[int, int]:
        return self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber

    # Namespaces

    def _declared(self, attributes: list[tuple[str, str]]) -> dict[str, str]:
        """The namespaces inside an element with these attributes."""
        around = self._namespaces[-1]
        own = {
            key.removeprefix("xmlns").removeprefix(":"): value
            for key, value in attributes
            if key == "xmlns" or key.startswith("xmlns:")
        }
        return {**around, **own} if own else around

    def _resolve(self, name: str, isAttribute: bool) -> tuple[bool, str]:
        """Whether a name is of the template namespace, and its local part."""
        prefix, colon, local = name.rpartition(":")
        if not prefix and (isAttribute or colon):
            # An attribute without a prefix is in no namespace, whatever the default one is (XML Namespaces
            # section 6.2); a colon in front belongs to the name, for those who write `:class` with Vue.
            return False, name
        namespace = self._namespaces[-1].get(prefix)
        if namespace is None and prefix:
            self._refuse(f"the prefix of {name!r} is not declared")
        return namespace == TEMPLATE_NAMESPACE, local

    # Text

    def _text(self, data: str) -> None:
        if self._cdata is not None:
            self._cdata.append(data)
            return
        self._refuseUnknown(data)
        parts = self._lists[-1]
        if parts and type(parts[-1]) is str:
            parts[-1] += data
        else:
            parts.append(data)

    def _comment(self, data: str) -> None:
        self._lists[-1].append(Comment(data))

    def _startCDATA(self) -> None:
        self._cdata = []

    def _endCDATA(self) -> None:
        self._lists[-1].append(CDATA("".join(self._cdata or ())))
        self._cdata = None
