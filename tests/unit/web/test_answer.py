"""`Answer`: a whole response that is made once."""

from typing import Any

import pytest

from sennit.internet.defer import succeed
from sennit.web.resource import Resource
from sennit.web.server import Answer, Request, Site
from sennit.web.testing import TestClient
from tests.unit.web.doubles import Calls, answered

PAID = Answer(402, [("Content-Type", "text/plain"), (b"X-Note", b"1"), ("X-Note", "2")], b"pay")


async def later(request: Any) -> Answer:
    return PAID


@pytest.mark.parametrize(
    "render",
    [lambda request: PAID, later, lambda request: succeed(PAID)],
    ids=["now", "coroutine", "deferred"],
)
def test_answer_is_sent_whole(render: Any) -> None:
    response = answered(render)
    assert (response.code, response.reason, response.body) == (402, b"Payment Required", b"pay")
    assert response.header("Content-Type") == "text/plain"
    assert response.header("Content-Length") == "3"
    assert response.headers.getRawHeaders("X-Note") == ["1", "2"]


def test_answer_can_be_given_many_times() -> None:
    with TestClient(Site(Calls(lambda request: PAID))) as client:
        assert [client.get("/").body for _ in range(3)] == [b"pay"] * 3


def test_answer_tells_code_and_body() -> None:
    assert (PAID.code, PAID.body) == (402, b"pay")


def test_answer_takes_the_place_of_what_was_set() -> None:
    def render(request: Any) -> Answer:
        request.setResponseCode(201, b"Made")
        request.setHeader("x-note", "9")
        request.setHeader("X-Other", "8")
        request.addCookie("a", "b")
        return PAID

    response = answered(render)
    assert (response.code, response.reason) == (402, b"Payment Required")
    assert response.headers.getRawHeaders("X-Note") == ["1", "2"]
    assert (response.header("X-Other"), response.header("Set-Cookie")) == ("8", "a=b")


def test_answer_to_head_has_no_body() -> None:
    class Paying(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> Answer:
            return PAID

    with TestClient(Site(Paying())) as client:
        response = client.head("/")
    assert (response.code, response.header("Content-Length"), response.body) == (402, "3", b"")


@pytest.mark.parametrize("code", [204, 304])
def test_answer_with_a_code_for_no_body_has_none(code: int) -> None:
    response = answered(lambda request: Answer(code, [], b"body"))
    assert (response.code, response.body) == (code, b"")


def test_answer_after_a_write_is_its_last_piece() -> None:
    def render(request: Any) -> Answer:
        request.write("first ")
        return PAID

    response = answered(render)
    assert (response.code, response.body) == (200, b"first pay")


def test_answer_goes_through_methods_of_the_request_class() -> None:
    class Loud(Request):
        def write(self, data: Any) -> None:
            super().write(data.upper())

    with TestClient(Site(Calls(lambda request: PAID), Loud)) as client:
        response = client.get("/")
    assert (response.code, response.body, response.header("X-Note")) == (402, b"PAY", "1, 2")


@pytest.mark.parametrize("code", [0, 100, 199, 1000])
def test_code_that_is_not_final_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match=str(code)):
        Answer(code, [], b"")


@pytest.mark.parametrize("name", ["Content-Length", b"transfer-encoding", "CONNECTION", "Keep-Alive"])
def test_field_that_frames_is_refused(name: str | bytes) -> None:
    with pytest.raises(ValueError, match="framing"):
        Answer(200, [(name, "1")], b"")


@pytest.mark.parametrize("name", ["a b", "", "a:", "a\r\nb"])
def test_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        Answer(200, [(name, "1")], b"")


def test_value_stays_one_line() -> None:
    response = answered(lambda request: Answer(200, [("X-Note", "a\r\nX-Evil: b")], b""))
    assert response.header("X-Evil") is None
    assert "X-Evil: b" in (response.header("X-Note") or "")


def test_answer_tells_what_it_is_made_of() -> None:
    assert PAID.fields == [(b"Content-Type", b"text/plain"), (b"X-Note", b"1"), (b"X-Note", b"2")]
    assert (PAID.code, PAID.body) == (402, b"pay")
