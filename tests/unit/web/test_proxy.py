"""Requests passed on to other servers: what resources say and do in Python, and proxies driven in process."""

import asyncio
import gzip
from typing import Any

import pytest

from sennit import _engine
from sennit.internet import reactor
from sennit.web.http import HTTPFactory
from sennit.web.proxy import Proxy, ProxyClient, ProxyClientFactory, ReverseProxy, ReverseProxyResource
from sennit.web.resource import EncodingResourceWrapper, Resource
from sennit.web.server import NOT_DONE_YET, GzipEncoderFactory, Request, Site
from sennit.web.testing import AsyncTestClient


class Told(Resource):
    """Says what it was asked."""

    isLeaf = True

    def render(self, request: Request) -> str:
        assert request.content is not None
        request.setHeader("X-Told", "yes")
        body = request.content.read().decode()
        return f"{request.method.decode()} {request.uri.decode()} {request.getHeader('x-mark')} {body}"


class Marking(ReverseProxyResource):
    """Below, too, it is of its own kind, and marks what it passes on."""

    def getChild(self, path: bytes, request: Request) -> "Marking":
        return Marking(self.host, self.port, self.path + b"/" + path)

    def render(self, request: Request) -> Any:
        request.requestHeaders.setRawHeaders("X-Mark", ["m"])
        return super().render(request)


class Shouting(ProxyClient):
    """Changes the body of an answer."""

    def handleResponsePart(self, data: bytes) -> None:
        super().handleResponsePart(data.upper())


class ShoutingFactory(ProxyClientFactory):
    """Makes them."""

    protocol = Shouting


def passedOn(make: Any, method: str, target: str, **options: Any) -> tuple[int, str]:
    """The answer to a request that `make(port)` passes on to a site that tells what it was asked."""

    async def run() -> tuple[int, str]:
        async with (
            Site(Told()).start(port=0, interface="127.0.0.1") as listening,
            AsyncTestClient(Site(make(listening.getHost().port))) as client,
        ):
            response = await client.request(method, target, **options)
            return response.code, response.text

    return asyncio.run(run())


def stock(port: int, **options: Any) -> ReverseProxyResource:
    return ReverseProxyResource("127.0.0.1", port, b"", **options)


@pytest.mark.parametrize("make", [stock, lambda port: ReverseProxyResource("localhost", port, "")])
def test_request_is_passed_on(make: Any) -> None:
    assert passedOn(make, "GET", "/a/b?c") == (200, "GET /a/b?c None ")


class ToldContext(Resource):
    """Says where in a trace the request that came to it stands."""

    isLeaf = True

    def render_GET(self, request: Request) -> str:
        return str(request.traceContext.headers() if request.traceContext is not None else None)


def test_trace_context_is_passed_on_as_it_came() -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = [("traceparent", parent), ("tracestate", "a=1"), ("tracestate", "b=2")]

    async def run() -> str:
        async with (
            Site(ToldContext()).start() as listening,
            AsyncTestClient(Site(stock(listening.getHost().port))) as client,
        ):
            return (await client.get("/a", headers=headers)).text

    assert asyncio.run(run()) == str({"traceparent": parent, "tracestate": "a=1,b=2"})


def test_body_is_passed_on() -> None:
    assert passedOn(stock, "POST", "/a", body=b"x" * 200_000) == (200, f"POST /a None {'x' * 200_000}")


def test_subclass_of_its_own_kind_below_changes_requests() -> None:
    def make(port: int) -> ReverseProxyResource:
        return Marking("127.0.0.1", port, b"/up")

    assert passedOn(make, "PUT", "/a/b?c", body=b"body") == (200, "PUT /up/a/b?c m body")


def test_answer_goes_through_an_encoder_that_was_put_around() -> None:
    async def run() -> None:
        async with Site(Told()).start(port=0, interface="127.0.0.1") as listening:
            root = Resource()
            proxy = EncodingResourceWrapper(stock(listening.getHost().port), [GzipEncoderFactory()])
            root.putChild("x", proxy)
            async with AsyncTestClient(Site(root)) as client:
                response = await client.post("/x?c", body=b"d" * 2000, headers={"Accept-Encoding": "gzip"})
        assert response.header("Content-Encoding") == "gzip"
        assert response.header("X-Told") == "yes"
        assert gzip.decompress(response.body).decode() == f"POST /?c None {'d' * 2000}"

    asyncio.run(run())


@pytest.mark.parametrize("onInstance", [False, True])
def test_client_factory_of_ones_own_is_used(onInstance: bool) -> None:
    class Loud(ReverseProxyResource):
        isLeaf = True
        proxyClientFactoryClass = ShoutingFactory

    def make(port: int) -> ReverseProxyResource:
        if not onInstance:
            return Loud("127.0.0.1", port, b"/up")
        resource = ReverseProxyResource("127.0.0.1", port, b"/up")
        resource.proxyClientFactoryClass = ShoutingFactory
        resource.isLeaf = True
        return resource

    assert passedOn(make, "POST", "/a?b", body=b"body") == (200, "POST /UP?B NONE BODY")


def test_methods_of_an_instance_are_called() -> None:
    def make(port: int) -> ReverseProxyResource:
        resource = stock(port)
        resource.render = lambda request: b"own"  # type: ignore[method-assign]
        return resource

    # getChild makes plain ones; the root itself is asked only by a resource above it.
    root = Resource()
    root.putChild("x", make(1))

    async def run() -> str:
        async with AsyncTestClient(Site(root)) as client:
            return (await client.get("/x")).text

    assert asyncio.run(run()) == "own"


def test_settings_may_change_later() -> None:
    def make(port: int) -> ReverseProxyResource:
        resource = ReverseProxyResource("nobody.invalid", 1, b"")
        resource.host, resource.port, resource.path = "127.0.0.1", port, b"/later"
        return resource

    assert passedOn(make, "GET", "/x") == (200, "GET /later/x None ")


def test_leaf_passes_its_own_path_on() -> None:
    def make(port: int) -> ReverseProxyResource:
        resource = ReverseProxyResource("127.0.0.1", port, b"/only")
        resource.isLeaf = True
        return resource

    assert passedOn(make, "GET", "/x/y?z") == (200, "GET /only?z None ")


def test_child_is_plain_and_shares_the_connections() -> None:
    parent = Marking("127.0.0.1", 81, b"/a/")
    child = ReverseProxyResource.getChild(parent, b"b c/\xff", Request())
    assert type(child) is ReverseProxyResource
    assert (child.host, child.port, child.path) == ("127.0.0.1", 81, b"/a/b%20c%2F%FF")
    assert child._upstream is parent._upstream


def test_upstream_is_named_in_the_log_as_it_was_given() -> None:
    labels = [
        ReverseProxyResource(host, port, b"")._upstream.label
        for host, port in [("127.0.0.1", 80), ("::1", 81), ("a.example", None), ("unix:/a/b", None)]
    ]
    assert labels == ["127.0.0.1:80", "[::1]:81", "a.example:80", "unix:/a/b"]


@pytest.mark.parametrize(
    ("path", "options"), [("/a b", {}), ("/\n", {}), ("/é", {}), ("/", {"forwarded": "maybe"})]
)
def test_what_can_not_be_sent_is_refused_at_once(path: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ReverseProxyResource("a", 80, path, **options)


def test_subclasses_that_render_collect_the_body() -> None:
    class Streaming(Marking):
        streamsBody = True

    class Child(ReverseProxyResource):
        def getChild(self, path: bytes, request: Request) -> ReverseProxyResource:
            return self

    assert [each.streamsBody for each in (Marking, Streaming, Child)] == [False, True, True]


class Reactor:
    """Remembers whom it was asked to connect to."""

    def __init__(self) -> None:
        self.connected: list[tuple[Any, ...]] = []

    def connectTCP(self, *arguments: Any) -> None:
        self.connected.append(arguments)

    connectUNIX = connectTCP


def test_reactor_of_somebody_elses_is_asked_to_connect() -> None:
    double = Reactor()
    results: list[Any] = []

    class Root(Resource):
        isLeaf = True

        def render(self, request: Request) -> Any:
            for host in ("a.example", "unix:/a"):
                proxy = ReverseProxyResource(host, 81, b"/up", double)
                results.append(proxy.render(request))
            return b"done"

    async def run() -> None:
        async with AsyncTestClient(Site(Root())) as client:
            await client.post("/?q", body=b"body", headers={"X-A": "b"})

    asyncio.run(run())
    assert results == [NOT_DONE_YET, NOT_DONE_YET]
    (tcp, unix) = double.connected
    assert (*tcp[:2], unix[0]) == ("a.example", 81, "/a")
    factory = tcp[2]
    assert (factory.command, factory.rest, factory.data) == (b"POST", b"/up?q", b"body")
    assert factory.headers[b"host"] == b"a.example:81"
    assert factory.headers[b"x-a"] == b"b"


def test_upstream_needs_to_be_somewhere() -> None:
    with pytest.raises(ValueError):
        _engine.Upstream("nowhere")


def test_connections_are_counted_and_closed() -> None:
    async def run() -> None:
        async with Site(Told()).start(port=0, interface="127.0.0.1") as listening:
            resource = stock(listening.getHost().port)
            upstream = resource._upstream
            async with AsyncTestClient(Site(resource)) as client:
                assert (upstream.connections, upstream.idle) == (0, 0)
                for _ in range(2):
                    assert (await client.get("/")).code == 200
                    assert (upstream.connections, upstream.idle) == (1, 1)
                upstream.close_idle()
                assert (upstream.connections, upstream.idle) == (0, 0)

    asyncio.run(run())


class ForwardFactory(HTTPFactory):
    """A forward proxy, as Twisted's documentation makes one."""

    def buildProtocol(self, addr: Any) -> Any:
        return Proxy()


class BackwardFactory(HTTPFactory):
    """Everything goes to one server."""

    protocol = ReverseProxy
    host = "127.0.0.1"
    port = 0


def answersOf(factory: HTTPFactory, *requests: bytes) -> list[bytes]:
    """The answers to requests in which `PORT` stands for that of a site that tells what it was asked."""

    async def run() -> list[bytes]:
        async with Site(Told()).start(port=0, interface="127.0.0.1") as listening:
            behind = listening.getHost().port
            factory.port = behind  # type: ignore[attr-defined]
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            answers = []
            for request in requests:
                reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
                writer.write(request.replace(b"PORT", b"%d" % behind))
                answers.append(await reader.read())
                writer.close()
            await port.stopListening()
            return answers

    return asyncio.run(run())


def test_forward_proxy_asks_the_server_that_is_named() -> None:
    get, post, relative, other = answersOf(
        ForwardFactory(),
        b"GET http://127.0.0.1:PORT/a?b HTTP/1.0\r\nX-Mark: m\r\n\r\n",
        b"POST http://localhost:PORT?b HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody",
        b"GET /a HTTP/1.0\r\n\r\n",
        b"GET https://127.0.0.1:PORT/ HTTP/1.0\r\n\r\n",
    )
    assert get.startswith(b"HTTP/1.0 200 ")
    assert get.endswith(b"GET /a?b m ")
    assert post.endswith(b"POST /?b None body")
    assert relative.startswith(b"HTTP/1.0 400 ")
    assert other.startswith(b"HTTP/1.0 501 ")


def test_reverse_proxy_protocol_asks_the_server_of_its_factory() -> None:
    (answer,) = answersOf(BackwardFactory(), b"GET /a?b HTTP/1.0\r\nX-Mark: m\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert answer.endswith(b"GET /a?b m ")


class Transport:
    """Remembers what was written."""

    def __init__(self) -> None:
        self.written = b""
        self.state = "open"

    def write(self, data: bytes) -> None:
        self.written += data

    def loseConnection(self) -> None:
        self.state = "closed"

    def abortConnection(self) -> None:
        self.state = "aborted"


class Father:
    """A client's request, as far as a protocol needs one."""

    finished = 0

    def __init__(self) -> None:
        from sennit.web.http_headers import Headers

        self.responseHeaders = Headers({"Server": ["Sennit"], "X-A": ["1"]})
        self.status: tuple[int, bytes] | None = None
        self.written = b""
        self.failure: Any = None

    def setResponseCode(self, code: int, message: bytes) -> None:
        self.status = code, message

    def write(self, data: bytes) -> None:
        self.written += data

    def finish(self) -> None:
        self.finished = 1

    def _failed(self, exception: Exception, resource: object) -> None:
        self.failure = exception


def client(father: Any, data: bytes = b"", **headers: bytes) -> tuple[ProxyClient, Transport]:
    fields = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    protocol = ProxyClientFactory(b"POST", b"/x?y", b"HTTP/1.1", fields, data, father).buildProtocol(None)
    transport = Transport()
    protocol.makeConnection(transport)
    return protocol, transport


def test_client_protocol_sends_the_request() -> None:
    _, transport = client(
        Father(), b"body", host=b"a", keep_alive=b"5", proxy_connection=b"x", expect=b"100-continue"
    )
    assert transport.written == (
        b"POST /x?y HTTP/1.0\r\nhost: a\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody"
    )


def test_client_protocol_sends_no_second_line_in_a_header() -> None:
    with pytest.raises(ValueError):
        client(Father(), x_a=b"b\r\nX-C: d")


def test_client_protocol_answers_its_father() -> None:
    father = Father()
    protocol, transport = client(father)
    for byte in b"HTTP/1.1 201 Made\r\nServer: up\r\nX-A: 2\r\nConnection: x\r\nContent-Length: 2\r\n\r\nok":
        protocol.dataReceived(bytes([byte]))
    assert (father.status, father.written, father.finished) == ((201, b"Made"), b"ok", 1)
    assert father.responseHeaders.getRawHeaders("server") == ["up"]
    assert father.responseHeaders.getRawHeaders("x-a") == ["1", "2"]
    assert not father.responseHeaders.hasHeader("connection")
    assert transport.state == "closed"
    protocol.connectionLost()
    assert father.failure is None


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", b"nonsense\r\n"])
def test_client_protocol_that_is_cut_off_fails(sent: bytes) -> None:
    father = Father()
    protocol, transport = client(father)
    protocol.dataReceived(sent)
    protocol.connectionLost()
    assert father.failure.status == b"502"
    assert transport.state == ("aborted" if sent.startswith(b"n") else "open")


def test_client_protocol_reads_until_the_connection_ends() -> None:
    father = Father()
    protocol, _ = client(father)
    protocol.dataReceived(b"HTTP/1.0 200 OK\r\n\r\nall of it")
    protocol.connectionLost()
    assert (father.written, father.finished, father.failure) == (b"all of it", 1, None)
