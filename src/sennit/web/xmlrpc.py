"""XML-RPC, the server's side: a resource whose methods can be called by clients in any language.

    class Calculator(XMLRPC):
        async def xmlrpc_add(self, a, b):
            return a + b

A client calls `add`. A method may be plain, `async def`, or return a Deferred.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar
from xml.parsers import expat
from xmlrpc.client import Binary, Boolean, DateTime, Fault, Unmarshaller, dumps

from sennit.internet.defer import Deferred
from sennit.web import _answers
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = [
    "XMLRPC",
    "Binary",
    "Boolean",
    "DateTime",
    "Fault",
    "Handler",
    "NoSuchFunction",
    "XMLRPCIntrospection",
    "addIntrospection",
    "withRequest",
]

_F = TypeVar("_F", bound=Callable[..., Any])

# Codes of faults, which Twisted's clients know.
_NOT_FOUND = 8001
_FAILURE = 8002

# A larger call is parsed in pieces of this many bytes, with other requests served in between.
_PIECE = 65536
# Nobody calls with values nested deeper, and code that walks through them by recursion is safe.
_DEEPEST = 200
# What XML has no way to say (XML 1.0 section 2.2, Char).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

logger = logging.getLogger("sennit.web")


class NoSuchFunction(Fault):
    """There is no procedure of the name that a client has called."""


def withRequest(f: _F) -> _F:
    """Have an `xmlrpc_` method called with the request as its first argument."""
    f.withRequest = True  # type: ignore[attr-defined]
    return f


class Handler:
    """A call that is handled by an object: a method returns one, and what its `result`, a Deferred, fires
    with is the answer. `run(*args)`, to be overridden, is called at once."""

    def __init__(self, resource: "XMLRPC", *args: Any) -> None:
        self.resource = resource
        self.result: Deferred[Any] = Deferred()
        self.run(*args)

    def run(self, *args: Any) -> None:
        """Do what the call asks for, and fire `result` now or later."""
        raise NotImplementedError("a Handler overrides run()")


class XMLRPC(Resource):
    """A resource that answers XML-RPC calls with its methods `xmlrpc_NAME`.

    A method gets the call's parameters and returns the value, plain or as something to wait for; with a
    `Fault`, returned or raised, the call fails with that. Any other exception is logged, and the client gets
    a fault that says no more than "error". A method goes on when its client leaves, unless
    `cancelOnDisconnect` is set.

    `allowNone` lets None be among the values that are returned (as `nil`, an extension); `useDateTime` gives
    methods `datetime.datetime` in place of `DateTime`. Names with a `separator` are looked up in handlers
    that were put in with `putSubHandler`. Calls of more than `maxBody` bytes are answered with 413, and those
    with a document type by a fault: XML-RPC has none, and entities could expand to any size.
    """

    NOT_FOUND = _NOT_FOUND
    FAILURE = _FAILURE

    isLeaf = True
    allowedMethods = (b"POST",)
    separator = "."
    maxBody: float | None = 8 * 1024 * 1024
    cancelOnDisconnect = False

    def __init__(self, allowNone: bool = False, useDateTime: bool = False) -> None:
        super().__init__()
        self.subHandlers: dict[str, XMLRPC] = {}
        self.allowNone = allowNone
        self.useDateTime = useDateTime

    # Procedures

    def putSubHandler(self, prefix: str, handler: "XMLRPC") -> None:
        """Have calls of `prefix.name` answered by another resource's `name`."""
        self.subHandlers[prefix] = handler

    def getSubHandler(self, prefix: str) -> "XMLRPC | None":
        """The handler for a prefix, or None."""
        return self.subHandlers.get(prefix)

    def getSubHandlerPrefixes(self) -> list[str]:
        """The prefixes of all handlers."""
        return list(self.subHandlers)

    def lookupProcedure(self, procedurePath: str) -> Callable[..., Any]:
        """The callable for the name (str) in a call; raises NoSuchFunction. May be overridden."""
        prefix, separator, rest = procedurePath.partition(self.separator)
        if separator:
            handler = self.getSubHandler(prefix)
            if handler is None:
                raise NoSuchFunction(self.NOT_FOUND, f"no such subHandler {prefix}")
            return handler.lookupProcedure(rest)
        function: Callable[..., Any] | None = getattr(self, "xmlrpc_" + procedurePath, None)
        if function is None:
            raise NoSuchFunction(self.NOT_FOUND, f"procedure {procedurePath} not found")
        if not callable(function):
            raise NoSuchFunction(self.NOT_FOUND, f"procedure {procedurePath} not callable")
        return function

    def listProcedures(self) -> list[str]:
        """The names of this resource's own procedures. To be overridden along with `lookupProcedure`."""
        prefix = "xmlrpc_"
        return [name.removeprefix(prefix) for name in dir(self) if name.startswith(prefix)]

    # Answering

    def render_POST(self, request: "Request") -> bytes | Awaitable[bytes]:
        """Answer a call; the status is 200 even for faults, as XML-RPC has it."""
        request.setHeader(b"Content-Type", b"text/xml; charset=utf-8")
        content = request.content
        if content is None:
            return self._serialize(Fault(self.FAILURE, "Can't deserialize input: there is none"))
        content.seek(0)
        document = content.read()
        if len(document) > _PIECE:
            return self._answerLarge(request, document)
        try:
            arguments, name = _Call(self.useDateTime).parse(document)
        except Exception as exception:
            return self._serialize(self._unreadable(exception))
        return self._answer(request, name, arguments)

    async def _answerLarge(self, request: "Request", document: bytes) -> bytes:
        call = _Call(self.useDateTime)
        try:
            for start in range(0, len(document), _PIECE):
                call.feed(document[start : start + _PIECE])
                await asyncio.sleep(0)
            arguments, name = call.end()
        except Exception as exception:
            return self._serialize(self._unreadable(exception))
        answer = self._answer(request, name, arguments)
        return answer if isinstance(answer, bytes) else await answer

    def _answer(self, request: "Request", name: str, arguments: tuple[Any, ...]) -> bytes | Awaitable[bytes]:
        try:
            function = self.lookupProcedure(name)
            if getattr(function, "withRequest", False):
                result = function(request, *arguments)
            else:
                result = function(*arguments)
            if isinstance(result, Handler):
                result = result.result
        except Exception as exception:
            return self._serialize(self._faultOf(request, exception))
        return self._wait(request, result) if isinstance(result, Awaitable) else self._serialize(result)

    async def _wait(self, request: "Request", result: Any) -> bytes:
        try:
            while isinstance(result, Awaitable | Handler):
                result = await (result.result if isinstance(result, Handler) else result)
        except Exception as exception:
            result = self._faultOf(request, exception)
        return self._serialize(result)

    def _faultOf(self, request: "Request", exception: Exception) -> Fault:
        if isinstance(exception, Fault):
            return exception
        _answers.logFailure(request, exception)
        return Fault(self.FAILURE, "error")

    def _unreadable(self, exception: Exception) -> Fault:
        return Fault(self.FAILURE, f"Can't deserialize input: {exception}")

    def _serialize(self, result: Any) -> bytes:
        """The response for a value or a Fault; a fault if it can't be said in XML-RPC."""
        try:
            return _document(result, self.allowNone)
        except Exception as exception:
            logger.error("%r can't return a value over XML-RPC: %s", self, exception)
            return _document(Fault(self.FAILURE, f"Can't serialize output: {exception}"), False)


def _document(result: Any, allowNone: bool) -> bytes:
    values = result if isinstance(result, Fault) else (result,)
    text = dumps(values, methodresponse=True, allow_none=allowNone)
    found = _NOT_XML.search(text)
    if found is not None:
        raise ValueError(f"XML has no character U+{ord(found[0]):04X}; bytes go in a Binary")
    return text.encode("utf-8")


class _Call:
    """Reads one call. What the standard library's own reader accepts beyond XML-RPC, document types and
    nesting without end, is refused with ValueError."""

    def __init__(self, useDateTime: bool) -> None:
        self._values = Unmarshaller(use_datetime=useDateTime)
        # No encoding: it gets str from the parser, not bytes.
        self._values.xml("", None)
        self._depth = 0
        parser: Any = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._values.data
        parser.StartDoctypeDeclHandler = self._refuseDocumentType
        self._parser = parser

    def parse(self, document: bytes) -> tuple[tuple[Any, ...], str]:
        """The parameters and the procedure's name of a whole call."""
        self.feed(document)
        return self.end()

    def feed(self, data: bytes) -> None:
        """Read a piece."""
        self._parser.Parse(data, False)

    def end(self) -> tuple[tuple[Any, ...], str]:
        """The parameters and the procedure's name, once all has been fed. Any exception means that this was
        no call."""
        self._parser.Parse(b"", True)
        arguments = self._values.close()
        name = self._values.getmethodname()
        if not isinstance(name, str):
            raise ValueError("this is no methodCall")
        return tuple(arguments), name

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"values are nested more than {_DEEPEST} elements deep")
        self._values.start(name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._values.end(name)

    def _refuseDocumentType(self, *declaration: object) -> None:
        raise ValueError("a call has no document type")


class XMLRPCIntrospection(XMLRPC):
    """What is put in as `system` by `addIntrospection`: tells clients what `parent` has."""

    def __init__(self, parent: XMLRPC) -> None:
        super().__init__()
        self._parent = parent

    def xmlrpc_listMethods(self) -> list[str]:
        """The names of all procedures, those of sub-handlers with their prefixes."""
        names: list[str] = []
        waiting: list[tuple[XMLRPC, str]] = [(self._parent, "")]
        while waiting:
            handler, prefix = waiting.pop(0)
            names += [prefix + name for name in handler.listProcedures()]
            for name in handler.getSubHandlerPrefixes():
                child = handler.getSubHandler(name)
                if child is not None:
                    waiting.append((child, prefix + name + handler.separator))
        return names

    xmlrpc_listMethods.signature = [["array"]]  # type: ignore[attr-defined]

    def xmlrpc_methodHelp(self, method: str) -> str:
        """What a procedure does: its `help` attribute, else its docstring, else nothing."""
        function = self._parent.lookupProcedure(method)
        return str(getattr(function, "help", None) or function.__doc__ or "")

    xmlrpc_methodHelp.signature = [["string", "string"]]  # type: ignore[attr-defined]

    def xmlrpc_methodSignature(self, method: str) -> list[list[str]] | str:
        """The types of a procedure: a list of alternatives, each the type returned and those of the
        parameters; an empty string if there is no `signature` attribute that tells."""
        function = self._parent.lookupProcedure(method)
        return getattr(function, "signature", None) or ""

    xmlrpc_methodSignature.signature = [["array", "string"], ["string", "string"]]  # type: ignore[attr-defined]


def addIntrospection(xmlrpc: XMLRPC) -> None:
    """Let clients ask `xmlrpc` what it has: `system.listMethods`, `system.methodHelp` and
    `system.methodSignature`."""
    xmlrpc.putSubHandler("system", XMLRPCIntrospection(xmlrpc))
