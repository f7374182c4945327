"""What goes wrong in ASGI applications, and the task that they run in."""

import asyncio
import contextvars
import gc
import weakref
from typing import Any

import pytest

from sennit.web.testing import BrokenResponse
from tests.unit.web.asgiapps import Receive, Send, body, clientOf, sending, start


class TestMistakes:
    def _failing(self, app: Any, caplog: pytest.LogCaptureFixture) -> str:
        with clientOf(app) as client:
            assert client.get("/").code == 500
        assert caplog.records[-1].levelname == "ERROR"
        return caplog.text

    def test_exception_before_the_head_is_a_500_page(self, caplog: pytest.LogCaptureFixture) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            raise ValueError("the flaw")

        text = self._failing(app, caplog)
        assert "Traceback" in text
        assert "the flaw" in text

    def test_exception_of_the_call_itself_is_a_500_page(self, caplog: pytest.LogCaptureFixture) -> None:
        def app(scope: Any) -> None:
            raise AssertionError

        assert "positional argument" in self._failing(app, caplog)

    def test_application_of_another_kind_is_a_500_page(self, caplog: pytest.LogCaptureFixture) -> None:
        def app(scope: Any, receive: Any, send: Any) -> list[bytes]:
            return [b"WSGI"]

        assert "returns an awaitable, not list" in self._failing(app, caplog)

    def test_any_awaitable_is_good_enough(self) -> None:
        class Awaitable:
            def __init__(self, scope: Any, receive: Receive, send: Send) -> None:
                self.send = send

            def __await__(self) -> Any:
                return sending(start(), body(b"abc"))({}, None, self.send).__await__()  # type: ignore[arg-type]

        with clientOf(Awaitable) as client:
            assert client.get("/").body == b"abc"

    @pytest.mark.parametrize("messages", [[], [start()]])
    def test_returning_without_a_response_is_a_500_page(
        self, messages: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert "returned without a" in self._failing(sending(*messages), caplog)

    def test_exception_after_the_head_cuts_the_connection(self, caplog: pytest.LogCaptureFixture) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            await send(body(b"abc", True))
            raise ValueError("the flaw")

        with clientOf(app) as client, pytest.raises(BrokenResponse):
            client.get("/")
        assert "the flaw" in caplog.text

    def test_returning_in_the_middle_cuts_the_connection(self, caplog: pytest.LogCaptureFixture) -> None:
        with clientOf(sending(start(), body(b"abc", True))) as client, pytest.raises(BrokenResponse):
            client.get("/")
        assert "before its response was complete" in caplog.text

    def test_exception_after_the_response_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            await send(body(b"abc"))
            raise ValueError("in the background")

        with clientOf(app) as client:
            assert client.get("/").body == b"abc"
            assert client.get("/").body == b"abc"
        assert "in the background" in caplog.text

    @pytest.mark.parametrize(
        ("before", "message", "complaint"),
        [
            ([], body(), "must come first"),
            ([start()], start(), "started already"),
            ([start(), body(b"", True)], start(), "started already"),
            ([start(), body()], body(), "is complete"),
            ([start(), body()], start(), "is complete"),
            ([start()], {"type": "http.response.trailers"}, "no trailers"),
            ([start(trailers=True), body()], body(), "trailers were announced"),
            ([], {"type": "websocket.accept"}, "can't send"),
            ([], {"type": "http.response.debug"}, "can't send"),
            ([], {}, "type"),
        ],
    )
    def test_messages_out_of_order_raise_in_the_application(
        self, before: Any, message: Any, complaint: str
    ) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            for one in before:
                await send(one)
            with pytest.raises(RuntimeError, match=complaint):
                await send(message)
            checked.append(1)
            if not before:
                await send(start())
            await send(body())

        checked: list[int] = []
        with clientOf(app) as client:
            try:
                client.get("/")
            except BrokenResponse:
                assert any(one.get("trailers") for one in before)
        assert checked == [1]

    @pytest.mark.parametrize(
        "headers",
        [
            [(b"x", b"a\r\nb: c")],
            [(b"x", b"a\nb")],
            [(b"x", b"a\0b")],
            [(b"x y", b"a")],
            [(b"", b"a")],
            [(b"x\r\ny", b"a")],
            [(b"content-length", b"-1")],
            [(b"content-length", b"1"), (b"content-length", b"2")],
            [("x", b"a")],
            [(b"x", "a")],
            [(b"x",)],
            [b"xy", b"abc"],
        ],
    )
    def test_headers_that_cannot_be_sent_are_refused(self, headers: Any) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            with pytest.raises((ValueError, TypeError)):
                await send(start(200, headers))
            await send(start())
            await send(body(b"ok"))

        with clientOf(app) as client:
            assert client.get("/").body == b"ok"

    @pytest.mark.parametrize("status", [None, "200", 100, 199, 1000, 200.5])
    def test_status_that_is_none_is_refused(self, status: Any) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            with pytest.raises(ValueError, match="status"):
                await send(start(status))
            await send(start())
            await send(body(b"ok"))

        with clientOf(app) as client:
            assert client.get("/").body == b"ok"

    @pytest.mark.parametrize(("length", "complaint"), [(b"2", "longer"), (b"4", "shorter")])
    def test_body_of_another_length_than_told_is_refused(self, length: bytes, complaint: str) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            with pytest.raises(RuntimeError, match=complaint):
                await send(start(200, [(b"content-length", length)]))
                await send(body(b"abc"))
            checked.append(1)
            raise ValueError

        checked: list[int] = []
        with clientOf(app) as client:
            assert client.get("/").code == 500
        assert checked == [1]

    def test_streamed_body_of_another_length_is_cut(self, caplog: pytest.LogCaptureFixture) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start(200, [(b"content-length", b"4")]))
            await send(body(b"abc", True))
            await send(body(b"", False) if scope["path"] == "/short" else body(b"de", True))

        with clientOf(app) as client:
            for path in ("/short", "/long"):
                with pytest.raises(BrokenResponse):
                    client.get(path)
        assert "shorter" in caplog.text
        assert "longer" in caplog.text

    def test_text_is_no_body(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            with pytest.raises(TypeError, match="bytes, not str"):
                await send(body("abc"))  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="is a dict"):
                await send(b"abc")  # type: ignore[arg-type]
            await send(body(b"ok"))

        with clientOf(app) as client:
            assert client.get("/").body == b"ok"

    def test_websocket_is_declined(self) -> None:
        headers = {"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Version": "13"}
        with clientOf(sending(start(), body(b"plain"))) as client:
            assert client.get("/", headers=headers).code == 501
            assert client.get("/", headers={**headers, "Upgrade": "h2c"}).body == b"plain"


class TestTask:
    def test_application_runs_in_a_task_with_a_context_of_its_own(self) -> None:
        variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            task = asyncio.current_task()
            assert task is not None
            assert variable.get() == 0
            variable.set(1)
            await send(start())
            await asyncio.sleep(0)
            assert variable.get() == 1
            assert asyncio.current_task() is task
            async with asyncio.timeout(1):
                await send(body(str(id(task)).encode()))

        with clientOf(app) as client:
            assert client.get("/").code == 200
            assert client.get("/").code == 200

    def test_work_in_threads_and_child_tasks_is_awaited_as_anywhere(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            async with asyncio.TaskGroup() as group:
                first = group.create_task(asyncio.to_thread(lambda: b"a"))
                second = group.create_task(asyncio.sleep(0, b"b"))
            await send(start())
            await send(body(first.result() + second.result()))

        with clientOf(app) as client:
            assert client.get("/").body == b"ab"

    def test_work_goes_on_after_the_response(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(start())
            await send(body())
            await asyncio.sleep(0.001)
            done.append(1)

        done: list[int] = []
        with clientOf(app) as client:
            client.get("/")
            client.wait(0.01)
        assert done == [1]

    @pytest.mark.parametrize("waits", [False, True])
    def test_nothing_is_left_of_an_application_that_has_all_in_circles(self, waits: bool) -> None:
        class Circle:
            members: tuple[Any, ...] = ()

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            circle = Circle()
            circle.members = (circle, scope, receive, send, asyncio.current_task())
            scope["circle"] = circle
            left.append(weakref.ref(circle))
            if waits:
                await asyncio.sleep(0.001)
            await send(start())
            await send(body())

        left: list[weakref.ref[Circle]] = []
        with clientOf(app) as client:
            for _ in range(3):
                assert client.get("/").code == 200
            client.wait(0.01)
            gc.collect()
            assert [circle() for circle in left] == [None, None, None]
