"""Response codes, reasons and framing, as a client sees them."""

from http import HTTPStatus
from typing import Any

import pytest

from sennit.web.server import NOT_DONE_YET
from sennit.web.testing import Response
from tests.unit.web.doubles import clientOf


def answered(function: Any, *, method: str = "GET", version: str = "1.1", **options: Any) -> Response:
    with clientOf(function, version=version) as client:
        return client.request(method, "/", **options)


def withCode(*code: Any) -> Any:
    def render(request: Any) -> bytes:
        request.setResponseCode(*code)
        return b"body"

    return render


def refusal(*code: Any) -> type[BaseException] | None:
    problems: list[type[BaseException] | None] = []

    def render(request: Any) -> bytes:
        try:
            request.setResponseCode(*code)
            problems.append(None)
        except Exception as problem:
            problems.append(type(problem))
        return b""

    answered(render)
    return problems[0]


@pytest.mark.parametrize("code", [200, 201, 299, 402, 418, 451, 499, 599, 600, 799, 999])
def test_every_final_code_can_be_sent(code: int) -> None:
    response = answered(withCode(code))
    assert (response.code, response.body) == (code, b"body")


@pytest.mark.parametrize("code", [-1, 0, 99, 100, 103, 199, 1000, 2**70])
def test_other_codes_are_refused(code: int) -> None:
    assert refusal(code) in (ValueError, OverflowError)


def test_http_status_is_a_code() -> None:
    response = answered(withCode(HTTPStatus.IM_A_TEAPOT))
    assert (response.code, response.reason) == (418, b"I'm a teapot")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ((402,), b"Payment Required"),
        ((402, "Pay"), b"Pay"),
        ((402, b"Pay now"), b"Pay now"),
        ((402, ""), b""),
    ],
)
def test_reason_is_registered_or_given(code: Any, reason: bytes) -> None:
    assert answered(withCode(*code)).reason == reason


@pytest.mark.parametrize("reason", ["a\r\nX: y", b"a\nb", "\0"])
def test_reason_with_line_break_does_not_leave(reason: Any) -> None:
    assert refusal(402, reason) is ValueError


@pytest.mark.parametrize("code", [204, 304])
def test_code_without_body_has_none(code: int) -> None:
    response = answered(withCode(code))
    assert (response.code, response.body, response.header("Content-Type")) == (code, b"", None)


def test_204_has_no_length() -> None:
    # RFC 9110 section 8.6: a server must not send Content-Length in a 204.
    assert answered(withCode(204)).header("Content-Length") is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_written_response_of_unknown_length_is_chunked(method: str) -> None:
    def render(request: Any) -> int:
        request.write(b"a")
        request.write("b")
        request.finish()
        return NOT_DONE_YET

    response = answered(render, method=method)
    assert response.body == (b"" if method == "HEAD" else b"ab")


def test_written_response_has_length_if_set() -> None:
    def render(request: Any) -> int:
        request.setHeader("Content-Length", "2")
        request.write(b"a")
        request.write(b"b")
        request.finish()
        return NOT_DONE_YET

    response = answered(render)
    assert (response.body, response.header("Transfer-Encoding")) == (b"ab", None)


def test_http_1_0_response_is_never_chunked() -> None:
    response = answered(lambda request: iter([b"a", b"b"]), version="1.0")
    assert (response.body, response.header("Transfer-Encoding")) == (b"ab", None)


def test_http_1_0_client_gets_no_interim_response() -> None:
    def render(request: Any) -> bytes:
        request.writeInterim(103, [("Link", "</x>")])
        return b"x"

    response = answered(render, version="1.0")
    assert (response.interim, response.body) == ([], b"x")


def test_interim_responses_come_first() -> None:
    def render(request: Any) -> bytes:
        request.writeInterim(102)
        request.writeInterim(103, {"Link": ["</x>", "</y>"]})
        return b"x"

    response = answered(render)
    assert [(head.code, head.headers.getRawHeaders("Link")) for head in response.interim] == [
        (102, None),
        (103, ["</x>", "</y>"]),
    ]


@pytest.mark.parametrize("code", [101, 200, 99])
def test_interim_response_must_be_interim(code: int) -> None:
    def render(request: Any) -> bytes:
        with pytest.raises(ValueError):
            request.writeInterim(code)
        return b"x"

    assert answered(render).code == 200


def test_finish_twice_warns() -> None:
    def render(request: Any) -> int:
        request.finish()
        with pytest.warns(UserWarning, match="finish"):
            request.finish()
        return NOT_DONE_YET

    assert answered(render).code == 200


def test_write_after_finish_is_an_error() -> None:
    problems: list[Exception] = []

    def render(request: Any) -> int:
        request.finish()
        try:
            request.write(b"x")
        except RuntimeError as problem:
            problems.append(problem)
        return NOT_DONE_YET

    answered(render)
    assert len(problems) == 1


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: e=1", "a\nSet-Cookie: e=1", "a\rb"])
def test_header_value_with_line_break_stays_one_header(value: str) -> None:
    def render(request: Any) -> bytes:
        request.setHeader("X-A", value)
        return b""

    response = answered(render)
    assert response.header("Set-Cookie") is None
    assert response.header("X-A") is not None


class Pull:
    def __init__(self, request: Any, count: int) -> None:
        self.request, self.left = request, count

    def resumeProducing(self) -> None:
        self.left -= 1
        self.request.write(b"x" * 10_000)
        if self.left == 0:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        self.left = 0


def test_pull_producer_is_asked_until_done() -> None:
    def render(request: Any) -> int:
        request.registerProducer(Pull(request, 50), False)
        return NOT_DONE_YET

    assert len(answered(render).body) == 500_000


class Push:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


def test_push_producer_is_paused_resumed_and_stopped() -> None:
    producer = Push()
    requests: list[Any] = []

    def render(request: Any) -> int:
        requests.append(request)
        request.registerProducer(producer, True)
        request.write(b"x" * 200_000)
        return NOT_DONE_YET

    with clientOf(render) as client, client.stream("GET", "/") as response:
        assert producer.calls[:1] == ["pause"]
        next(response.pieces())
        client.wait()
        assert producer.calls == ["pause", "resume"]
        response.disconnect()
    assert producer.calls == ["pause", "resume", "stop"]


def test_second_producer_is_refused() -> None:
    def render(request: Any) -> bytes:
        request.registerProducer(Push(), True)
        with pytest.raises(ValueError):
            request.registerProducer(Push(), True)
        request.unregisterProducer()
        return b""

    assert answered(render).code == 200
