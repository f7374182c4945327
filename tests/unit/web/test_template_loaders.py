"""Templates in XML: what becomes of each construct, and what is refused."""

import io
from pathlib import Path
from typing import Any
from xml.sax import SAXParseException

import pytest

from sennit.web.template import TEMPLATE_NAMESPACE, Tag, TagLoader, XMLFile, XMLString, slot, tags
from tests.unit.web.test_template_flatten import flat

NS = f'xmlns:t="{TEMPLATE_NAMESPACE}"'


def shown(source: str | bytes) -> str:
    return flat(XMLString(source).load()).decode()


def mistake(source: str | bytes) -> SAXParseException:
    with pytest.raises(SAXParseException) as caught:
        XMLString(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>a<b> c </b>\n</p>", "<p>a<b> c </b>\n</p>"),
        ("<p/>", "<p></p>"),
        ("<br></br>", "<br />"),
        ("<p>&lt;&amp;&#233;</p>", "<p>&lt;&amp;é</p>"),
        ('<p b="1" a="&quot;"/>', '<p b="1" a="&quot;"></p>'),
        ("<p><!-- c --><![CDATA[a<b]]></p>", "<p><!-- c --><![CDATA[a<b]]></p>"),
        ("<!-- a --><p/><!-- b -->", "<!-- a --><p></p><!-- b -->"),
        ("<?xml version='1.0'?><!DOCTYPE html><?pi x?><p/>", "<p></p>"),
        ("<p a='&nbsp;'>&nbsp;&eacute;&lt;</p>", '<p a="\xa0">\xa0é&lt;</p>'),
        ("<p>&LT;&AMP;b</p>", "<p>&lt;&amp;b</p>"),
        ("<p><![CDATA[&unknown;]]><!-- &unknown; --></p>", "<p><![CDATA[&unknown;]]><!-- &unknown; --></p>"),
        ('<!DOCTYPE html PUBLIC "x" "http://localhost:1/x.dtd"><p>&copy;</p>', "<p>©</p>"),
        ('<!DOCTYPE p [<!ENTITY who "me">]><p a="&who;">&who;</p>', '<p a="me">me</p>'),
        ('<!DOCTYPE p [<!ENTITY nbsp "own">]><p>&nbsp;</p>', "<p>own</p>"),
        ('<!DOCTYPE p [<!ATTLIST p big CDATA "x">]><p/>', "<p></p>"),
        ('<p xmlns="urn:a" xmlns:s="urn:b" s:c="d"></p>', '<p xmlns="urn:a" xmlns:s="urn:b" s:c="d"></p>'),
        ('<s:p xmlns:s="urn:b"/>', '<s:p xmlns:s="urn:b"></s:p>'),
        ('<p :class="x"/>', '<p :class="x"></p>'),
        (f'<p {NS} a="b"/>', '<p a="b"></p>'),
        (f'<transparent xmlns="{TEMPLATE_NAMESPACE}">x</transparent>', "x"),
        (f'<u:transparent xmlns:u="{TEMPLATE_NAMESPACE}">x<p/></u:transparent>', "x<p></p>"),
        (f'<p {NS}><t:slot name="a" default="d" /></p>', "<p>d</p>"),
        (f'<p {NS}>a<t:attr name="x">1<b>"</b></t:attr>b</p>', '<p x="1&lt;b&gt;&quot;&lt;/b&gt;">ab</p>'),
        (f'<p {NS} x="old"><t:attr name="x"/></p>', '<p x=""></p>'),
    ],
)
def test_constructs_are_loaded(source: str, expected: str) -> None:
    assert shown(source) == expected
    assert shown(source.encode()) == expected


@pytest.mark.parametrize(
    "source",
    [
        '<?xml version="1.0" encoding="iso-8859-1"?><p>é</p>'.encode("latin-1"),
        '<?xml version="1.0" encoding="iso-8859-1"?><p>é</p>',
        "<p>é</p>".encode("utf-16"),
    ],
)
def test_encodings_are_honoured(source: str | bytes) -> None:
    assert shown(source) == "<p>é</p>"


def test_render_is_taken_from_the_namespace_alone() -> None:
    tag: Any = XMLString(f'<p {NS} t:render="a" render="b"><i t:render="c"/></p>').load()[0]
    assert tag.render == "a"
    assert tag.attributes == {"render": "b"}
    assert tag.children[0].render == "c"


def test_parts_know_their_places() -> None:
    tag: Any = XMLString(f'<p {NS}>\n  <t:slot name="a" />\n</p>').load()[0]
    place = next(child for child in tag.children if isinstance(child, slot))
    assert (tag.lineNumber, tag.columnNumber) == (1, 0)
    assert (place.lineNumber, place.columnNumber) == (2, 2)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>", "no element"),
        ("<p></q>", "mismatched"),
        ("", "no element"),
        ("<p>&unknown;</p>", "unknown is not known"),
        ("<p a='x&unknown;'/>", "unknown is not known"),
        ("<t:slot name='a'/>", "prefix"),
        ("<p t:render='a'/>", "prefix"),
        (f"<p {NS}><t:slot/></p>", "needs a name"),
        (f"<p {NS}><t:attr/></p>", "needs the name"),
        (f'<t:attr {NS} name="x"/>', "inside the element"),
        (f'<p {NS}><t:attr name="x"><t:attr name="y"/></t:attr></p>', "inside the element"),
        (f"<p {NS}><t:other/></p>", "no element 'other'"),
        (f'<p {NS} t:other="x"/>', "no attribute 'other'"),
    ],
)
def test_mistakes_are_told_with_their_place(source: str, text: str) -> None:
    error = mistake(source)
    assert text in str(error)
    assert error.getLineNumber() == 1


@pytest.mark.parametrize(
    "declarations",
    [
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY a PUBLIC "x" "http://localhost:1/">',
        '<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;',
        '<!ENTITY % a "x">',
        '<!ENTITY b "0123456789"><!ENTITY a "&b;&b;&b;&b;">',
        f'<!ENTITY a "{"x" * 1000}">',
        '<!ENTITY a "<b/>">',
    ],
)
def test_entities_that_expand_are_refused(declarations: str) -> None:
    assert "entity" in str(mistake(f"<!DOCTYPE p [{declarations}]><p>&a;</p>"))


def test_deep_templates_are_loaded() -> None:
    assert shown("<b>" * 3000 + "</b>" * 3000).startswith("<b><b>")


def test_string_is_parsed_once() -> None:
    loader = XMLString("<p/>")
    assert loader.load()[0] is loader.load()[0]


def test_string_refuses_other_types() -> None:
    with pytest.raises(TypeError):
        XMLString(Path("x"))  # type: ignore[arg-type]


def test_tag_loader_loads_its_tag() -> None:
    tag = tags.p()
    assert TagLoader(tag).load() == [tag]


class FilePathDouble:
    def __init__(self, path: str | bytes) -> None:
        self.path = path


@pytest.mark.parametrize(
    "kind",
    [
        lambda path: path,
        str,
        lambda path: bytes(path),
        lambda path: FilePathDouble(str(path)),
        lambda path: FilePathDouble(bytes(path)),
        lambda path: io.BytesIO(path.read_bytes()),
        lambda path: io.StringIO(path.read_text()),
    ],
)
def test_file_is_loaded_from_every_kind_of_path(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "page.xml"
    path.write_text("<p>x</p>")
    assert flat(XMLFile(kind(path)).load()) == b"<p>x</p>"


def test_file_is_parsed_at_the_first_load(tmp_path: Path) -> None:
    path = tmp_path / "page.xml"
    loader = XMLFile(path)
    path.write_text("<p>x</p>")
    template = loader.load()
    path.unlink()
    assert loader.load() is template
    assert isinstance(template[0], Tag)
    assert template[0].filename == str(path)
    assert "page.xml" in repr(loader)


def test_mistake_in_file_is_told_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "page.xml"
    path.write_text("<p>\n<q>\n</p>")
    with pytest.raises(SAXParseException, match=r"page\.xml:3:"):
        XMLFile(path).load()


def test_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        XMLFile(tmp_path / "none").load()
