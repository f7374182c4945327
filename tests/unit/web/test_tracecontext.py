"""W3C Trace Context: what of it is read, and what is passed on."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import TestClient
from sennit.web.tracecontext import TraceContext, readTraceContext

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
VALUE = f"00-{TRACE}-{PARENT}-01"


def read(parent: str, *states: str) -> TraceContext | None:
    return readTraceContext([parent.encode("latin-1")], [state.encode("latin-1") for state in states])


def stateOf(*states: str) -> tuple[tuple[str, str], ...]:
    context = read(VALUE, *states)
    assert context is not None
    return context.state


def test_parent_is_read() -> None:
    assert read(VALUE) == TraceContext(TRACE, PARENT, sampled=True)
    assert read(f"00-{TRACE}-{PARENT}-00") == TraceContext(TRACE, PARENT)
    assert read(f"00-{TRACE}-{PARENT}-03") == TraceContext(TRACE, PARENT, sampled=True, random=True)


def test_unknown_flags_are_not_passed_on() -> None:
    context = read(f"00-{TRACE}-{PARENT}-fd")
    assert context is not None
    assert context.traceparent == VALUE


@pytest.mark.parametrize("rest", ["", "-", "-what-the-future-holds"])
def test_later_version_is_read_as_far_as_it_is_known(rest: str) -> None:
    context = read(f"cc-{TRACE}-{PARENT}-01{rest}")
    assert context == TraceContext(TRACE, PARENT, sampled=True)
    assert context.traceparent == VALUE


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}0-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-01-more",
        f"01-{TRACE}-{PARENT}-01more",
        f"0-{TRACE}-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f"00-{TRACE}-{PARENT}-01, {VALUE}",
        f"00-{TRACE}-{PARENT}-0x",
        "\xb2" + VALUE,
    ],
)
def test_parent_that_is_wrong_is_no_context_and_its_state_is_not_looked_at(value: str) -> None:
    assert read(value, "a=1") is None


def test_two_parents_are_none() -> None:
    assert readTraceContext([VALUE.encode(), VALUE.encode()], []) is None
    assert readTraceContext([], [b"a=1"]) is None


def test_states_of_several_headers_are_one_list() -> None:
    assert stateOf("b=2 , ,\ta@sys=1", "", "c-_*/=x y") == (("b", "2"), ("a@sys", "1"), ("c-_*/", "x y"))


@pytest.mark.parametrize(
    "state",
    [
        "a",
        "=1",
        "a=",
        "A=1",
        "a b=1",
        "a=1=2",
        "a=1,b=2,a=3",
        "a=\x7f",
        "a=ü",
        f"{'k' * 257}=1",
        f"a={'v' * 257}",
    ],
)
def test_state_with_a_mistake_is_left_out_and_the_parent_stays(state: str) -> None:
    assert read(VALUE, "z=1", state) == TraceContext(TRACE, PARENT, sampled=True)


def test_no_more_than_32_members_are_taken() -> None:
    assert len(stateOf(",".join(f"k{number}=1" for number in range(32)))) == 32
    assert stateOf(",".join(f"k{number}=1" for number in range(33))) == ()


def test_state_is_passed_on_up_to_512_characters_long_members_leave_first() -> None:
    long, short = ("a", "x" * 200), [(f"k{number}", "v" * 40) for number in range(10)]
    assert TraceContext(TRACE, PARENT, state=tuple(short)).tracestate == ",".join(
        f"{k}={v}" for k, v in short
    )
    kept = TraceContext(TRACE, PARENT, state=(long, *short)).tracestate
    assert kept == ",".join(f"{key}={value}" for key, value in short)
    many = TraceContext(
        TRACE, PARENT, state=tuple((f"k{number}", "v" * 60) for number in range(20))
    ).tracestate
    assert len(many) <= 512 < len(many) + len(",k7=" + "v" * 60)
    assert many.startswith("k0=")


def test_headers_to_send_on() -> None:
    assert TraceContext(TRACE, PARENT).headers() == {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    context = read(VALUE, "a=1", "b=2")
    assert context is not None
    assert context.headers() == {"traceparent": VALUE, "tracestate": "a=1,b=2"}


HEX = "0123456789abcdef"
contexts = st.builds(
    TraceContext,
    st.text(HEX, min_size=32, max_size=32).filter(lambda text: text.strip("0")),
    st.text(HEX, min_size=16, max_size=16).filter(lambda text: text.strip("0")),
    st.booleans(),
    st.booleans(),
    st.dictionaries(
        st.from_regex(r"[a-z0-9][a-z0-9_@*/-]{0,10}", fullmatch=True),
        st.from_regex(r"[ -+\--<>-~]{0,5}[!-+\--<>-~]", fullmatch=True).filter(lambda text: text[0] != " "),
        max_size=20,
    ).map(lambda members: tuple(members.items())),
)


@given(contexts)
def test_what_is_sent_is_what_is_read(context: TraceContext) -> None:
    sent = context.headers()
    assert read(sent["traceparent"], sent.get("tracestate", "")) == context


@given(st.lists(st.binary(max_size=70), max_size=2), st.lists(st.binary(max_size=70), max_size=3))
@example([VALUE.encode()], [b"a=1" * 1000])
def test_whatever_is_sent_is_read_or_not_but_never_an_error(
    parents: list[bytes], states: list[bytes]
) -> None:
    context = readTraceContext(parents, states)
    if context is not None:
        assert readTraceContext([context.traceparent.encode()], []) is not None


class Shows(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> str:
        context = request.traceContext
        assert request.traceContext is context
        return "none" if context is None else str(context.headers())


def test_request_has_its_context() -> None:
    with TestClient(Site(Shows())) as client:
        assert client.get("/").text == "none"
        assert client.get("/", headers=[("Traceparent", "nonsense")]).text == "none"
        assert client.get("/", headers=[("traceparent", VALUE), ("traceparent", VALUE)]).text == "none"
        headers = [("TraceParent", VALUE), ("tracestate", "a=1"), ("TRACESTATE", "b=2")]
        expected = {"traceparent": VALUE, "tracestate": "a=1,b=2"}
        assert client.get("/", headers=headers).text == str(expected)
