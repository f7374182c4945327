"""Tags and what else templates are made of."""

import pytest

from sennit.web.template import CDATA, CharRef, Comment, Tag, slot, tags


def test_call_appends_children_and_sets_attributes() -> None:
    tag = tags.p("a")("b", class_="c", id="d")
    assert tag.children == ["a", "b"]
    assert tag.attributes == {"class": "c", "id": "d"}


def test_call_drops_one_underscore_alone() -> None:
    assert tags.p(x__="y").attributes == {"x_": "y"}


def test_call_sets_renderer() -> None:
    tag = tags.p(render="name")
    assert tag.render == "name"
    assert tag.attributes == {}


def test_call_refuses_renderer_that_is_no_name() -> None:
    with pytest.raises(TypeError, match="name of a renderer"):
        tags.p(render=len)


def test_tags_do_not_share_their_lists() -> None:
    tags.p("x", a="b")
    assert tags.p().children == []
    assert tags.p().attributes == {}


@pytest.mark.parametrize(
    ("name", "made"), [("del_", "del"), ("p", "p"), ("transparent", ""), ("main", "main")]
)
def test_tags_makes_tags(name: str, made: str) -> None:
    assert getattr(tags, name).tagName == made


def test_tags_knows_html_alone() -> None:
    with pytest.raises(AttributeError, match="no element of HTML"):
        tags.blink


def test_clear_forgets_children() -> None:
    tag = tags.p("x", a="b").clear()
    assert tag.children == []
    assert tag.attributes == {"a": "b"}


def test_clone_is_deep() -> None:
    original = tags.p(tags.b("x"), [tags.i("y")], title=tags.u("z")).fillSlots(s=tags.q("w"))
    original.filename, original.lineNumber, original.columnNumber = "f", 1, 2
    clone = original.clone()
    clone.children[0]("more")
    clone.children[1][0]("more")
    clone.attributes["title"]("more")
    clone.fillSlots(t="u")
    assert original.children[0].children == ["x"]
    assert original.children[1][0].children == ["y"]
    assert original.attributes["title"].children == ["z"]
    assert original.slotData is not None
    assert list(original.slotData) == ["s"]
    assert (clone.filename, clone.lineNumber, clone.columnNumber) == ("f", 1, 2)


def test_shallow_clone_shares_children() -> None:
    child = tags.b()
    original = tags.p(child, render="r")
    clone = original.clone(deep=False)
    clone("more", a="b")
    assert original.children == [child]
    assert original.attributes == {}
    assert clone.children[0] is child
    assert clone.render == "r"


def test_clone_warns_of_generators() -> None:
    with pytest.warns(RuntimeWarning, match="can't be copied"):
        tags.p(x for x in "abc").clone()


def test_reprs_show_contents() -> None:
    assert repr(tags.p("x", a="b")) == "Tag('p', attributes={'a': 'b'}, children=['x'])"
    assert repr(Tag(b"q")) == "Tag(b'q')"
    shown = repr([slot("s"), CDATA("d"), Comment("c"), CharRef(160)])
    assert shown == "[slot('s'), CDATA('d'), Comment('c'), CharRef(160)]"
