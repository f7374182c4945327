"""The tree of probe resources that the wire tests ask; each notes what happened to it in a `Recorder`."""

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from sennit.web import http
from sennit.web.error import Error
from sennit.web.iweb import RenderResult, ResourceLike
from sennit.web.proxy import ProxyClient, ProxyClientFactory, ReverseProxyResource
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Request

from .producers import PULL, PUSH, Countdown, Fountain


class Recorder:
    """What happened, in order; and the requests that wait for a test's command."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.held: list[Request] = []

    def note(self, name: str, **facts: object) -> None:
        """Add one event."""
        self.events.append({"name": name, **facts})


class Probe(Resource):
    """A leaf-less resource with a recorder."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder


class Root(Probe):
    """The root: its dynamic children note that they were asked for."""

    def getChild(self, path: bytes, request: Request) -> ResourceLike | Awaitable[ResourceLike]:
        self.recorder.note("unknown", path=path.decode("latin-1"))
        return super().getChild(path, request)


class Evil(Probe):
    """Must never be reached by a smuggled request."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        self.recorder.note("evil")
        return b"evil"


class Hello(Probe):
    """Answers GET with a few bytes."""

    def render_GET(self, request: Request) -> bytes:
        self.recorder.note("hello")
        return b"hello"


class Kilo(Probe):
    """Answers GET with ten thousand bytes."""

    def render_GET(self, request: Request) -> bytes:
        self.recorder.note("kilo")
        return b"k" * 10_000


class Echo(Probe):
    """Gives the body back."""

    def render_GET(self, request: Request) -> bytes:
        self.recorder.note("echo", length=0)
        return b"nothing"

    def render_POST(self, request: Request) -> bytes:
        assert request.content is not None
        body = request.content.read()
        self.recorder.note("echo", length=len(body))
        return body

    render_PUT = render_POST


class SmallEcho(Echo):
    """An echo with a body limit of its own."""

    maxBody = 10


class Digest(Probe):
    """Says how long the body was and its SHA-256."""

    maxBody = 256 << 20

    def render_POST(self, request: Request) -> bytes:
        assert request.content is not None
        digest, length = hashlib.sha256(), 0
        head = request.content.read(65536)
        piece = head
        while piece:
            digest.update(piece)
            length += len(piece)
            piece = request.content.read(1 << 20)
        self.recorder.note("digest", length=length)
        return json.dumps({"length": length, "sha256": digest.hexdigest()}).encode()


class Length(Probe):
    """Says how long the body was without reading it."""

    maxBody = 256 << 20

    def render_POST(self, request: Request) -> bytes:
        assert request.content is not None
        self.recorder.note("length")
        return b"%d" % request.content.seek(0, 2)


class Ignore(Probe):
    """Answers any method without a look at the body."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        self.recorder.note("ignore", method=request.method.decode("latin-1"))
        return b"ignored"


class Facts(Probe):
    """Says what the program sees of the request."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        cookies = request.received_cookies
        fields = [
            [name.decode("latin-1"), [value.decode("latin-1") for value in values]]
            for name, values in request.requestHeaders.getAllRawHeaders()
        ]
        address = request.getClientAddress()
        facts = {
            "method": request.method.decode("latin-1"),
            "uri": request.uri.decode("latin-1"),
            "path": request.path.decode("latin-1"),
            "postpath": [segment.decode("latin-1") for segment in request.postpath],
            "fields": fields,
            "forwarded": request.getHeader("x-forwarded-for"),
            "cookies": {name.decode("latin-1"): cookies[name].decode("latin-1") for name in cookies},
            "secure": request.isSecure(),
            "client": getattr(address, "host", None),
            "url": request.prePathURL().decode("latin-1"),
        }
        self.recorder.note("facts")
        return json.dumps(facts).encode()


class Form(Probe):
    """Says which fields a form had, and how long their values are."""

    maxBody = 256 << 20

    def render_POST(self, request: Request) -> bytes:
        args: dict[bytes, list[bytes]] = request.args or {}
        self.recorder.note("form", fields=len(args))
        return json.dumps(
            {key.decode("latin-1"): [len(value) for value in args[key]] for key in args}
        ).encode()


class Code(Probe):
    """`/code/N` answers N with a body; `/code/N/stream` writes it in two pieces."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes | int:
        request.setResponseCode(int(request.postpath[0]))
        if request.postpath[1:] != [b"stream"]:
            return b"body"
        request.write(b"bo")
        request.write(b"dy")
        request.finish()
        return NOT_DONE_YET


class Script(Probe):
    """Does what the test says; see `helpers.script`."""

    isLeaf = True

    def operations(self, request: Request) -> list[list[Any]]:
        """The script in the query."""
        operations: list[list[Any]] = json.loads(unquote_to_bytes(request.uri.partition(b"?")[2]))
        return operations

    def render(self, request: Request) -> RenderResult:
        self.recorder.note("script")
        result: RenderResult = perform_all(self.recorder, request, self.operations(request))
        return result


class AsyncScript(Script):
    """The same in a coroutine, where `sleep` may stand between the operations."""

    async def render_GET(self, request: Request) -> Any:
        self.recorder.note("started")
        try:
            result: Any = b""
            for operation in self.operations(request):
                if operation[0] == "sleep":
                    await asyncio.sleep(operation[1])
                else:
                    result = perform_all(self.recorder, request, [operation])
            return result
        finally:
            self.recorder.note("ended", error=_name_of_current_error())

    def render(self, request: Request) -> RenderResult:
        return Resource.render(self, request)


class StayingScript(AsyncScript):
    """A coroutine that isn't cancelled when the client leaves."""

    cancelOnDisconnect = False


class Held(Probe):
    """Waits for commands; see `Recorder.held`."""

    def render_GET(self, request: Request) -> int:
        self.recorder.held.append(request)
        finished = request.notifyFinish()
        finished.addCallbacks(
            lambda result: self.recorder.note("finished", result=repr(result)),
            lambda failure: self.recorder.note("lost", reason=type(failure.value).__name__),
        )
        self.recorder.note("held")
        return NOT_DONE_YET


class Chunks(Probe):
    """Streams `?COUNTxSIZE` chunks from an iterator, or from an async iterator if made so."""

    isLeaf = True

    def __init__(self, recorder: Recorder, waits: bool) -> None:
        super().__init__(recorder)
        self.waits = waits

    def render_GET(self, request: Request) -> object:
        count, size = (int(part) for part in request.uri.partition(b"?")[2].split(b"x"))
        return self.later(count, b"c" * size) if self.waits else self.now(count, b"c" * size)

    def now(self, count: int, chunk: bytes) -> Iterator[bytes]:
        """A plain iterator."""
        given = 0
        try:
            for _ in range(count):
                given += 1
                yield chunk
        finally:
            self.recorder.note("chunks", given=given)

    async def later(self, count: int, chunk: bytes) -> AsyncIterator[bytes]:
        """An async one."""
        given = 0
        try:
            for _ in range(count):
                await asyncio.sleep(0)
                given += 1
                yield chunk
        finally:
            self.recorder.note("chunks", given=given)


class Produced(Probe):
    """Streams `?TOTAL` bytes from a producer, push or pull."""

    isLeaf = True

    def __init__(self, recorder: Recorder, kind: str) -> None:
        super().__init__(recorder)
        self.kind = kind

    def render_GET(self, request: Request) -> int:
        total = int(request.uri.partition(b"?")[2])
        if self.kind == PUSH:
            fountain = Fountain(request, total, self.recorder.note)
            request.registerProducer(fountain, True)
            fountain.resumeProducing()
        else:
            request.registerProducer(Countdown(request, total, self.recorder.note), False)
        return NOT_DONE_YET


class Upload(Probe):
    """Takes its body as a stream, after `?SECONDS` of waiting."""

    streamsBody = True
    maxBody = 256 << 20

    async def render_POST(self, request: Request) -> bytes:
        self.recorder.note("upload started")
        await asyncio.sleep(float(request.uri.partition(b"?")[2] or 0))
        digest, length = hashlib.sha256(), 0
        try:
            async for piece in request.stream():
                digest.update(piece)
                length += len(piece)
        finally:
            self.recorder.note("upload ended", length=length, error=_name_of_current_error())
        return json.dumps({"length": length, "sha256": digest.hexdigest()}).encode()


class SmallUpload(Upload):
    """The same with a limit."""

    maxBody = 10


class Refuse(Probe):
    """Answers 403 before the body has come, without asking for it."""

    streamsBody = True

    def render_POST(self, request: Request) -> bytes:
        self.recorder.note("refuse")
        request.setResponseCode(http.FORBIDDEN)
        return b"no thanks"


class RaisingParent(Probe):
    """A dynamic parent whose lookup fails: with an error answer for a number, else with an exception."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        if path.isdigit():
            raise Error(int(path), b"from the lookup")
        raise RuntimeError("<b>secret</b>")


class SessionPage(Probe):
    """Says the id of the request's session."""

    def render_GET(self, request: Request) -> bytes:
        uid: bytes = request.getSession().uid
        return uid


class ChangingProxy(ReverseProxyResource):
    """Changes the request before it is passed on, and the response before it has come."""

    isLeaf = True

    def render(self, request: Request) -> RenderResult:
        request.requestHeaders.setRawHeaders("X-Changed", ["yes"])
        request.requestHeaders.removeHeader("cookie")
        request.setHeader("X-Added", "here")
        request.setHeader("Content-Type", "text/x-unused")
        request.addCookie("seen", "1")
        return super().render(request)


class LoudClient(ProxyClient):
    """Changes the response as it comes, as programs written for Twisted do."""

    def handleHeader(self, key: bytes, val: bytes) -> None:
        super().handleHeader(key, val.upper() if key.lower() == b"x-word" else val)

    def handleResponsePart(self, data: bytes) -> None:
        super().handleResponsePart(data.upper())


class LoudClientFactory(ProxyClientFactory):
    """Makes them."""

    protocol = LoudClient


class LoudProxy(ReverseProxyResource):
    """A proxy with a client protocol of its own, below as well."""

    proxyClientFactoryClass = LoudClientFactory

    def getChild(self, path: bytes, request: Request) -> "LoudProxy":
        return LoudProxy(self.host, self.port, self.path + b"/" + path, self.reactor)


def proxied_root(kind: str = "stock", **options: Any) -> Resource:
    """A root that passes everything on, but for what is below `here`."""
    kinds = {"stock": ReverseProxyResource, "changing": ChangingProxy, "loud": LoudProxy}
    options["path"] = options.get("path", "").encode()
    upload_limit = options.pop("maxBody", None)
    root = kinds[kind](**options)
    if upload_limit is not None:
        root.maxBody = upload_limit
    here = Resource()
    here.putChild("hello", Hello(Recorder()))
    root.putChild("here", here)
    return root


def _name_of_current_error() -> str | None:
    kind = sys.exc_info()[0]
    return kind.__name__ if kind else None


def value_of(item: Any) -> Any:
    """An argument of an operation as the program shall pass it."""
    if isinstance(item, list):
        return tuple(value_of(each) for each in item)
    return item["bytes"].encode("latin-1") if isinstance(item, dict) and "bytes" in item else item


def perform_all(recorder: Recorder, request: Request, operations: list[list[Any]]) -> Any:
    """Do the operations in order; what one raises is noted, and the next one is done."""
    result: Any = b""
    for name, *arguments in operations:
        values = [value_of(argument) for argument in arguments]
        if name == "return":
            result = NOT_DONE_YET if values == ["NOT_DONE_YET"] else values[0]
        elif name == "raise":
            raise RuntimeError(values[0])
        elif name == "error":
            raise Error(*values)
        else:
            try:
                perform(recorder, request, name, values)
            except Exception as error:
                recorder.note("raised", operation=name, type=type(error).__name__, text=str(error))
    return result


def perform(recorder: Recorder, request: Request, name: str, values: list[Any]) -> None:
    """Do one operation: a method of the request by its name, or one of a few others."""
    if name == "add-header":
        request.responseHeaders.addRawHeader(*values)
    elif name == "remove-header":
        request.responseHeaders.removeHeader(*values)
    elif name == "cookie":
        request.addCookie(*values[:2], **(values[2] if values[2:] else {}))
    elif name == "write-many":
        for _ in range(values[0]):
            request.write(b"m" * values[1])
    elif name == "idle-producer":
        request.registerProducer(Countdown(request, 0, recorder.note), True)
    elif name == "block":
        time.sleep(*values)
    else:
        getattr(request, name)(*values)


def build(recorder: Recorder) -> Resource:
    """The whole tree."""
    root = Root(recorder)
    children: dict[bytes | str, Resource] = {
        b"": Echo(recorder),
        "evil": Evil(recorder),
        "hello": Hello(recorder),
        "kilo": Kilo(recorder),
        "echo": Echo(recorder),
        "small": SmallEcho(recorder),
        "digest": Digest(recorder),
        "length": Length(recorder),
        "ignore": Ignore(recorder),
        "facts": Facts(recorder),
        "form": Form(recorder),
        "code": Code(recorder),
        "script": Script(recorder),
        "async-script": AsyncScript(recorder),
        "staying-script": StayingScript(recorder),
        "held": Held(recorder),
        "chunks": Chunks(recorder, waits=False),
        "async-chunks": Chunks(recorder, waits=True),
        "push": Produced(recorder, PUSH),
        "pull": Produced(recorder, PULL),
        "upload": Upload(recorder),
        "small-upload": SmallUpload(recorder),
        "refuse": Refuse(recorder),
        "raising": RaisingParent(recorder),
        "session": SessionPage(recorder),
    }
    for name, child in children.items():
        root.putChild(name, child)
    return root
