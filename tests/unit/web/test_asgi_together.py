"""Requests that have come together: all are read before the first application is called."""

import asyncio
import contextvars
import socket
from typing import Any

import pytest

from sennit.internet import reactor
from sennit.internet._engines import newEventLoop
from sennit.web.asgi import ASGIResource
from sennit.web.resource import Resource
from sennit.web.server import Request, Site
from tests.unit.web.asgiapps import Receive, Send, body, readBody, siteOf, start


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: h", "Connection: close", *fields, "", ""]).encode()


def post(path: str, content: bytes) -> bytes:
    return get(path, f"Content-Length: {len(content)}").replace(b"GET", b"POST", 1) + content


def answersOf(site: Site, *requests: bytes) -> list[bytes]:
    """What `site` answers to requests that it finds all at once, each on a connection of its own."""

    async def main() -> list[bytes]:
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        clients = [socket.create_connection(("127.0.0.1", port.getHost().port)) for _ in requests]
        # They are accepted before they say anything, so that what they say comes in one turn.
        await asyncio.sleep(0.05)
        for client, request in zip(clients, requests, strict=True):
            client.setblocking(False)
            client.sendall(request)
        try:
            return [await asyncio.wait_for(toTheEnd(client), 5) for client in clients]
        finally:
            for client in clients:
                client.close()
            port.stopListening()

    with asyncio.Runner(loop_factory=newEventLoop) as runner:
        return runner.run(main())


async def toTheEnd(client: socket.socket) -> bytes:
    received = b""
    while piece := await asyncio.get_running_loop().sock_recv(client, 65536):
        received += piece
    return received


def codeOf(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def bodyOf(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


async def echo(scope: Any, receive: Receive, send: Send) -> None:
    content = scope["query_string"] + await readBody(receive)
    await send(start(headers=[(b"content-length", b"%d" % len(content))]))
    await send(body(content))


def test_all_are_read_before_the_first_application_is_called() -> None:
    states: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("there is none")
        leaf.lifespan.state["called"] = True
        states.append(scope["state"])
        await echo(scope, receive, send)

    leaf = ASGIResource(app)
    leaf.lifespan.state["called"] = False
    answers = answersOf(Site(leaf), *(get(f"/?{n}") for n in range(5)))
    assert [bodyOf(answer) for answer in answers] == [b"%d" % n for n in range(5)]
    assert states == [{"called": False}] * 5


def test_more_than_a_batch_are_answered() -> None:
    requests = [post(f"/?{n},", b"x" * n) for n in range(150)]
    answers = answersOf(siteOf(echo), *requests)
    assert [bodyOf(answer) for answer in answers] == [b"%d,%s" % (n, b"x" * n) for n in range(150)]


def test_body_that_comes_in_pieces_is_read() -> None:
    head, rest = post("/?a", b"b" * 100_000), b"b" * 60_000
    answers = answersOf(siteOf(echo), head, get("/?c"), head[: -len(rest)] + rest)
    assert [bodyOf(answer) for answer in answers] == [b"a" + b"b" * 100_000, b"c", b"a" + b"b" * 100_000]


def test_mistakes_cost_those_who_make_them(caplog: pytest.LogCaptureFixture) -> None:
    def app(scope: Any, receive: Receive, send: Send) -> Any:
        if scope["path"] == "/raises":
            raise RuntimeError("before there is a coroutine")
        if scope["path"] == "/number":
            return 1
        return echo(scope, receive, send)

    asked = get("/websocket", "Upgrade: websocket").replace(b"close", b"upgrade, close")
    answers = answersOf(siteOf(app), get("/?a"), get("/raises"), get("/number"), asked, get("/?b"))
    assert [codeOf(answer) for answer in answers] == [200, 500, 500, 501, 200]
    assert [bodyOf(answers[0]), bodyOf(answers[4])] == [b"a", b"b"]
    assert "before there is a coroutine" in caplog.text


def test_other_resources_are_answered_among_them() -> None:
    class Plain(Resource):
        isLeaf = True

        def render_GET(self, request: Request) -> bytes:
            return b"plain"

    class Around(ASGIResource):
        def render(self, request: Request) -> Any:
            order.append("around")
            return super().render(request)

    async def noting(scope: Any, receive: Receive, send: Send) -> None:
        order.append(scope["path"])
        await echo(scope, receive, send)

    order: list[str] = []
    root = Resource()
    root.putChild("plain", Plain())
    root.putChild("app", ASGIResource(noting))
    root.putChild("around", Around(noting))
    answers = answersOf(Site(root), get("/app?a"), get("/plain"), get("/around?b"), get("/app?c"))
    assert [bodyOf(answer) for answer in answers] == [b"a", b"plain", b"b", b"c"]
    # What a program calls itself is called there and then.
    assert order == ["around", "/around", "/app", "/app"]


def test_context_of_a_request_class_is_the_applications() -> None:
    name: contextvars.ContextVar[bytes] = contextvars.ContextVar("name", default=b"nobody")

    class Named(Request):
        def process(self) -> None:
            token = name.set(self.uri)
            try:
                super().process()
            finally:
                name.reset(token)

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(name.get()))

    site = Site(ASGIResource(app), requestFactory=Named)
    answers = answersOf(site, get("/a", "X: 1"), get("/b"))
    assert [bodyOf(answer) for answer in answers] == [b"/a", b"/b"]


def test_client_that_was_cut_off_meanwhile_is_told() -> None:
    told: list[Any] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["path"] == "/first":
            victims.pop().abort_connection()
            await echo(scope, receive, send)
        else:
            told.append((await receive())["type"])
            await send(start())
            await send(body(b"nobody reads this"))

    class Noting(Resource):
        def getChild(self, path: bytes, request: Request) -> Any:
            if path == b"second":
                victims.append(request.channel)
            return leaf

    victims: list[Any] = []
    leaf = ASGIResource(app)
    root = Noting()
    with pytest.raises(ConnectionResetError):
        answersOf(Site(root), get("/first"), get("/second"))
    assert told == ["http.disconnect"]


def test_requests_one_behind_the_other_are_answered_in_order() -> None:
    stays = get("/?a").replace(b"Connection: close\r\n", b"")
    answers = answersOf(
        siteOf(echo), stays + post("/?b", b"c") + get("/never"), stays + get("/?d"), get("/?e")
    )
    assert [answer.count(b"HTTP/1.1 200 OK") for answer in answers] == [2, 2, 1]
    assert [bodyOf(answer)[:1] for answer in answers] == [b"a", b"a", b"e"]
    assert answers[0].endswith(b"\r\n\r\nbc")
    assert answers[1].endswith(b"\r\n\r\nd")


@pytest.mark.parametrize("waits", [False, True])
def test_application_that_raises_after_its_answer_has_answered(
    waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if waits:
            await asyncio.sleep(0.01)
        await echo(scope, receive, send)
        raise RuntimeError("too late")

    answers = answersOf(siteOf(app), get("/?a"), get("/?b"))
    assert [(codeOf(answer), bodyOf(answer)) for answer in answers] == [(200, b"a"), (200, b"b")]
    assert caplog.text.count("RuntimeError: too late") == 2


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("end", ["lose_connection", "shutdown"])
def test_answer_arrives_though_the_connection_ends_right_after_it(end: str, waits: bool) -> None:
    """By our side or by the client's, before the answer is on its way."""

    class Noting(Resource):
        def getChild(self, path: bytes, request: Request) -> Any:
            channels.append(request.channel)
            return leaf

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if waits:
            await asyncio.sleep(0.01)
        await echo(scope, receive, send)
        if end == "shutdown":
            clients[0].shutdown(socket.SHUT_WR)
        else:
            channels[0].lose_connection()

    async def main() -> bytes:
        port = reactor.listenTCP(0, Site(Noting()), interface="127.0.0.1")
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
            client.setblocking(False)
            clients.append(client)
            client.sendall(get("/?a"))
            try:
                return await asyncio.wait_for(toTheEnd(client), 5)
            finally:
                port.stopListening()

    channels: list[Any] = []
    clients: list[socket.socket] = []
    leaf = ASGIResource(app)
    with asyncio.Runner(loop_factory=newEventLoop) as runner:
        assert bodyOf(runner.run(main())) == b"a"


def test_answer_to_a_client_that_is_cut_off_right_after_it_is_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[Any] = []

    class Noting(Resource):
        def getChild(self, path: bytes, request: Request) -> Any:
            request.notifyFinish().addBoth(ended.append)
            channels.append(request.channel)
            return leaf

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["query_string"] == b"cut":
            await asyncio.sleep(0.01)
        await echo(scope, receive, send)
        if scope["query_string"] == b"cut":
            channels[0].abort_connection()

    channels: list[Any] = []
    leaf = ASGIResource(app)
    with pytest.raises(ConnectionResetError):
        answersOf(Site(Noting()), get("/?cut"), get("/?stays"))
    assert [type(each).__name__ for each in ended] == ["NoneType", "Failure"]
    assert caplog.text == ""
