"""The lifespan of ASGI applications: start and end, failures, and those that have none."""

import asyncio
import logging
from typing import Any

import pytest

from sennit.web.asgi import ASGIResource, Lifespan, LifespanFailed
from sennit.web.server import Site
from sennit.web.testing import AsyncTestClient
from tests.unit.web.asgiapps import Receive, Send, body, start


class App:
    """An application with a lifespan that notes what happens; `failing` names the change that fails."""

    def __init__(self, failing: str = "", how: str = "failed") -> None:
        self.failing = failing
        self.how = how
        self.events: list[str] = []

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send(start())
            await send(body(repr(scope["state"]).encode()))
            return
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
        for change in ("startup", "shutdown"):
            assert await receive() == {"type": f"lifespan.{change}"}
            self.events.append(change)
            if change == self.failing:
                if self.how == "raises":
                    raise ValueError("the flaw")
                if self.how == "returns":
                    return
                await send({"type": f"lifespan.{change}.failed", "message": "no database"})
                if self.how == "hangs":
                    await asyncio.sleep(60)
                return
            scope["state"]["database"] = "open"
            await send({"type": f"lifespan.{change}.complete"})
        self.events.append("ended")


def run(app: Any, **options: Any) -> None:
    async def main() -> None:
        async with Lifespan(app, **options):
            app.events.append("serving")

    asyncio.run(main())


def test_lifespan_surrounds_what_is_served() -> None:
    app = App()
    run(app)
    assert app.events == ["startup", "serving", "shutdown", "ended"]


def test_state_reaches_the_requests() -> None:
    async def main() -> None:
        leaf = ASGIResource(App())
        async with leaf.lifespan, AsyncTestClient(Site(leaf)) as client:
            assert leaf.lifespan.isSupported
            assert (await client.get("/")).body == b"{'database': 'open'}"

    asyncio.run(main())


def test_lifespan_of_several_users_is_one() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(lifespan.startup())
            group.create_task(lifespan.startup())
        await lifespan.shutdown()
        assert app.events == ["startup"]
        await lifespan.shutdown()
        await lifespan.shutdown()

    app = App()
    lifespan = Lifespan(app)
    asyncio.run(main())
    app.events.clear()
    asyncio.run(main())
    assert app.events == ["startup", "shutdown", "ended"]


@pytest.mark.parametrize("how", ["failed", "hangs"])
def test_failed_startup_raises_what_the_application_says(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sennit.web._asgilifespan._LAST_WORDS", 0.01)
    app = App("startup", how)
    with pytest.raises(LifespanFailed, match="no database"):
        run(app)
    assert app.events == ["startup"]


@pytest.mark.parametrize("how", ["raises", "returns"])
def test_application_without_a_lifespan_is_served_without(how: str, caplog: pytest.LogCaptureFixture) -> None:
    app = App("startup", how)
    with caplog.at_level(logging.INFO):
        run(app)
    assert app.events == ["startup", "serving"]
    assert "no lifespan" in caplog.text
    with pytest.raises(LifespanFailed, match="no lifespan"):
        run(App("startup", how), mode="on")


def test_lifespan_can_be_left_out() -> None:
    app = App()
    run(app, mode="off")
    assert app.events == ["serving"]
    with pytest.raises(ValueError, match="mode"):
        Lifespan(app, mode="perhaps")  # type: ignore[arg-type]


@pytest.mark.parametrize(("how", "complaint"), [("failed", "no database"), ("raises", "shut down")])
def test_failed_shutdown_raises(how: str, complaint: str) -> None:
    with pytest.raises(LifespanFailed, match=complaint):
        run(App("shutdown", how))


def test_application_that_ends_early_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise ValueError("the flaw")

    async def main() -> None:
        async with Lifespan(app):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert "the flaw" in caplog.text


def test_message_that_was_not_asked_for_raises_in_the_application() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await receive()
        with pytest.raises(RuntimeError, match="startup"):
            await send({"type": "lifespan.shutdown.complete"})
        await send({"type": "lifespan.startup.complete"})
        with pytest.raises(RuntimeError, match="twice"):
            await send({"type": "lifespan.startup.complete"})
        checked.append(1)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def main() -> None:
        async with Lifespan(app):
            pass

    checked: list[int] = []
    asyncio.run(main())
    assert checked == [1]


def test_site_cancels_what_outlives_its_grace_before_the_shutdown() -> None:
    notes: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            notes.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        try:
            await asyncio.sleep(60)
        finally:
            notes.append(scope["path"])

    async def main() -> None:
        # Another site's requests in the same loop are its own business.
        stays, goes = Site(ASGIResource(app)), Site(ASGIResource(app))
        async with stays.start() as first:
            async with goes.start() as second:
                writers = []
                for port, path in (first, "/stays"), (second, "/goes"):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                    await reader.readuntil(b"\r\nx\r\n")
                    writers.append(writer)
                await goes.stop(0.05)
            assert notes == ["/goes", "shutdown"]
            await stays.stop(0)
        assert notes == ["/goes", "shutdown", "/stays", "shutdown"]
        for writer in writers:
            writer.close()

    asyncio.run(main())
