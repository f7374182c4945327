"""The engine of each loop: ours, plain asyncio's, uvloop's."""

import asyncio
import contextlib
import gc
import os
import selectors
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("sennit._engine")

from sennit.internet import error, reactor
from sennit.internet._engines import EngineSelector, engineFor, newEventLoop
from sennit.internet.threads import deferToThread
from sennit.web.resource import Resource
from sennit.web.server import Site


class Page(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        request.setResponseCode(402)
        return b"pay"

    async def render_POST(self, request: Any) -> bytes:
        await asyncio.sleep(0.05)
        return b"slow"


class WaitingPage(Page):
    """The same from a coroutine, so that the engine makes a Task of the loop."""

    async def render_GET(self, request: Any) -> bytes:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().render_GET(request)


def quietSite(page: type[Page] = Page) -> Site:
    site = Site(page())
    site.noisy = False
    return site


def fetch(port: Any, data: bytes | None = None) -> tuple[int, bytes]:
    """The status and body of a request to a port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port.getHost().port}/", data, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


def loopKinds() -> list[Callable[[], asyncio.AbstractEventLoop]]:
    import uvloop

    return [newEventLoop, asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture
def selector() -> Iterator[EngineSelector]:
    loop = newEventLoop()
    yield loop._selector  # type: ignore[attr-defined]
    loop.close()


# the selector


def test_selector_reports_readable_and_writable_descriptors(selector: EngineSelector) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        key = selector.register(ours, selectors.EVENT_READ, "data")
        assert selector.select(0) == []
        theirs.send(b"x")
        assert selector.select(1) == [(key, selectors.EVENT_READ)]
        both = selector.modify(ours, selectors.EVENT_READ | selectors.EVENT_WRITE, "data")
        assert selector.select(1) == [(both, selectors.EVENT_READ | selectors.EVENT_WRITE)]
        writing = selector.modify(ours, selectors.EVENT_WRITE, "data")
        assert selector.select(1) == [(writing, selectors.EVENT_WRITE)]
        assert selector.modify(ours, selectors.EVENT_WRITE, "other").data == "other"
        assert selector.get_key(ours).data == "other"
        assert selector.unregister(ours).fileobj is ours
        assert selector.select(0) == []


def test_selector_refuses_what_selectors_refuse(selector: EngineSelector) -> None:
    with socket.socket() as thing:
        with pytest.raises(ValueError, match="events"):
            selector.register(thing, 0)
        selector.register(thing, selectors.EVENT_READ)
        with pytest.raises(KeyError, match="already"):
            selector.register(thing, selectors.EVENT_READ)
        selector.unregister(thing)
        with pytest.raises(KeyError):
            selector.unregister(thing)
        with pytest.raises(KeyError, match="not registered"):
            selector.get_key(thing)
    with pytest.raises(ValueError, match="descriptor"):
        selector.register(-1, selectors.EVENT_READ)


def test_selector_forgets_descriptor_that_was_closed_first(selector: EngineSelector) -> None:
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    selector.register(number, selectors.EVENT_READ)
    ours.close()
    selector.unregister(number)
    theirs.close()
    assert number not in selector.get_map()


def test_selectors_map_knows_file_objects_and_descriptors(selector: EngineSelector) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        key = selector.register(ours, selectors.EVENT_READ)
        registered = selector.get_map()
        assert registered[ours] is registered.get(ours.fileno()) is key
        assert ours in registered
        assert theirs not in registered
        assert ours.fileno() in set(registered)
        assert len(registered) == len(set(registered))
        ours.close()
        assert registered[ours] is key
        selector.unregister(ours)
        assert not any(fd == key.fd for fd in registered)
        with pytest.raises(ValueError, match="invalid file descriptor: -1"):
            selector.unregister(ours)
        with pytest.raises(ValueError, match="neither a descriptor nor an object with one: 'text'"):
            selector.register("text", selectors.EVENT_READ)  # type: ignore[arg-type]


def test_readers_and_writers_of_file_objects_are_replaced_and_removed() -> None:
    """asyncio looks them up in the selector's map, from Python 3.13 on."""
    seen: list[str] = []
    loop = newEventLoop()
    ours, theirs = socket.socketpair()
    try:
        with ours, theirs:
            theirs.send(b"x")
            loop.add_reader(ours, seen.append, "replaced")
            loop.add_reader(ours, lambda: seen.append(f"read, removed: {loop.remove_reader(ours)}"))
            loop.add_writer(ours, lambda: seen.append(f"written, removed: {loop.remove_writer(ours)}"))
            loop.run_until_complete(asyncio.sleep(0.02))
            assert sorted(seen) == ["read, removed: True", "written, removed: True"]
            assert not loop.remove_reader(ours)
    finally:
        loop.close()


def test_selector_waits_as_long_as_told(selector: EngineSelector) -> None:
    begin = time.monotonic()
    assert selector.select(0.02) == []
    assert 0.015 < time.monotonic() - begin < 1


def test_own_loop_does_what_asyncio_promises() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        assert await loop.run_in_executor(None, lambda: 3) == 3
        await asyncio.wait_for(asyncio.sleep(0.001), 1)
        process = await asyncio.create_subprocess_exec("true")
        assert await process.wait() == 0

    with asyncio.Runner(loop_factory=newEventLoop) as runner:
        runner.run(main())


def test_own_loop_is_woken_by_threads_and_signals() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for wake in (
            lambda done: threading.Thread(target=loop.call_soon_threadsafe, args=(done.set,)).start(),
            lambda done: (
                loop.add_signal_handler(signal.SIGUSR1, done.set),
                os.kill(os.getpid(), signal.SIGUSR1),
            ),
        ):
            done = asyncio.Event()
            wake(done)
            await asyncio.wait_for(done.wait(), 5)
        loop.remove_signal_handler(signal.SIGUSR1)

    with asyncio.Runner(loop_factory=newEventLoop) as runner:
        runner.run(main())


# engines of loops


def test_engine_of_a_loop_is_always_the_same_and_closed_loops_have_none() -> None:
    for newLoop in loopKinds():
        loop = newLoop()
        assert engineFor(loop) is engineFor(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        closed = asyncio.new_event_loop()
        closed.close()
        engineFor(closed)


@pytest.mark.parametrize("page", [Page, WaitingPage])
def test_loops_with_engines_are_collected(page: type[Page]) -> None:
    for newLoop in loopKinds():

        async def main() -> None:
            async with quietSite(page).start(port=0, interface="127.0.0.1") as port:
                await deferToThread(fetch, port)

        with asyncio.Runner(loop_factory=newLoop) as runner:
            runner.run(main())
            reference = weakref.ref(runner.get_loop())
        del runner
        deadline = time.monotonic() + 5
        while reference() is not None and time.monotonic() < deadline:
            time.sleep(0.01)  # the pool's thread may still be putting its call away
            gc.collect()
        assert reference() is None, newLoop


@pytest.mark.parametrize("newLoop", [0, 1, 2], ids=["own", "asyncio", "uvloop"])
def test_site_is_served_in_any_loop_any_number_of_times(newLoop: int) -> None:
    async def main() -> list:
        async with contextlib.AsyncExitStack() as stack:
            ports = [
                await stack.enter_async_context(quietSite().start(port=0, interface="127.0.0.1"))
                for _ in range(3)
            ]
            answers = [await deferToThread(fetch, port) for port in ports]
            answers.append(await deferToThread(fetch, ports[0], b"body"))
        return answers

    for _ in range(3):
        with asyncio.Runner(loop_factory=loopKinds()[newLoop]) as runner:
            assert runner.run(main()) == [(402, b"pay")] * 3 + [(200, b"slow")]


@pytest.mark.parametrize("newLoop", [1, 2], ids=["asyncio", "uvloop"])
def test_foreign_loop_runs_time_outs(newLoop: int) -> None:
    async def main() -> None:
        site = quietSite()
        site.headerTimeout = 0.2
        async with site.start(port=0, interface="127.0.0.1") as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
            writer.write(b"GET / HT")
            async with asyncio.timeout(3):
                assert (await reader.read(12)) == b"HTTP/1.1 408"
            writer.close()
            await writer.wait_closed()

    with asyncio.Runner(loop_factory=loopKinds()[newLoop]) as runner:
        runner.run(main())


def test_site_left_listening_is_closed_with_the_loop() -> None:
    async def main() -> Any:
        return await quietSite().start(port=0, interface="127.0.0.1")

    for newLoop in loopKinds()[1:]:
        with asyncio.Runner(loop_factory=newLoop) as runner:
            port = runner.run(main())
        assert not port.listening
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.1", port.getHost().port))


def test_two_threads_serve_in_loops_of_their_own() -> None:
    answers: list = []

    async def main() -> None:
        async with quietSite().start(port=0, interface="127.0.0.1") as port:
            answers.append(await deferToThread(fetch, port))

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [(402, b"pay")] * 2


# sites and the reactor


@pytest.fixture
def ownReactor() -> Iterator[Any]:
    from sennit.internet._loops import stateOf
    from sennit.internet._reactor import Reactor

    made = Reactor()
    yield made
    if made._own is not None:
        stateOf(made._own).close()
        made._own.close()


def inBackground(results: list, function: Callable[..., object], *args: object) -> None:
    """Call in a thread and note the result, or the exception's class."""

    def call() -> None:
        try:
            results.append(function(*args))
        except Exception as raised:
            results.append(type(raised))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    results.append(thread)


def finished(results: list) -> list:
    for one in results:
        if isinstance(one, threading.Thread):
            one.join(10)
    return [one for one in results if not isinstance(one, threading.Thread)]


def test_one_site_is_served_in_run_after_run(ownReactor: Any) -> None:
    site = quietSite()
    for _ in range(3):
        port = ownReactor.listenTCP(0, site, interface="127.0.0.1")
        results: list = []
        inBackground(results, fetch, port)
        ownReactor.callLater(0.1, ownReactor.stop)
        ownReactor.run()
        assert finished(results) == [(402, b"pay")]


def test_stop_lets_a_running_request_end(ownReactor: Any) -> None:
    port = ownReactor.listenTCP(0, quietSite(), interface="127.0.0.1")
    results: list = []
    inBackground(results, fetch, port, b"body")
    ownReactor.callLater(0.03, ownReactor.stop)
    ownReactor.run()
    assert finished(results) == [(200, b"slow")]


def test_stop_closes_an_idle_connection_at_once(ownReactor: Any) -> None:
    times: list[float] = []

    def stop() -> None:
        times.append(time.monotonic())
        ownReactor.stop()

    for _ in range(3):  # the best of them: the machine may be busy with other things
        port = ownReactor.listenTCP(0, quietSite(), interface="127.0.0.1")
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            ownReactor.callLater(0.05, stop)
            ownReactor.run()
            times[-1] = time.monotonic() - times[-1]
            assert client.recv(1000).startswith(b"HTTP/1.1 402")
            assert client.recv(1000) == b""
    assert min(times) < 0.05


def test_stop_lets_a_slow_reader_have_its_whole_response(ownReactor: Any) -> None:
    class Big(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> bytes:
            return b"x" * 8_000_000

    site = Site(Big())
    site.noisy = False
    port = ownReactor.listenTCP(0, site, interface="127.0.0.1")

    def read() -> int:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port.getHost().port))
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            received = len(client.recv(100))
            time.sleep(1.2)
            while data := client.recv(1 << 20):
                received += len(data)
        return received

    results: list = []
    inBackground(results, read)
    ownReactor.callLater(0.1, ownReactor.stop)
    ownReactor.run()
    assert finished(results)[0] > 8_000_000


def test_stop_cuts_a_request_after_the_grace(ownReactor: Any) -> None:
    class Endless(Resource):
        isLeaf = True

        async def render_GET(self, request: Any) -> bytes:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(True)
            return b""

    ended: list = []
    site = Site(Endless())
    site.noisy = False
    site.stopGrace = 0.1
    port = ownReactor.listenTCP(0, site, interface="127.0.0.1")
    results: list = []
    inBackground(results, fetch, port)
    ownReactor.callLater(0.05, ownReactor.stop)
    begin = time.monotonic()
    ownReactor.run()
    assert 0.1 < time.monotonic() - begin < 2
    assert finished(results) != []
    assert ended == [True]


def test_second_signal_cuts_a_running_request(ownReactor: Any) -> None:
    port = ownReactor.listenTCP(0, quietSite(), interface="127.0.0.1")
    results: list = []
    inBackground(results, fetch, port, b"body")
    for delay in (0.02, 0.03):
        ownReactor.callLater(delay, os.kill, os.getpid(), signal.SIGTERM)
    ownReactor.run()
    assert finished(results) != [(200, b"slow")]


def test_taken_port_of_a_site_is_a_CannotListenError(ownReactor: Any) -> None:
    port = ownReactor.listenTCP(0, quietSite(), interface="127.0.0.1")
    with pytest.raises(error.CannotListenError, match=str(port.getHost().port)):
        ownReactor.listenTCP(port.getHost().port, quietSite(), interface="127.0.0.1")
    port.stopListening()


def test_site_on_a_UNIX_socket_answers(ownReactor: Any, tmp_path: Any) -> None:
    path = str(tmp_path / "web")
    ownReactor.listenUNIX(path, quietSite())
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        ownReactor.callLater(0.05, ownReactor.stop)
        ownReactor.run()
        assert client.recv(1000).startswith(b"HTTP/1.0 402")
    assert not os.path.exists(path)


def test_global_reactor_makes_no_loop_of_its_own_inside_of_another() -> None:
    async def main() -> None:
        async with quietSite().start(port=0, interface="127.0.0.1"):
            reactor.callLater(0, print).cancel()

    before = reactor._own
    asyncio.run(main())
    assert reactor._own is before


def test_own_loop_tells_whether_it_runs_and_is_debugged() -> None:
    """Also to C, by what Tasks ask."""
    loop = newEventLoop()
    try:
        told: list[tuple[bool, bool]] = []

        async def look() -> None:
            await asyncio.sleep(0)
            for debugged in (True, False):
                loop.set_debug(debugged)
                told.append((loop.is_running(), loop.get_debug()))
            with pytest.raises(RuntimeError, match="already running"):
                loop.run_forever()

        for _ in range(2):
            loop.run_until_complete(look())
            assert not loop.is_running()
        assert told == [(True, True), (True, False)] * 2
    finally:
        loop.close()
