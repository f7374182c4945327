"""OpenTelemetry: a span for each request, and the metrics of all, through OpenTelemetry's API.

    site.openTelemetry = OpenTelemetry()

The program, or `opentelemetry-instrument`, configures the SDK and its exporters; without one, nothing is
recorded. Names and attributes are those of the stable semantic conventions for HTTP servers. A site without
it pays nothing for this.
"""

import os
import re
from collections.abc import Callable
from contextvars import copy_context
from time import perf_counter
from typing import Any

try:
    from opentelemetry import context as contexts
    from opentelemetry import metrics, propagate, trace
    from opentelemetry.propagators.textmap import Getter
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "sennit.web.opentelemetry needs opentelemetry-api: pip install 'sennit[opentelemetry]'",
        name=missing.name,
    ) from missing

from sennit import __version__
from sennit._engine import Forward
from sennit.web._parsing import unquote
from sennit.web.error import Error, UnsupportedMethod
from sennit.web.http import Request
from sennit.web.resource import Resource

__all__ = ["OpenTelemetry"]

_SCHEMA = "https://opentelemetry.io/schemas/1.29.0"
# RFC 9110 section 9 and RFC 5789; others could be anything, and are told as `_OTHER`.
_METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_METHODS_VARIABLE = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
# The conventions' advice for `http.server.request.duration`, in seconds.
_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
# Arguments which the conventions want hidden: signatures that let whoever has them in.
_SECRETS = re.compile(r"(^|&)(AWSAccessKeyId|Signature|sig|X-Goog-Signature)=[^&]*")
_LOST = "connection_lost"


class OpenTelemetry:
    """What traces the requests of one site or several, and measures them.

    `tracerProvider` and `meterProvider` are the global ones unless given. With `publicEndpoint` true, a trace
    that a client claims to be part of isn't continued: each request begins one of its own, with a link to the
    client's."""

    def __init__(
        self, tracerProvider: Any = None, meterProvider: Any = None, *, publicEndpoint: bool = False
    ) -> None:
        self.publicEndpoint = publicEndpoint
        self.tracer: Any = trace.get_tracer(
            "sennit", __version__, tracer_provider=tracerProvider, schema_url=_SCHEMA
        )
        meter: Any = metrics.get_meter(
            "sennit", __version__, meter_provider=meterProvider, schema_url=_SCHEMA
        )
        self.duration: Any = meter.create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self.active: Any = meter.create_up_down_counter(
            "http.server.active_requests",
            unit="{request}",
            description="Number of active HTTP server requests.",
        )
        own = os.environ.get(_METHODS_VARIABLE)
        self.methods = frozenset(_METHODS if own is None else [one.strip() for one in own.split(",")])
        self._classes: dict[type[Any], type[Any]] = {}

    def observing(self, factory: Callable[..., Any]) -> Callable[..., Any]:
        """A factory of requests like `factory`, whose requests are observed."""
        if isinstance(factory, type):
            return self._observed(factory)

        def make(channel: Any, queued: Any = False) -> Any:
            request = factory(channel, queued)
            request.__class__ = self._observed(type(request))
            return request

        return make

    def _observed(self, base: type[Any]) -> type[Any]:
        made = self._classes.get(base)
        if made is None:
            made = self._classes[base] = _observedRequest(base, self)
        return made


def _observedRequest(base: Any, telemetry: OpenTelemetry) -> type[Any]:
    """`base`, with an observation for each request."""

    class ObservedRequest(base):
        _observation: Observation | None = None

        def process(self) -> None:
            self._observed().run(self, super().process)

        def _failed(self, exception: BaseException, resource: object) -> None:
            # It may be the first that is heard of a request: one whose body was refused.
            observation = self._observed()
            observation.note(exception)
            observation.run(self, super()._failed, exception, resource)

        def forward(self, forward: Forward) -> bool:
            # What it said is looked at before another thing stands there.
            _ = self.traceContext
            if self._observation is not None:
                self._observation.passOn(self)
            passed: bool = super().forward(forward)
            return passed

        def _observed(self) -> Observation:
            observation = self._observation
            if observation is None:
                observation = self._observation = Observation(telemetry, self)
                # Both ends are told to who watches.
                self._watched = True
            return observation

        def _fire_finished(self) -> None:
            if self._observation is not None:
                self._observation.end(self, lost=False)
            super()._fire_finished()

        def _connection_lost(self, reason: str) -> None:
            if self._observation is not None:
                self._observation.end(self, lost=True)
            super()._connection_lost(reason)

        def _traceId(self) -> str | None:
            observation = self._observation
            spans = None if observation is None else observation.span.get_span_context()
            if spans is not None and spans.is_valid:
                return str(trace.format_trace_id(spans.trace_id))
            known: str | None = super()._traceId()
            return known

    ObservedRequest.__name__ = ObservedRequest.__qualname__ = base.__name__
    return ObservedRequest


class Observation:
    """One request: its span, and what is measured of it."""

    def __init__(self, telemetry: OpenTelemetry, request: Request) -> None:
        """Begin, as soon as the request is given to the program."""
        self._telemetry = telemetry
        self._began = perf_counter()
        method = request.method.decode("latin-1")
        known = method in telemetry.methods
        self._method = method if known else "HTTP"
        self._active: dict[str, Any] = {
            "http.request.method": method if known else "_OTHER",
            "url.scheme": "https" if request.isSecure() else "http",
        }
        telemetry.active.add(1, self._active)
        attributes = self._active | _attributesOf(request)
        if not known:
            attributes["http.request.method_original"] = method
        self._failure: str | None = None
        self._ended = False
        parent, links = propagate.extract(request, getter=_HEADERS), []
        if telemetry.publicEndpoint:
            caller = trace.get_current_span(parent).get_span_context()
            links = [trace.Link(caller)] if caller.is_valid else []
            parent = trace.set_span_in_context(trace.INVALID_SPAN, parent)
        self.span: Any = telemetry.tracer.start_span(
            self._method, parent, trace.SpanKind.SERVER, attributes, links
        )
        # The one in which the program works.
        self.context: Any = trace.set_span_in_context(self.span, parent)

    def run(self, request: Request, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function with the span as the current one. Whatever is started from there inherits that:
        tasks, and calls of a thread pool; and the engine goes on in it with the response."""
        variables = copy_context()
        if request._context is None:
            request._context = variables
        variables.run(self._runHere, function, *arguments)

    def _runHere(self, function: Callable[..., object], *arguments: Any) -> None:
        # Nobody has to detach it: it ends with this copy of the context variables.
        contexts.attach(self.context)
        function(*arguments)

    def passOn(self, request: Request) -> None:
        """Have the server that a request is passed on to be told of the span, in place of its parent."""
        onward: dict[str, str] = {}
        propagate.inject(onward, self.context)
        headers = request.requestHeaders
        if "traceparent" in onward:
            headers.removeHeader("tracestate")
        for name, value in onward.items():
            headers.setRawHeaders(name, [value])

    def note(self, exception: BaseException) -> None:
        """The program has raised what it did not mean to be an answer."""
        if self._ended or not isinstance(exception, Exception) or isinstance(exception, _ANSWERS):
            return
        kind = type(exception)
        plain = kind.__module__ == "builtins"
        self._failure = kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"
        self.span.record_exception(exception)

    def end(self, request: Request, lost: bool) -> None:
        """The response is finished; or `lost`, the connection."""
        self._ended = True
        span, measured = self.span, dict(self._active)
        self._telemetry.active.add(-1, self._active)
        if request.clientproto.startswith(b"HTTP/"):
            measured["network.protocol.version"] = request.clientproto[5:].decode("latin-1")
        failure = self._failure
        if not lost or request.startedWriting:
            measured["http.response.status_code"] = request.code
            if request.code >= 500 and failure is None:
                failure = str(request.code)
        if failure is not None:
            span.set_status(trace.StatusCode.ERROR)
        elif lost:
            failure = _LOST
        if failure is not None:
            measured["error.type"] = failure
        route = request.route or _staticRoute(request)
        if route is not None:
            measured["http.route"] = route
            # Unless the program has named it.
            if getattr(span, "name", self._method) == self._method:
                span.update_name(f"{self._method} {route}")
        span.set_attributes(measured)
        if request._id is not None:
            span.set_attribute("sennit.request.id", request._id)
        self._telemetry.duration.record(perf_counter() - self._began, measured, self.context)
        span.end()


# Exceptions that are answers, and no mistakes.
_ANSWERS = (Error, UnsupportedMethod)


class _Headers(Getter):  # type: ignore[misc,type-arg,unused-ignore]  # Any where the package is missing
    """Gives propagators the headers of a request."""

    def get(self, carrier: Request, key: str) -> list[str] | None:
        name = key.lower()
        values = carrier.header_values(name.encode("latin-1"))
        # W3C Trace Context section 3.2: of several, none is right.
        if not values or (name == "traceparent" and len(values) > 1):
            return None
        return [value.decode("latin-1") for value in values]

    def keys(self, carrier: Request) -> list[str]:
        return [name.decode("latin-1").lower() for name, _ in carrier.requestHeaders.getAllRawHeaders()]


_HEADERS = _Headers()


def _attributesOf(request: Request) -> dict[str, Any]:
    """What the span tells of a request, besides method and scheme. Samplers see it, too."""
    attributes: dict[str, Any] = {"url.path": request.path.decode("latin-1")}
    query = request.uri.partition(b"?")[2].decode("latin-1")
    if query:
        attributes["url.query"] = _SECRETS.sub(r"\1\2=REDACTED", query)
    attributes["server.address"], attributes["server.port"] = _serverOf(request)
    client = request.getClientIP()
    if client is not None:
        attributes["client.address"] = client
    peer = None if request.connection is None else request.connection.get_peer()
    if isinstance(peer, tuple):
        attributes["network.peer.address"], attributes["network.peer.port"] = peer[0], peer[1]
    agent: bytes | None = request.getHeader(b"user-agent")
    if agent is not None:
        attributes["user_agent.original"] = agent.decode("latin-1")
    return attributes


def _serverOf(request: Request) -> tuple[str, int]:
    """The host and the port that were asked for."""
    authority = (request.getRequestAuthority() or b"").decode("latin-1")
    _, colon, port = authority.rpartition("]")[2].rpartition(":")
    host = request.getRequestHostname().decode("latin-1")
    if colon and port.isascii() and port.isdigit():
        return host, int(port)
    return host, 443 if request.isSecure() else 80


def _staticRoute(request: Request) -> str | None:
    """The path, if resources were put at each part of it: there are not many of that kind. None for one that
    code of the program has made something of."""
    site: Any = request.site
    current: Any = getattr(site, "resource", None)
    if current is None or site._traversesItself():
        return None
    for segment in request.prepath:
        if not isinstance(current, Resource) or (
            type(current).getChildWithDefault is not Resource.getChildWithDefault
        ):
            return None
        current = current.children.get(segment)
        if current is None:
            return None
    path = b"/" + b"/".join([*request.prepath, *request.postpath])
    if request.postpath not in ([], [b""]) or path != unquote(request.path):
        return None
    return path.decode("utf-8", "replace")
