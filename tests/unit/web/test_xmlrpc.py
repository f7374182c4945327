"""XML-RPC: calls of every kind, faults, introspection, and what is refused."""

import asyncio
import datetime
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sennit.internet.defer import Deferred, fail, succeed
from sennit.web.server import Site
from sennit.web.testing import TestClient
from sennit.web.xmlrpc import (
    XMLRPC,
    Binary,
    DateTime,
    Fault,
    Handler,
    NoSuchFunction,
    XMLRPCIntrospection,
    addIntrospection,
    withRequest,
)


class Doubler(Handler):
    """Answers later."""

    def run(self, *args: Any) -> None:
        (number,) = args
        asyncio.get_running_loop().call_soon(self.result.callback, 2 * number)


class Inner(XMLRPC):
    """A sub-handler."""

    def xmlrpc_name(self) -> str:
        return "inner"


class Procedures(XMLRPC):
    """Methods of each kind."""

    notCallable = 1
    xmlrpc_number = 5

    def xmlrpc_echo(self, *values: Any) -> Any:
        """Give back what comes."""
        return list(values)

    def xmlrpc_type(self, value: Any) -> str:
        return type(value).__name__

    async def xmlrpc_add(self, a: int, b: int) -> int:
        async with asyncio.timeout(5):
            await asyncio.sleep(0.001)
        return a + b

    xmlrpc_add.signature = [["int", "int", "int"]]  # type: ignore[attr-defined]
    xmlrpc_add.help = "Adds."  # type: ignore[attr-defined]

    def xmlrpc_deferred(self) -> Deferred[str]:
        return succeed("fired")

    def xmlrpc_handled(self, number: int) -> Doubler:
        return Doubler(self, number)

    async def xmlrpc_handledLater(self, number: int) -> Doubler:
        return Doubler(self, number)

    @withRequest
    def xmlrpc_agent(self, request: Any, suffix: str) -> str:
        return str(request.getHeader("X-Agent")) + suffix

    def xmlrpc_none(self) -> None:
        return None

    def xmlrpc_faultReturned(self) -> Fault:
        return Fault(7, "returned")

    def xmlrpc_faultRaised(self) -> None:
        raise Fault(8, "raised")

    async def xmlrpc_faultLater(self) -> None:
        raise Fault(9, "later")

    def xmlrpc_fails(self) -> None:
        raise LookupError("secret")

    def xmlrpc_failsLater(self) -> Deferred[Any]:
        return fail(LookupError("secret"))

    def xmlrpc_control(self) -> str:
        return "a\x00b"

    def xmlrpc_huge(self) -> int:
        return 1 << 40

    def xmlrpc_bytes(self) -> Binary:
        return Binary(b"\x00\x01")


@pytest.fixture
def client() -> Iterator[TestClient]:
    root = Procedures()
    inner = Inner()
    inner.putSubHandler("inmost", Inner())
    root.putSubHandler("inner", inner)
    addIntrospection(root)
    with TestClient(Site(root), headers={"X-Agent": "test"}) as client:
        yield client


def call(client: TestClient, name: str, *arguments: Any, **options: Any) -> Any:
    return answerTo(client, xmlrpc.client.dumps(arguments, name, allow_none=True).encode(), **options)


def answerTo(client: TestClient, document: Any, **options: Any) -> Any:
    response = client.post("/", body=document)
    assert response.code == 200
    assert response.header("Content-Type") == "text/xml; charset=utf-8"
    (value,), _ = xmlrpc.client.loads(response.body, **options)
    return value


def faultOf(action: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(Fault) as caught:
        action()
    return caught.value.faultCode, caught.value.faultString


@pytest.mark.parametrize(
    "value", [1, -5, "aé<&>", 1.5, True, [1, ["a"]], {"a": {"b": []}}, "", Binary(b"\x00"), DateTime(0)]
)
def test_values_come_back(client: TestClient, value: Any) -> None:
    assert call(client, "echo", value) == [value]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("add", (2, 3), 5),
        ("deferred", (), "fired"),
        ("handled", (21,), 42),
        ("handledLater", (21,), 42),
        ("agent", ("!",), "test!"),
        ("inner.name", (), "inner"),
        ("inner.inmost.name", (), "inner"),
        ("bytes", (), Binary(b"\x00\x01")),
    ],
)
def test_procedures_answer(client: TestClient, name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(client, name, *arguments) == expected


@pytest.mark.parametrize(
    "name", ["missing", "inner.missing", "none.name", "number", ".", "_class__", "inner."]
)
def test_unknown_procedure_is_a_fault(client: TestClient, name: str) -> None:
    assert faultOf(lambda: call(client, name))[0] == XMLRPC.NOT_FOUND == 8001


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [("faultReturned", 7, "returned"), ("faultRaised", 8, "raised"), ("faultLater", 9, "later")],
)
def test_faults_are_told(client: TestClient, name: str, code: int, text: str) -> None:
    assert faultOf(lambda: call(client, name)) == (code, text)


@pytest.mark.parametrize("name", ["fails", "failsLater"])
def test_mistake_is_logged_and_kept_secret(
    client: TestClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert faultOf(lambda: call(client, name)) == (8002, "error")
    assert "LookupError: secret" in caplog.text


def test_wrong_arguments_are_a_fault(client: TestClient) -> None:
    assert faultOf(lambda: call(client, "type")) == (8002, "error")


@pytest.mark.parametrize("name", ["none", "control", "huge"])
def test_value_that_cannot_be_said_is_a_fault(client: TestClient, name: str) -> None:
    code, text = faultOf(lambda: call(client, name))
    assert code == 8002
    assert text.startswith("Can't serialize output")


def test_none_is_returned_if_allowed() -> None:
    with TestClient(Site(Procedures(allowNone=True))) as client:
        assert call(client, "none") is None


def test_dates_are_datetimes_if_wished() -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    with TestClient(Site(Procedures(useDateTime=True))) as client:
        assert call(client, "type", moment) == "datetime"
        assert call(client, "echo", moment, use_datetime=True) == [moment]


def test_only_post_is_allowed(client: TestClient) -> None:
    for method in ("GET", "HEAD"):
        response = client.request(method, "/")
        assert response.code == 405
        assert response.header("Allow") == "POST"


# Elements nest, so that each one opened ten times the one before.
_BOMB = b"".join(
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">',
        *(b'<!ENTITY %c "%b">' % (98 + level, b"&%c;" % (97 + level) * 10) for level in range(9)),
        b"]><methodCall><methodName>echo</methodName><params><param><value>&j;</value></param></params>",
        b"</methodCall>",
    ]
)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no XML",
        b"<methodCall>",
        b"<methodCall></methodCall>",
        b"<x/>",
        b"<methodResponse><fault><value><struct/></value></fault></methodResponse>",
        b"<methodCall><methodName>echo</methodName><params><param><value><int>x</int></value></param></params></methodCall>",
        b'<?xml version="1.0" encoding="none"?><methodCall/>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><methodCall><methodName>echo</methodName></methodCall>',
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><methodCall><methodName>&e;</methodName></methodCall>',
        _BOMB,
        b"<methodCall><methodName>echo</methodName><params><param>"
        + b"<value><array><data>" * 1000
        + b"</data></array></value>" * 1000
        + b"</param></params></methodCall>",
        b"<methodCall>" + b" " * 200_000,
        b"x" * 200_000,
    ],
)
def test_what_is_no_call_is_a_fault(client: TestClient, document: bytes) -> None:
    code, text = faultOf(lambda: answerTo(client, document))
    assert code == 8002
    assert text.startswith("Can't deserialize input")


def test_large_call_is_answered_and_others_meanwhile(client: TestClient) -> None:
    value = "é" * 500_000
    assert call(client, "echo", value) == [value]
    assert (
        call(client, "add", 1, sum(len(part) for part in call(client, "echo", "ab", "c" * 100_000)))
        == 100_003
    )


def test_larger_call_than_allowed_is_a_413() -> None:
    class Small(Procedures):
        maxBody = 1000

    with TestClient(Site(Small())) as client:
        assert client.post("/", body="x" * 1001).code == 413
        assert call(client, "echo", 1) == [1]


@pytest.mark.parametrize("cancels", [False, True])
def test_procedure_goes_on_without_its_client_unless_told(cancels: bool) -> None:
    events: list[str] = []
    begun = asyncio.Event()

    class Slow(XMLRPC):
        cancelOnDisconnect = cancels

        async def xmlrpc_work(self) -> int:
            begun.set()
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                events.append("cancelled")
                raise
            events.append("done")
            return 1

    site = Site(Slow())

    async def run() -> None:
        async with site.start() as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
            body = xmlrpc.client.dumps((), "work").encode()
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await begun.wait()
            writer.transport.abort()
            await asyncio.sleep(0.1)

    asyncio.run(run())
    assert events == ["cancelled" if cancels else "done"]


def test_introspection_tells_all(client: TestClient) -> None:
    names = call(client, "system.listMethods")
    assert {"echo", "add", "inner.name", "inner.inmost.name", "system.listMethods"} <= set(names)
    assert call(client, "system.methodHelp", "echo") == "Give back what comes."
    assert call(client, "system.methodHelp", "add") == "Adds."
    assert call(client, "system.methodHelp", "type") == ""
    assert call(client, "system.methodSignature", "add") == [["int", "int", "int"]]
    assert call(client, "system.methodSignature", "echo") == ""
    assert call(client, "system.methodSignature", "system.methodHelp") == [["string", "string"]]
    assert faultOf(lambda: call(client, "system.methodHelp", "missing"))[0] == 8001


def test_handlers_are_listed() -> None:
    root = XMLRPC()
    addIntrospection(root)
    assert root.getSubHandlerPrefixes() == ["system"]
    assert isinstance(root.getSubHandler("system"), XMLRPCIntrospection)
    assert root.getSubHandler("other") is None
    assert Inner().listProcedures() == ["name"]


def test_lookup_may_be_overridden() -> None:
    class Table(XMLRPC):
        def lookupProcedure(self, procedurePath: str) -> Callable[..., Any]:
            if procedurePath == "broken":
                raise LookupError("secret")
            if procedurePath != "there":
                raise NoSuchFunction(self.NOT_FOUND, "not there")
            return lambda: "found"

    with TestClient(Site(Table())) as client:
        assert call(client, "there") == "found"
        assert faultOf(lambda: call(client, "elsewhere")) == (8001, "not there")
        assert faultOf(lambda: call(client, "broken")) == (8002, "error")


def test_separator_may_be_changed() -> None:
    class Slashed(Procedures):
        separator = "/"

    root = Slashed()
    root.putSubHandler("inner", Inner())
    with TestClient(Site(root)) as client:
        assert call(client, "inner/name") == "inner"


def test_handler_needs_run() -> None:
    with pytest.raises(NotImplementedError):
        Handler(XMLRPC())


def test_standard_library_calls_over_a_socket() -> None:
    root = Procedures(allowNone=True)
    addIntrospection(root)

    def ask(port: int) -> list[Any]:
        with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}/", allow_none=True) as server:
            batch = [server.add(1, 2), server.echo("é", None), server.deferred()]
            large = server.echo("x" * 300_000)
            batch.append(large == ["x" * 300_000])
            try:
                server.missing()
            except xmlrpc.client.Fault as fault:
                batch.append(fault.faultCode)
            batch.append(server.system.methodHelp("add"))
            return batch

    async def run() -> list[Any]:
        async with Site(root).start() as port:
            return await asyncio.to_thread(ask, port.getHost().port)

    assert asyncio.run(run()) == [3, ["é", None], "fired", True, 8001, "Adds."]
