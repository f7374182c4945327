"""Sennit's web under Twisted's reactor: for a program that stays with Twisted, but for `twisted.web`.

`install` makes the names `twisted.web` and `twisted.cred` those of `sennit.web` and `sennit.cred`, and lets
these work with Twisted's own Deferreds, Failures, adapters and addresses in place of Sennit's. The reactor
is Twisted's asyncio one, on an event loop whose selector is the engine: one wait for Twisted's transports and
for the engine's connections.
"""

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType, coroutine
from typing import Any

# What programs and Sennit's web share with the rest of Twisted, and so has to be one thing.
_SHARED = (
    "internet.defer",
    "internet.error",
    "internet.address",
    "internet.interfaces",
    "internet.protocol",
    "internet.task",
    "internet.threads",
    "internet.endpoints",
    "python.failure",
    "python.threadpool",
    "python.log",
    "logger",
)
# Packages that are Sennit's.
_OURS = ("web", "cred")


class CannotInstall(Exception):
    """Twisted isn't there, or it is too late; the text says which."""


def install() -> None:
    """Set this process up; to be called before anything of `twisted.internet`'s reactor, `sennit.web` or
    `sennit.internet` is imported. Twice is once. Raises CannotInstall.
    """
    if any(isinstance(finder, _OurPackages) for finder in sys.meta_path):
        return
    if importlib.util.find_spec("twisted") is None:
        raise CannotInstall("Twisted is not installed: its reactor can't be used (pip install twisted)")
    for name in ("sennit.web", "sennit.cred", "sennit.internet.defer", "sennit.internet.reactor"):
        if name in sys.modules:
            raise CannotInstall(f"{name} is imported already: install has to come before it")
    if "twisted.internet.reactor" in sys.modules:
        raise CannotInstall("another reactor of Twisted's is installed already")
    for name in _SHARED:
        _share(name, importlib.import_module(f"twisted.{name}"))
    _share_adapters()
    sys.meta_path.insert(0, _OurPackages())
    # Whatever has imported Twisted's web before would go on with it.
    for name in [name for name in sys.modules if _below_ours(name)]:
        del sys.modules[name]
    _share("internet.reactor", _installed_reactor())
    from sennit._engine import adapt_coroutines

    adapt_coroutines(_understanding_deferreds)


def _share(name: str, thing: Any) -> None:
    """Let `sennit.NAME` be `thing`, for `import` and as an attribute of its package."""
    sys.modules[f"sennit.{name}"] = thing
    package, _, last = f"sennit.{name}".rpartition(".")
    setattr(importlib.import_module(package), last, thing)


def _share_adapters() -> None:
    """Let Sennit's Componentized objects, as sessions are, know the adapters that a program registers with
    Twisted."""
    from twisted.python import components as theirs

    from sennit.python import components as ours

    ours.getRegistry().__bases__ = (theirs.globalRegistry,)


def _below_ours(name: str) -> bool:
    return any(name == f"twisted.{package}" or name.startswith(f"twisted.{package}.") for package in _OURS)


# The names


class _OurPackages(MetaPathFinder):
    """Finds `twisted.web` and `twisted.cred`, and what is below them, in Sennit.

    A module that Sennit lacks (Twisted's web client is one) is Twisted's own, and so is a name that a module
    of Sennit's lacks.
    """

    def __init__(self) -> None:
        import twisted

        self._folders = list(twisted.__path__)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of `fullname`, None if it isn't below one of the two packages."""
        if not _below_ours(fullname):
            return None
        ours = "sennit" + fullname.removeprefix("twisted")
        if importlib.util.find_spec(ours) is not None:
            return ModuleSpec(fullname, _OurModule(ours, self), is_package="." not in ours.partition(".")[2])
        return self.theirs(fullname)

    def theirs(self, fullname: str) -> ModuleSpec | None:
        """The spec of Twisted's own module."""
        _, *parents, _ = fullname.split(".")
        return PathFinder.find_spec(fullname, ["/".join((folder, *parents)) for folder in self._folders])


class _OurModule(Loader):
    """Loads a module of Sennit's under Twisted's name."""

    def __init__(self, name: str, finder: _OurPackages) -> None:
        self._name = name
        self._finder = finder
        self._theirs: ModuleType | None = None

    def exec_module(self, module: ModuleType) -> None:
        """Put Sennit's module in the place of the new one: the import gives what stands there in the end."""
        fullname = module.__name__
        ours = importlib.import_module(self._name)
        own = getattr(ours, "__getattr__", None)

        def missing(name: str) -> Any:
            if own is not None:
                try:
                    return own(name)
                except AttributeError:
                    pass
            # Import asks for some of these in passing, and they are no business of Twisted's module.
            if name.startswith("__"):
                raise AttributeError(f"module {self._name!r} has no attribute {name!r}")
            return getattr(self._their_module(fullname), name)

        ours.__getattr__ = missing  # type: ignore[method-assign]
        sys.modules[fullname] = ours

    def _their_module(self, fullname: str) -> ModuleType:
        if self._theirs is None:
            spec = self._finder.theirs(fullname)
            if spec is None or spec.loader is None:
                raise AttributeError(f"neither {self._name!r} nor Twisted has this name")
            self._theirs = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self._theirs)
        return self._theirs


# The reactor


def _installed_reactor() -> Any:
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor
    from twisted.internet.main import installReactor

    from sennit.internet._engines import newEventLoop
    from sennit.internet._ports import ListeningPort, listen
    from sennit.internet._sockets import UNIXListener, duplicateListening, listenOnTCP

    class EngineReactor(AsyncioSelectorReactor):
        """Twisted's asyncio reactor, whose listening calls give a Site to the engine."""

        def _serve(self, bind: Callable[[], Any], factory: Any) -> ListeningPort:
            port = listen(self._asyncioEventloop, bind, factory)

            def drained() -> Any:
                from twisted.internet.defer import Deferred

                return Deferred.fromFuture(asyncio.ensure_future(port.drain(), loop=self._asyncioEventloop))

            self.addSystemEventTrigger("before", "shutdown", drained)
            return port

        def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
            if not hasattr(factory, "engineService"):
                return super().listenTCP(port, factory, backlog, interface)
            return self._serve(partial(listenOnTCP, port, interface, backlog), factory)

        def listenUNIX(
            self,
            address: str | bytes,
            factory: Any,
            backlog: int = 50,
            mode: int = 0o666,
            wantPID: bool | int = 0,
        ) -> Any:
            if not hasattr(factory, "engineService"):
                return super().listenUNIX(address, factory, backlog, mode, wantPID)
            path = address.encode() if isinstance(address, str) else address
            return self._serve(partial(UNIXListener, path, backlog, mode, bool(wantPID)), factory)

        def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
            if not hasattr(factory, "engineService"):
                return super().adoptStreamPort(fileDescriptor, addressFamily, factory)
            return self._serve(partial(duplicateListening, fileDescriptor, addressFamily), factory)

    reactor = EngineReactor(newEventLoop())
    installReactor(reactor)
    return reactor


# Coroutines


@coroutine
def _understanding_deferreds(handler: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a handler's coroutine in a Task, where it may await futures as well as Twisted's Deferreds."""
    from twisted.internet.defer import Deferred

    value: Any = None
    mistake: BaseException | None = None
    while True:
        try:
            awaited = handler.send(value) if mistake is None else handler.throw(mistake)
        except StopIteration as end:
            return end.value
        value = mistake = None
        try:
            if isinstance(awaited, Deferred):
                yield from _settled(awaited).__await__()
            else:
                value = yield awaited
        except BaseException as raised:
            mistake = raised


async def _settled(deferred: Any) -> None:
    """Wait until a Deferred of Twisted's has a result. It keeps that: whoever awaits it takes it himself."""
    from twisted.internet.defer import CancelledError

    settled = asyncio.get_running_loop().create_future()

    def tell(result: Any) -> Any:
        if not settled.done():
            settled.set_result(None)
        return result

    deferred.addBoth(tell)
    try:
        await settled
    except asyncio.CancelledError:
        # Nobody is going to take the failure that this brings.
        deferred.addErrback(lambda failure: failure.trap(CancelledError) and None)
        deferred.cancel()
        raise
