"""Flattening: what becomes of each part, what is escaped where, what is waited for, and what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from sennit.internet.defer import CancelledError, Deferred, fail, succeed
from sennit.python.failure import Failure
from sennit.web._template_flatten import BUFFER_SIZE
from sennit.web.error import (
    FlattenerError,
    MissingRenderMethod,
    MissingTemplateLoader,
    UnexposedMethodError,
    UnfilledSlot,
    UnsupportedType,
)
from sennit.web.template import (
    CDATA,
    CharRef,
    Comment,
    Element,
    Tag,
    TagLoader,
    XMLString,
    flatten,
    flattenString,
    renderer,
    slot,
    tags,
)


def flat(root: Any, request: Any = None) -> bytes:
    """What needs no waiting, flattened."""
    results: list[Any] = []
    flattenString(request, root).addBoth(results.append)
    assert results, "it waits"
    if isinstance(results[0], Failure):
        raise results[0].value
    result: bytes = results[0]
    return result


def errorOf(root: Any) -> FlattenerError:
    with pytest.raises(FlattenerError) as caught:
        flat(root)
    return caught.value


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("a<b>&\"'é", "a&lt;b&gt;&amp;\"'é"),
        (b"a<b", "a&lt;b"),
        ([("a",), ["b", b"c"]], "abc"),
        (tags.p(), "<p></p>"),
        (tags.br(), "<br />"),
        (tags.br("x"), "<br>x</br>"),
        (Tag(b"p", {b"a": b"b"}, [b"c"]), '<p a="b">c</p>'),
        (tags.p(title="\"<>&'"), '<p title="&quot;&lt;&gt;&amp;\'"></p>'),
        (tags.transparent("a", tags.b("c")), "a<b>c</b>"),
        (tags.p(b="1", a="2"), '<p b="1" a="2"></p>'),
        (CDATA("a<b"), "<![CDATA[a<b]]>"),
        (CDATA("a]]>b"), "<![CDATA[a]]]]><![CDATA[>b]]>"),
        (Comment(" a "), "<!-- a -->"),
        (Comment("a-->b"), "<!--a--&gt;b-->"),
        (Comment("a--!>b"), "<!--a--!&gt;b-->"),
        (Comment(">b"), "<!--&gt;b-->"),
        (Comment("->b"), "<!---&gt;b-->"),
        (Comment("a-"), "<!--a- -->"),
        (Comment("[if IE]> x <![endif]"), "<!--[if IE]> x <![endif]-->"),
        (CharRef(160), "&#160;"),
        (map(str, range(3)), "012"),
        (succeed("late"), "late"),
        (tags.p(succeed(tags.b(succeed("x")))), "<p><b>x</b></p>"),
    ],
)
def test_parts_are_written(root: Any, expected: str) -> None:
    assert flat(root) == expected.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a<", '"'], "a&lt;&quot;"),
        (CharRef(160), "&#160;"),
        (succeed("x"), "x"),
        (tags.b("<"), "&lt;b&gt;&amp;lt;&lt;/b&gt;"),
        (tags.b(CharRef(1)), "&lt;b&gt;&amp;#1;&lt;/b&gt;"),
        (tags.b(title='"'), "&lt;b title=&quot;&amp;quot;&quot;&gt;&lt;/b&gt;"),
        (tags.b(title=["<"]), "&lt;b title=&quot;&amp;lt;&quot;&gt;&lt;/b&gt;"),
        (Comment("x"), "&lt;!--x--&gt;"),
    ],
)
def test_attribute_values_are_escaped_once_more(value: Any, expected: str) -> None:
    assert flat(tags.a("c", href=value, id="d")) == f'<a href="{expected}" id="d">c</a>'.encode()


@pytest.mark.parametrize("name", ["a b", 'a"', "a>", "a/", "a=", "", "a\x00", "!--"])
def test_names_from_outside_cannot_be_markup(name: str) -> None:
    assert isinstance(errorOf(Tag("p", {name: "x"})).args[0], ValueError)
    if name:
        assert isinstance(errorOf(Tag(name)).args[0], ValueError)


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (tags.p(slot("x")).fillSlots(x="f"), b"<p>f</p>"),
        (tags.p(slot("x", "d")), b"<p>d</p>"),
        (tags.p(slot("x", "d")).fillSlots(x=""), b"<p></p>"),
        (tags.p(tags.b(slot("x")).fillSlots(x="in"), slot("x")).fillSlots(x="out"), b"<p><b>in</b>out</p>"),
        (tags.p(tags.b(slot("x")).fillSlots(y="in"), slot("y", "d")).fillSlots(x="o"), b"<p><b>o</b>d</p>"),
        (tags.p(title=slot("x")).fillSlots(x='"'), b'<p title="&quot;"></p>'),
        (tags.p(slot("x")).fillSlots(x=slot("y"), y="z"), b"<p>z</p>"),
    ],
)
def test_slots_take_the_innermost_value(root: Tag, expected: bytes) -> None:
    assert flat(root) == expected


class Sample(Element):
    """Renderers of each kind."""

    @renderer
    def plain(self, request: Any, tag: Tag) -> Tag:
        return tag(f"for {request}", class_="c")

    @renderer
    def slots(self, request: Any, tag: Tag) -> Tag:
        return tag.fillSlots(a=tags.b("A"))

    @renderer
    def rows(self, request: Any, tag: Tag) -> Iterator[Tag]:
        for number in range(3):
            yield tag.clone().fillSlots(n=str(number))

    @renderer
    def deferred(self, request: Any, tag: Tag) -> Deferred[Tag]:
        return succeed(tag("d"))

    @renderer
    async def coroutine(self, request: Any, tag: Tag) -> Tag:
        return tag("c")

    @renderer
    async def waits(self, request: Any, tag: Tag) -> Tag:
        # asyncio.timeout needs a Task of its own.
        async with asyncio.timeout(5):
            await asyncio.sleep(0.001)
        return tag("w")

    @renderer
    async def asyncRows(self, request: Any, tag: Tag) -> AsyncIterator[Tag]:
        for number in range(3):
            await asyncio.sleep(0)
            yield tag.clone()(str(number))

    @renderer
    def fails(self, request: Any, tag: Tag) -> Tag:
        raise LookupError("no such row")

    def hidden(self, request: Any, tag: Tag) -> str:
        return "secret"


def sample(name: str, content: Any = "x") -> Sample:
    return Sample(TagLoader(tags.p(tags.i(content, render=name))))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("plain", "x", b'<i class="c">xfor me</i>'),
        ("slots", slot("a"), b"<i><b>A</b></i>"),
        ("rows", slot("n"), b"<i>0</i><i>1</i><i>2</i>"),
        ("deferred", "x", b"<i>xd</i>"),
        ("coroutine", "x", b"<i>xc</i>"),
    ],
)
def test_renderers_take_the_place_of_their_tag(name: str, content: Any, expected: bytes) -> None:
    element = sample(name, content)
    assert flat(element, "me") == b"<p>" + expected + b"</p>"
    # A second time too: rendering doesn't change the template.
    assert flat(element, "me") == b"<p>" + expected + b"</p>"


def test_inner_element_has_its_own_renderers() -> None:
    class Outer(Element):
        loader = TagLoader(tags.div(tags.p(render="inner"), tags.p(render="plain")))

        @renderer
        def inner(self, request: Any, tag: Tag) -> Element:
            return Sample(TagLoader(tags.b(render="plain")))

        @renderer
        def plain(self, request: Any, tag: Tag) -> str:
            return "outer"

    assert flat(Outer(), "me") == b'<div><b class="c">for me</b>outer</div>'


@pytest.mark.parametrize("name", ["hidden", "missing", "render", "__init__"])
def test_methods_not_marked_are_not_called(name: str) -> None:
    assert isinstance(errorOf(sample(name)).args[0], MissingRenderMethod)


def test_expose_tells_of_methods_not_marked() -> None:
    assert renderer.get(Sample(), "plain")(None, tags.p()).attributes == {"class": "c"}
    assert renderer.get(Sample(), "hidden", None) is None
    with pytest.raises(UnexposedMethodError):
        renderer.get(Sample(), "hidden")


def test_element_needs_loader() -> None:
    assert isinstance(errorOf(Element()).args[0], MissingTemplateLoader)


def test_renderer_needs_element() -> None:
    assert isinstance(errorOf(tags.p(render="x")).args[0], ValueError)


@pytest.mark.parametrize("value", [None, 1, object(), {"a": "b"}, 1.5])
def test_other_types_are_refused(value: Any) -> None:
    error = errorOf(tags.p(value)).args[0]
    assert isinstance(error, UnsupportedType)
    assert repr(value) in str(error)


def test_unfilled_slot_is_an_error() -> None:
    error = errorOf(tags.p(slot("x"))).args[0]
    assert isinstance(error, UnfilledSlot)
    assert "'x'" in str(error)


def test_error_tells_where_in_the_template() -> None:
    template = (
        '<p xmlns:t="http://twistedmatrix.com/ns/twisted.web.template/0.1">\n <b t:render="fails" />\n</p>'
    )
    text = str(errorOf(["some text", Sample(XMLString(template))]))
    assert 'line 1, column 0, in "p"' in text
    assert 'line 2, column 1, in "b"' in text
    assert "Sample object" in text
    assert "in fails" in text
    assert "LookupError: no such row" in text
    assert "web/_template_flatten.py" not in text


def test_error_text_survives_bad_reprs() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    bad = Bad()
    assert "Bad object" in str(FlattenerError(ValueError("x"), [bad, "y" * 1000, b"z"], []))


def test_failed_deferred_is_an_error() -> None:
    deferred: Deferred[Any] = fail(LookupError("gone"))
    assert isinstance(errorOf(tags.p(deferred)).args[0], LookupError)


def test_deferred_is_not_used_up() -> None:
    deferred = succeed("x")
    assert flat([deferred, deferred]) == b"xx"
    left: list[Any] = []
    deferred.addCallback(left.append)
    assert left == ["x"]


def test_deep_nesting_is_no_recursion() -> None:
    root = tags.b("x")
    for _ in range(5000):
        root = tags.b(root)
    assert flat(root).count(b"<b>") == 5001
    # Taken apart from the outside, as deep structures are to be.
    while isinstance(root.children[0], Tag):
        root = root.children[0]


def test_element_that_shows_itself_ends() -> None:
    class Endless(Element):
        def render(self, request: Any) -> Any:
            return self

    assert isinstance(errorOf(Endless()).args[0], RecursionError)


def test_pieces_are_joined() -> None:
    written: list[bytes] = []
    flatten(None, ["x" * 1000] * 200, written.append)
    assert [BUFFER_SIZE <= len(piece) < BUFFER_SIZE + 1000 for piece in written] == [True, True, True, False]
    assert sum(map(len, written)) == 200_000


def test_what_is_there_is_written_before_a_wait() -> None:
    written: list[bytes] = []
    waiting: Deferred[str] = Deferred()
    done = flatten(None, tags.p("a", waiting, "b"), written.append)
    assert written == [b"<p>a"]
    waiting.callback("later")
    assert written == [b"<p>a", b"laterb</p>"]
    assert done.called


def test_cancelling_cancels_what_is_waited_for() -> None:
    cancelled: list[Any] = []
    waiting: Deferred[str] = Deferred(cancelled.append)
    done = flattenString(None, tags.p(waiting))
    done.cancel()
    results: list[Any] = []
    done.addErrback(results.append)
    assert cancelled == [waiting]
    assert results[0].check(CancelledError)


async def flatLater(root: Any) -> bytes:
    return await flattenString("me", root)


def test_coroutines_run_as_tasks() -> None:
    assert asyncio.run(flatLater(sample("waits"))) == b"<p><i>xw</i></p>"


def test_asynchronous_generators_are_shown() -> None:
    assert asyncio.run(flatLater(sample("asyncRows", ""))) == b"<p><i>0</i><i>1</i><i>2</i></p>"


def test_futures_and_other_awaitables_are_shown() -> None:
    class Later:
        def __await__(self) -> Generator[Any, None, str]:
            yield from asyncio.sleep(0).__await__()
            return "y"

    async def run() -> bytes:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "x")
        return await flattenString(None, [future, Later()])

    assert asyncio.run(run()) == b"xy"


def test_error_in_coroutine_is_found() -> None:
    async def bad() -> str:
        await asyncio.sleep(0)
        raise LookupError("gone")

    async def run() -> None:
        with pytest.raises(FlattenerError, match="in bad"):
            await flattenString(None, tags.p(bad()))

    asyncio.run(run())


def test_asynchronous_generator_is_closed_after_an_error() -> None:
    closed: list[bool] = []

    async def rows() -> AsyncIterator[Any]:
        try:
            yield "a"
            yield None
        finally:
            closed.append(True)

    async def run() -> None:
        with pytest.raises(FlattenerError):
            await flattenString(None, rows())
        assert closed == [True]

    asyncio.run(run())


def test_cancelled_task_cancels_the_renderer() -> None:
    events: list[str] = []

    async def slow() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
        return ""

    async def run() -> None:
        task = asyncio.ensure_future(flatLater(tags.p(slow())))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(run())
    assert events == ["cancelled"]
