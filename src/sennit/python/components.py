"""Adapters: `registerAdapter(factory, IFoo, IBar)` makes `IBar(foo)` give `factory(foo)`.

A `Componentized` object remembers its adapters, so that `IBar(it)` is the same object each time: this is how
a program keeps its data in a session or a request.
"""

from collections.abc import Callable
from typing import Any

from zope.interface import Interface, classImplements, implementedBy, providedBy
from zope.interface.adapter import AdapterRegistry
from zope.interface.interface import InterfaceClass, adapter_hooks

_registry = AdapterRegistry()


def _adapt(interface: Any, thing: object) -> Any:
    """The hook by which zope.interface asks for adapters; None if there is none."""
    factory = _registry.lookup1(providedBy(thing), interface, "")
    return None if factory is None else factory(thing)


adapter_hooks.append(_adapt)


def registerAdapter(adapterFactory: Callable[[Any], Any], origInterface: Any, *interfaceClasses: Any) -> None:
    """Have `adapterFactory(thing)` called to adapt things that provide `origInterface` to any of
    `interfaceClasses`.

    `origInterface` is an interface or a class. Raises ValueError if no interfaces are given, or if there is
    such an adapter already.
    """
    if not interfaceClasses:
        raise ValueError("an adapter needs at least one interface to adapt to")
    source = _specification(origInterface)
    for interface in interfaceClasses:
        if _registry.registered([source], interface) is not None:
            raise ValueError(f"an adapter of {origInterface!r} to {interface!r} has been registered already")
    for interface in interfaceClasses:
        _registry.register([source], interface, "", adapterFactory)


def getAdapterFactory(fromInterface: Any, toInterface: Any, default: Any) -> Any:
    """What `registerAdapter` has registered for this pair, `default` if nothing."""
    factory = _registry.lookup1(_specification(fromInterface), toInterface)
    return default if factory is None else factory


def getRegistry() -> Any:
    """The zope.interface registry of all adapters."""
    return _registry


def _specification(interfaceOrClass: Any) -> Any:
    return (
        interfaceOrClass if isinstance(interfaceOrClass, InterfaceClass) else implementedBy(interfaceOrClass)
    )


class Adapter:
    """A base for adapters: keeps what it adapts as `original`, and is adapted as that is."""

    # True: a Componentized object does not remember it.
    temporaryAdapter = False
    # True: a Componentized object uses it for all interfaces that it provides.
    multiComponent = True

    def __init__(self, original: Any) -> None:
        self.original = original

    def __conform__(self, interface: Any) -> Any:
        if hasattr(self.original, "__conform__"):
            return self.original.__conform__(interface)
        return None

    def isuper(self, iface: Any, adapter: Any) -> Any:
        """The original's own adapter to `iface`."""
        return self.original.isuper(iface, self)


class Componentized:
    """Has components: objects found by the interface they provide. Adapters become components when first
    asked for.
    """

    # Made when first needed: most requests have no components.
    _components: dict[Any, Any] | None = None

    def _writable(self) -> dict[Any, Any]:
        if self._components is None:
            self._components = {}
        return self._components

    def locateAdapterClass(self, klass: Any, interfaceClass: Any, default: Any) -> Any:
        """The adapter factory for instances of `klass`, else `default`."""
        return getAdapterFactory(klass, interfaceClass, default)

    def setAdapter(self, interfaceClass: Any, adapterClass: Callable[[Any], Any]) -> None:
        """Use `adapterClass(self)` for an interface."""
        self.setComponent(interfaceClass, adapterClass(self))

    def addAdapter(self, adapterClass: Any, ignoreClass: bool = False) -> Any:
        """Use `adapterClass(self)` for all interfaces it provides that can be adapted to; returns it."""
        adapter = adapterClass(self)
        self.addComponent(adapter, ignoreClass)
        return adapter

    def setComponent(self, interfaceClass: Any, component: Any) -> None:
        """Use `component` for an interface."""
        self._writable()[interfaceClass] = component

    def addComponent(self, component: Any, ignoreClass: bool = False) -> None:
        """Use `component` for the interfaces it provides: all if `ignoreClass`, else those registered for its
        class.
        """
        for interface in providedBy(component):
            if ignoreClass or self.locateAdapterClass(self.__class__, interface, None) == component.__class__:
                self._writable()[interface] = component

    def unsetComponent(self, interfaceClass: Any) -> None:
        """Forget the component of an interface. KeyError if there is none."""
        del self._writable()[interfaceClass]

    def removeComponent(self, component: Any) -> list[Any]:
        """Forget a component; returns the interfaces it was used for."""
        components = self._writable()
        removed = [interface for interface, known in components.items() if known is component]
        for interface in removed:
            del components[interface]
        return removed

    def getComponent(self, interface: Any, default: Any = None) -> Any:
        """The component for an interface, made by a registered adapter if need be; `default` if there is no
        way.
        """
        components = self._components
        if components is not None and interface in components:
            return components[interface]
        # Interface.__adapt__ asks the registry and not our __conform__, which would end up here again.
        adapter = interface.__adapt__(self)
        if adapter is None:
            return default
        if adapter is not self and not getattr(adapter, "temporaryAdapter", False):
            self.setComponent(interface, adapter)
            if getattr(adapter, "multiComponent", False):
                self.addComponent(adapter)
        return adapter

    def __conform__(self, interface: Any) -> Any:
        return self.getComponent(interface)


def proxyForInterface(iface: Any, originalAttribute: str = "original") -> type:
    """A class that provides `iface` by forwarding all its attributes to the object it is made with.

    That is kept as the attribute `originalAttribute`. Override in a subclass what shall differ.
    """

    def __init__(self: Any, original: Any) -> None:
        setattr(self, originalAttribute, original)

    contents: dict[str, Any] = {"__init__": __init__}
    for name in iface:
        contents[name] = _Forwarded(name, originalAttribute)
    proxy = type(f"(Proxy for {iface.__module__}.{iface.__name__})", (), contents)
    classImplements(proxy, iface)
    return proxy


class _Forwarded:
    """An attribute that is another object's."""

    def __init__(self, name: str, originalAttribute: str) -> None:
        self._name = name
        self._originalAttribute = originalAttribute

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        return getattr(getattr(instance, self._originalAttribute), self._name)

    def __set__(self, instance: Any, value: Any) -> None:
        setattr(getattr(instance, self._originalAttribute), self._name, value)

    def __delete__(self, instance: Any) -> None:
        delattr(getattr(instance, self._originalAttribute), self._name)


__all__ = [
    "Adapter",
    "Componentized",
    "Interface",
    "getAdapterFactory",
    "getRegistry",
    "proxyForInterface",
    "registerAdapter",
]
