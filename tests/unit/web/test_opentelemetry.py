"""OpenTelemetry, seen by its own SDK: spans and metrics of requests."""

import asyncio
import contextvars
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import baggage, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sennit.internet import reactor, threads
from sennit.internet.defer import Deferred
from sennit.python.threadpool import ThreadPool
from sennit.web.accesslog import accessLogJSON
from sennit.web.asgi import ASGIResource
from sennit.web.error import Error
from sennit.web.opentelemetry import OpenTelemetry
from sennit.web.proxy import ReverseProxyResource
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Request, RequestIDs, Site
from sennit.web.static import File
from sennit.web.testing import AsyncTestClient, TestClient
from sennit.web.wsgi import WSGIResource

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"


class Watch:
    """A site that is observed, and what was seen of it."""

    def __init__(self, root: Any, **options: Any) -> None:
        self._spans = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        meters = MeterProvider([self._reader])
        self.site = Site(root)
        self.site.openTelemetry = OpenTelemetry(self.provider, meters, **options)
        self.tracer = self.provider.get_tracer("program")

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    def span(self) -> ReadableSpan:
        """The only span."""
        (span,) = self.spans
        return span

    def server(self) -> ReadableSpan:
        """The only one that is a request's."""
        (span,) = [one for one in self.spans if one.kind is SpanKind.SERVER]
        return span

    def metric(self, name: str) -> Any:
        """The data points of a metric."""
        data = self._reader.get_metrics_data()
        assert data is not None
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            if metric.name == name:
                return list(metric.data.data_points)
        return []

    def active(self) -> int:
        """How many requests run, by the metric."""
        return sum(point.value for point in self.metric("http.server.active_requests"))

    def asked(self, method: str = "GET", target: str = "/", **options: Any) -> Any:
        with TestClient(self.site) as client:
            return client.request(method, target, **options)


class Page(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return b"page"

    render_POST = render_GET


def hexOf(span: Any) -> tuple[str, str]:
    context = span.get_span_context()
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def test_span_tells_of_a_request() -> None:
    watch = Watch(Page())
    watch.asked(target="/a%20b/c?q=1", headers={"User-Agent": "test/1", "Host": "shop.example:8080"})
    span = watch.span()
    assert (span.name, span.kind, span.parent) == ("GET", SpanKind.SERVER, None)
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes is not None
    attributes = dict(span.attributes)
    assert isinstance(attributes.pop("network.peer.port"), int)
    assert attributes == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": "/a%20b/c",
        "url.query": "q=1",
        "server.address": "shop.example",
        "server.port": 8080,
        "client.address": "127.0.0.1",
        "network.peer.address": "127.0.0.1",
        "user_agent.original": "test/1",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
    }


def test_parent_is_the_callers_span() -> None:
    watch = Watch(Page())
    watch.asked(headers=[("traceparent", SAMPLED), ("tracestate", "a=1"), ("tracestate", "b=2")])
    span = watch.span()
    assert span.parent is not None
    assert span.parent.is_remote
    assert trace.format_span_id(span.parent.span_id) == PARENT
    assert hexOf(span)[0] == TRACE
    assert dict(span.get_span_context().trace_state.items()) == {"a": "1", "b": "2"}


def test_two_parents_are_none() -> None:
    watch = Watch(Page())
    watch.asked(headers=[("traceparent", SAMPLED), ("traceparent", SAMPLED)])
    assert watch.span().parent is None


def test_caller_that_does_not_sample_is_obeyed() -> None:
    watch = Watch(Page())
    watch.asked(headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert watch.spans == []


def test_public_endpoint_begins_its_own_trace_with_a_link() -> None:
    watch = Watch(Page(), publicEndpoint=True)
    watch.asked(headers={"traceparent": SAMPLED})
    span = watch.span()
    assert span.parent is None
    assert hexOf(span)[0] != TRACE
    assert [trace.format_trace_id(link.context.trace_id) for link in span.links] == [TRACE]
    watch.asked()
    assert [len(span.links) for span in watch.spans] == [1, 0]


def test_baggage_is_there() -> None:
    class Shows(Resource):
        isLeaf = True

        def render_GET(self, request: Request) -> str:
            return str(baggage.get_baggage("tenant"))

    assert Watch(Shows()).asked(headers={"baggage": "tenant=blue"}).text == "blue"


@pytest.mark.parametrize(
    ("method", "name", "attribute"),
    [("POST", "POST", "POST"), ("BREW", "HTTP", "_OTHER"), ("get", "HTTP", "_OTHER")],
)
def test_unknown_methods_are_one(method: str, name: str, attribute: str) -> None:
    watch = Watch(Page())
    watch.asked(method, "/x/y")
    span = watch.span()
    assert span.attributes is not None
    assert (span.name, span.attributes["http.request.method"]) == (name, attribute)
    assert span.attributes.get("http.request.method_original") == (None if name == method else method)


def test_known_methods_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "BREW, GET")
    watch = Watch(Page())
    watch.asked("BREW", "/x/y")
    watch.asked("POST", "/x/y")
    assert [span.name for span in watch.spans] == ["BREW", "HTTP"]


def test_signatures_in_queries_are_hidden() -> None:
    watch = Watch(Page())
    watch.asked(target="/x?sig=a%2Fb&design=1&X-Goog-Signature=s3&Signature=")
    attributes = watch.span().attributes
    assert attributes is not None
    assert attributes["url.query"] == "sig=REDACTED&design=1&X-Goog-Signature=REDACTED&Signature=REDACTED"


def test_ids_and_the_log_go_with_the_span() -> None:
    watch = Watch(Page())
    lines: list[str] = []

    class Log:
        def write(self, text: str) -> None:
            lines.append(text)

    watch.site._logFormatter = accessLogJSON("trace_id", "status")
    watch.site.logFile = Log()
    watch.site.requestIDs = RequestIDs()

    class Named(Page):
        def render_GET(self, request: Request) -> bytes:
            return request.id.encode()

    watch.site.resource = Named()
    answer = watch.asked(headers={"X-Request-ID": "mine"})
    span = watch.span()
    assert answer.text == "mine"
    assert span.attributes is not None
    assert span.attributes["sennit.request.id"] == "mine"
    assert lines == [f'{{"trace_id":"{hexOf(span)[0]}","status":200}}\n']


# Routes


def tree() -> Resource:
    class Dynamic(Resource):
        def getChild(self, path: bytes, request: Request) -> Resource:
            return Page() if path != b"named" else Named()

    class Named(Page):
        def render_GET(self, request: Request) -> bytes:
            request.route = "/users/{name}"
            return b""

    class NamesItsSpan(Page):
        def render_GET(self, request: Request) -> bytes:
            trace.get_current_span().update_name("own")
            return b""

    root = Resource()
    root.putChild("", Page())
    root.putChild("cart", Page())
    root.putChild("own", NamesItsSpan())
    root.putChild("users", Dynamic())
    shop = Resource()
    shop.putChild("order list", Page())
    root.putChild("shop", shop)
    return root


@pytest.mark.parametrize(
    ("target", "name", "route"),
    [
        ("/", "GET /", "/"),
        ("/cart?x=1", "GET /cart", "/cart"),
        ("/cart/", "GET /cart/", "/cart/"),
        ("/cart/17", "GET", None),
        ("/shop/order%20list", "GET /shop/order list", "/shop/order list"),
        ("/shop%2Forder%20list", "GET", None),
        ("/nowhere", "GET", None),
        ("/users/17", "GET", None),
        ("/users/named", "GET /users/{name}", "/users/{name}"),
        ("/own", "own", "/own"),
    ],
)
def test_route_is_what_was_put_there_or_what_the_program_says(
    target: str, name: str, route: str | None
) -> None:
    watch = Watch(tree())
    watch.asked(target=target)
    span = watch.span()
    assert span.attributes is not None
    assert (span.name, span.attributes.get("http.route")) == (name, route)


# Ends


class Mistake(Exception):
    pass


def test_exception_is_an_error_of_the_span() -> None:
    class Raises(Resource):
        isLeaf = True

        def render_GET(self, request: Request) -> bytes:
            raise Mistake("so")

    watch = Watch(Raises())
    assert watch.asked().code == 500
    span = watch.span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 500
    assert str(span.attributes["error.type"]).endswith("test_opentelemetry.Mistake")
    (event,) = span.events
    assert event.attributes is not None
    assert (event.name, event.attributes["exception.message"]) == ("exception", "so")


@pytest.mark.parametrize(
    ("code", "status", "error"), [(404, StatusCode.UNSET, None), (503, StatusCode.ERROR, "503")]
)
def test_only_codes_from_500_on_are_errors(code: int, status: StatusCode, error: str | None) -> None:
    class Raises(Resource):
        isLeaf = True

        async def render_GET(self, request: Request) -> bytes:
            raise Error(code)

    watch = Watch(Raises())
    assert watch.asked().code == code
    span = watch.span()
    assert span.attributes is not None
    assert (span.status.status_code, span.attributes.get("error.type")) == (status, error)
    assert span.events == ()


def test_body_that_is_refused_before_the_program_sees_it_is_seen() -> None:
    watch = Watch(Page())
    watch.site.maxBody = 10
    with TestClient(watch.site) as client:
        assert client.post("/", body=b"x" * 11, headers={"traceparent": SAMPLED}).code == 413
    span = watch.span()
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 413
    assert hexOf(span)[0] == TRACE


class Streams(Resource):
    isLeaf = True

    def __init__(self, tracer: Any) -> None:
        super().__init__()
        self.tracer = tracer
        self.goOn = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        with self.tracer.start_as_current_span("first"):
            yield b"first"
        await self.goOn.wait()
        with self.tracer.start_as_current_span("last"):
            yield b"last"

    def render_GET(self, request: Request) -> Any:
        return self.chunks()


def parentsOf(watch: Watch) -> set[str]:
    """The parents of all spans that the program has made."""
    inner = [span for span in watch.spans if span.kind is SpanKind.INTERNAL]
    assert inner
    return {trace.format_span_id(span.parent.span_id) if span.parent else "none" for span in inner}


def test_span_of_a_stream_ends_with_it() -> None:
    async def run() -> None:
        watch = Watch(None)
        root = watch.site.resource = Streams(watch.tracer)
        async with AsyncTestClient(watch.site) as client, client.stream("GET", "/") as answer:
            pieces = answer.pieces()
            assert await anext(pieces) == b"first"
            assert all(span.kind is SpanKind.INTERNAL for span in watch.spans)
            assert watch.active() == 1
            root.goOn.set()
            assert [piece async for piece in pieces] == [b"last"]
        assert [span.name for span in watch.spans][:2] == ["first", "last"]
        assert parentsOf(watch) == {hexOf(watch.server())[1]}
        assert watch.active() == 0

    asyncio.run(run())


def test_span_ends_when_the_client_leaves_a_stream() -> None:
    watch = Watch(None)
    watch.site.resource = Streams(watch.tracer)
    with TestClient(watch.site) as client, client.stream("GET", "/") as response:
        assert next(response.pieces()) == b"first"
        response.disconnect()
        span = watch.server()
        assert span.attributes is not None
        assert span.status.status_code is StatusCode.UNSET
        assert span.attributes["error.type"] == "connection_lost"
        assert span.attributes["http.response.status_code"] == 200
        assert watch.active() == 0


def test_span_ends_when_the_client_leaves_before_an_answer() -> None:
    class Waits(Resource):
        isLeaf = True

        async def render_GET(self, request: Request) -> bytes:
            await asyncio.sleep(60)
            return b""

    async def run() -> None:
        watch = Watch(Waits())
        async with AsyncTestClient(watch.site) as client:
            asked = asyncio.ensure_future(client.get("/"))
            await asyncio.sleep(0.01)
            assert watch.active() == 1
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        span = watch.server()
        assert span.attributes is not None
        assert span.attributes["error.type"] == "connection_lost"
        assert "http.response.status_code" not in span.attributes
        assert (span.status.status_code, span.events) == (StatusCode.UNSET, ())

    asyncio.run(run())


def test_exception_in_a_stream_is_an_error_though_the_code_is_out() -> None:
    class Breaks(Resource):
        isLeaf = True

        def render_GET(self, request: Request) -> Iterator[bytes]:
            yield b"first"
            raise Mistake

    watch = Watch(Breaks())
    with pytest.raises(Exception, match="closed"):
        watch.asked()
    span = watch.span()
    assert span.attributes is not None
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["http.response.status_code"] == 200
    assert str(span.attributes["error.type"]).endswith("Mistake")


# What the program does for a request lies in its span


class Works(Resource):
    """Does its work in one of several ways, each with a span of its own."""

    isLeaf = True

    def __init__(self, tracer: Any) -> None:
        super().__init__()
        self.tracer = tracer

    def work(self, where: str = "here") -> bytes:
        with self.tracer.start_as_current_span(where):
            return b"done"

    def render_GET(self, request: Request) -> Any:
        return getattr(self, request.path[1:].decode())(request)

    def plain(self, request: Request) -> bytes:
        return self.work()

    async def coroutine(self, request: Request) -> bytes:
        self.work("before")
        await asyncio.sleep(0)
        await asyncio.gather(asyncio.sleep(0), asyncio.to_thread(self.work, "thread"))
        return self.work()

    def deferred(self, request: Request) -> Deferred[bytes]:
        async def later() -> bytes:
            await asyncio.sleep(0)
            return self.work()

        return Deferred.fromFuture(asyncio.ensure_future(later()))

    def deferredToThread(self, request: Request) -> Deferred[bytes]:
        return threads.deferToThread(self.work)

    def callback(self, request: Request) -> int:
        def finish() -> None:
            request.write(self.work())
            request.finish()

        asyncio.get_running_loop().call_soon(finish)
        return NOT_DONE_YET

    def generator(self, request: Request) -> Iterator[bytes]:
        with self.tracer.start_as_current_span("around"):
            # More than is buffered: the rest is asked for when the client has taken this.
            yield b"x" * 1_000_000
        yield self.work("rest")

    def producer(self, request: Request) -> int:
        request.registerProducer(Produces(self, request), False)
        return NOT_DONE_YET


class Produces:
    """A pull producer, which is asked for the last piece once the client has taken the others."""

    def __init__(self, works: Works, request: Request) -> None:
        self.pieces = [b"x" * 1_000_000, b"x", b""]
        self.works = works
        self.request = request

    def resumeProducing(self) -> None:
        piece = self.pieces.pop(0)
        data = self.works.work()
        self.request.write(piece or data)
        if not piece:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        pass


@pytest.mark.parametrize(
    "way", ["plain", "coroutine", "deferred", "deferredToThread", "callback", "generator", "producer"]
)
def test_spans_of_a_handler_are_children(way: str, caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(None)
    watch.site.resource = Works(watch.tracer)
    answer = watch.asked(target=f"/{way}", headers={"traceparent": SAMPLED})
    assert answer.body.endswith(b"done")
    assert parentsOf(watch) == {hexOf(watch.server())[1]}
    assert {hexOf(span)[0] for span in watch.spans} == {TRACE}
    # Where the context changes within a span, OpenTelemetry complains.
    assert caplog.messages == []


def test_spans_of_children_that_are_waited_for_are_children() -> None:
    class Looks(Resource):
        async def getChild(self, path: bytes, request: Request) -> Resource:
            await asyncio.sleep(0)
            with watch.tracer.start_as_current_span("look"):
                return Page()

    watch = Watch(Looks())
    assert watch.asked(target="/a").text == "page"
    assert parentsOf(watch) == {hexOf(watch.server())[1]}


def test_requests_at_the_same_time_have_their_own_spans() -> None:
    async def run() -> Watch:
        watch = Watch(None)
        watch.site.resource = Works(watch.tracer)
        async with AsyncTestClient(watch.site) as client:
            await asyncio.gather(*(client.get("/coroutine") for _ in range(5)))
        return watch

    watch = asyncio.run(run())
    servers = {hexOf(span) for span in watch.spans if span.kind is SpanKind.SERVER}
    assert len({identity for _, identity in servers}) == 5
    assert parentsOf(watch) == {identity for _, identity in servers}
    assert len({of for of, _ in servers}) == 5


def test_nothing_of_a_request_is_left_in_the_loop() -> None:
    watch = Watch(Page())
    before = contextvars.copy_context()
    watch.asked()
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert dict(contextvars.copy_context()) == dict(before)


def test_spans_of_an_asgi_application_are_children() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with watch.tracer.start_as_current_span("app"):
            await asyncio.sleep(0)
            await send({"type": "http.response.start", "status": 201, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            await asyncio.sleep(0)
            assert all(span.kind is not SpanKind.SERVER for span in watch.spans)
            with watch.tracer.start_as_current_span("inner"):
                await send({"type": "http.response.body", "body": b"b"})

    watch = Watch(ASGIResource(app))
    assert watch.asked(target="/x").text == "ab"
    server, (outer,) = watch.server(), [span for span in watch.spans if span.name == "app"]
    assert parentsOf(watch) == {hexOf(server)[1], hexOf(outer)[1]}
    assert server.attributes is not None
    assert server.attributes["http.response.status_code"] == 201
    assert server.name == "GET"


def test_exception_of_an_asgi_application_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise Mistake("so")

    watch = Watch(ASGIResource(app))
    with caplog.at_level(logging.CRITICAL):
        assert watch.asked().code == 500
    span = watch.span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert str(span.attributes["error.type"]).endswith("Mistake")


@pytest.mark.parametrize("threads", [0, 2])
def test_spans_of_a_wsgi_application_are_children(threads: int, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        with watch.tracer.start_as_current_span("first"):
            start_response("202 Accepted", [])
            yield b"x" * 1_000_000
        with watch.tracer.start_as_current_span("rest"):
            yield b"done"

    pool = None
    if threads:
        pool = ThreadPool(0, threads)
        pool.start()
    try:
        watch = Watch(WSGIResource(reactor, pool, app))
        assert watch.asked(headers={"traceparent": SAMPLED}).body.endswith(b"done")
    finally:
        if pool is not None:
            pool.stop()
    server = watch.server()
    assert parentsOf(watch) == {hexOf(server)[1]}
    assert caplog.messages == []
    assert server.attributes is not None
    assert server.attributes["http.response.status_code"] == 202


def test_exception_of_a_wsgi_application_is_an_error() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise Mistake("so")

    pool = ThreadPool(0, 1)
    pool.start()
    try:
        watch = Watch(WSGIResource(reactor, pool, app))
        assert watch.asked().code == 500
    finally:
        pool.stop()
    attributes = watch.span().attributes
    assert attributes is not None
    assert str(attributes["error.type"]).endswith("Mistake")


def test_files_that_the_engine_gives_again_are_traced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    watch = Watch(File(str(tmp_path)))
    with TestClient(watch.site) as client:
        for _ in range(3):
            assert client.get("/a.txt").text == "text"
    assert [span.name for span in watch.spans] == ["GET"] * 3
    assert watch.metric("http.server.request.duration")[0].count == 3


class ToldContext(Resource):
    """Says where in a trace the request that came to it stands."""

    isLeaf = True

    def render_POST(self, request: Request) -> str:
        assert request.content is not None
        context = request.traceContext
        return f"{context.headers() if context is not None else None} {len(request.content.read())}"


@pytest.mark.parametrize(
    ("sent", "state"),
    [
        ([("traceparent", SAMPLED), ("tracestate", "a=1"), ("tracestate", "b=2")], {"tracestate": "a=1,b=2"}),
        ([("traceparent", "nonsense"), ("tracestate", "a=1")], {}),
        ([], {}),
    ],
)
@pytest.mark.parametrize("target", ["/", "/a/b"])
def test_proxy_tells_of_its_own_span(sent: list[tuple[str, str]], state: dict[str, str], target: str) -> None:
    async def run() -> tuple[Watch, str]:
        async with Site(ToldContext()).start() as port:
            watch = Watch(ReverseProxyResource("127.0.0.1", port.getHost().port, b""))
            async with AsyncTestClient(watch.site) as client:
                answer = await client.post(target, headers=sent, body=b"x" * 200_000)
                return watch, answer.text

    watch, text = asyncio.run(run())
    of, identity = hexOf(watch.span())
    # An SDK may say that its ids are random.
    flags = watch.span().get_span_context().trace_flags
    assert text == f"{ {'traceparent': f'00-{of}-{identity}-{flags:02x}'} | state } 200000"
    attributes = watch.span().attributes
    assert attributes is not None
    assert attributes["http.response.status_code"] == 200


# Metrics


def test_durations_and_running_requests_are_measured() -> None:
    watch = Watch(tree())
    with TestClient(watch.site) as client:
        client.get("/cart")
        client.get("/cart", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
        client.get("/users/17")
        client.request("BREW", "/nowhere")
    points = {
        (point.attributes["http.request.method"], point.attributes.get("http.route")): point
        for point in watch.metric("http.server.request.duration")
    }
    assert points.keys() == {("GET", "/cart"), ("GET", None), ("_OTHER", None)}
    cart = points["GET", "/cart"]
    assert cart.count == 2
    assert 0 < cart.sum < 10
    assert cart.explicit_bounds == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
    assert cart.attributes == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
        "http.route": "/cart",
    }
    assert watch.active() == 0


# Switching it on


class Own(Request):
    def process(self) -> None:
        self.setHeader("X-Own", "yes")
        super().process()


def makeOwn(channel: Any, queued: bool = False) -> Own:
    return Own(channel, queued)


@pytest.mark.parametrize("factory", [Own, makeOwn])
def test_programs_request_factory_goes_on_working(factory: Any) -> None:
    watch = Watch(Page())
    watch.site.requestFactory = factory
    assert watch.asked().header("X-Own") == "yes"
    assert watch.asked().code == 200
    assert len(watch.spans) == 2


def test_it_can_not_be_switched_once_the_site_serves() -> None:
    site = Site(Page())
    with TestClient(site) as client:
        client.get("/")
    with pytest.raises(RuntimeError, match="once the site serves"):
        site.openTelemetry = OpenTelemetry()
    assert site.openTelemetry is None


def test_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "sennit.web.opentelemetry")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'sennit\[opentelemetry\]'"):
        importlib.import_module("sennit.web.opentelemetry")


def test_without_an_sdk_nothing_happens() -> None:
    site = Site(Page())
    site.openTelemetry = OpenTelemetry()
    with TestClient(site) as client:
        assert client.get("/").text == "page"
