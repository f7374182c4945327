"""What resources need around the serving of a site: begun before the first request, ended after the last."""

import asyncio
from typing import Any

import pytest

from sennit.internet import reactor
from sennit.internet.error import CannotListenError
from sennit.web.asgi import ASGIResource, Lifespan, LifespanFailed
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import AsyncTestClient
from sennit.web.vhost import NameVirtualHost
from tests.unit.web.asgiapps import Receive, Send, body, start
from tests.unit.web.test_asgilifespan import App


def siteOf(*apps: Any) -> Site:
    """A site with applications in different places of its tree."""
    root = Resource()
    for number, app in enumerate(apps):
        hosts = NameVirtualHost()
        hosts.addHost("localhost", ASGIResource(app))
        root.putChild(f"app{number}", hosts)
    return Site(root)


def test_site_that_starts_waits_for_its_applications() -> None:
    async def main() -> None:
        apps = App(), App()
        site = siteOf(*apps)
        async with site.start():
            assert [app.events for app in apps] == [["startup"]] * 2
            await site.start()
            assert [app.events for app in apps] == [["startup"]] * 2
        assert [app.events for app in apps] == [["startup", "shutdown", "ended"]] * 2
        async with site.start():
            pass
        assert [app.events for app in apps] == [["startup", "shutdown", "ended"] * 2] * 2

    asyncio.run(main())


def test_lifespan_that_is_run_by_the_program_is_not_run_again() -> None:
    async def main() -> None:
        app = App()
        leaf = ASGIResource(app)
        async with leaf.lifespan:
            async with Site(leaf).start():
                pass
            assert app.events == ["startup"]

    asyncio.run(main())


def test_application_that_cannot_start_keeps_the_site_from_listening() -> None:
    async def main() -> None:
        first, second = App(), App("startup")
        site = siteOf(first, second)
        with pytest.raises(LifespanFailed, match="no database"):
            await site.start()
        assert first.events == ["startup", "shutdown", "ended"]
        assert site.ports == []

    asyncio.run(main())


def test_site_that_cannot_listen_ends_its_applications() -> None:
    async def main() -> None:
        async with Site(Resource()).start() as port:
            app = App()
            with pytest.raises(CannotListenError):
                await siteOf(app).start(port.getHost().port)
            assert app.events == ["startup", "shutdown", "ended"]

    asyncio.run(main())


def test_failed_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with siteOf(App("shutdown")).start():
            pass

    asyncio.run(main())
    assert "no database" in caplog.text


def test_reactor_starts_and_ends_what_its_sites_need() -> None:
    app = App()
    site = siteOf(app)
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    reactor.callLater(0.05, reactor.stop)
    reactor.run()
    assert not port.listening
    assert app.events == ["startup", "shutdown", "ended"]


def test_reactor_stops_if_an_application_cannot_start(caplog: pytest.LogCaptureFixture) -> None:
    reactor.listenTCP(0, siteOf(App("startup")), interface="127.0.0.1")
    late = reactor.callLater(10, reactor.stop)
    reactor.run()
    assert late.active()
    late.cancel()
    assert [record.levelname for record in caplog.records if "served" in record.message] == ["CRITICAL"]


@pytest.mark.parametrize("fails", [False, True])
def test_requests_that_come_early_wait_for_the_application(fails: bool) -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send(start())
            await send(body(b"served"))
            return
        await receive()
        await asyncio.sleep(0.02)
        await send({"type": "lifespan.startup.failed" if fails else "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def main() -> None:
        leaf = ASGIResource(app)
        leaf.announceServing()
        async with AsyncTestClient(Site(leaf)) as client:
            early = asyncio.create_task(client.get("/"))
            await asyncio.sleep(0.005)
            assert not early.done()
            if fails:
                with pytest.raises(LifespanFailed):
                    await leaf.beforeServing()
                assert (await early).code == 503
                return
            await leaf.beforeServing()
            assert (await early).body == b"served"
            assert (await client.get("/")).body == b"served"
            await leaf.afterServing()

    asyncio.run(main())


def test_lifespan_runs_in_one_loop_at_a_time() -> None:
    async def start() -> None:
        await lifespan.startup()

    lifespan = Lifespan(App())
    loop = asyncio.new_event_loop()
    loop.run_until_complete(start())
    with pytest.raises(RuntimeError, match="one loop"):
        asyncio.run(start())
    loop.run_until_complete(lifespan.shutdown())
    loop.close()
