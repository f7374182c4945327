"""Adapters and componentized objects."""

import itertools
from typing import Any

import pytest
from zope.interface import Attribute, Interface, implementer, providedBy
from zope.interface.interface import InterfaceClass

from sennit.python import components

_numbers = itertools.count()


def newInterface() -> Any:
    """An interface no other test has registered adapters for; interfaces of one name and module are equal."""

    class IThing(Interface):
        value = Attribute("A value.")

        def act():
            """Act."""

    return InterfaceClass(f"IThing{next(_numbers)}", (IThing,), __module__=__name__)


def test_registered_adapter_is_found_by_calling_the_interface() -> None:
    source, target = newInterface(), newInterface()

    @implementer(source)
    class Thing:
        pass

    class Adapted(components.Adapter):
        pass

    components.registerAdapter(implementer(target)(Adapted), source, target)
    thing = Thing()
    adapted = target(thing)
    assert isinstance(adapted, Adapted)
    assert adapted.original is thing
    assert target(thing) is not adapted
    assert target(object(), None) is None
    assert components.getAdapterFactory(source, target, None) is Adapted
    assert components.getAdapterFactory(target, source, "default") == "default"
    assert components.getRegistry().lookup1(source, target) is Adapted


def test_adapter_of_a_class_serves_its_subclasses() -> None:
    target = newInterface()

    class Base:
        pass

    class Derived(Base):
        pass

    components.registerAdapter(lambda thing: ("adapted", thing), Base, target)
    thing = Derived()
    assert target(thing) == ("adapted", thing)


def test_second_registration_is_refused() -> None:
    source, target = newInterface(), newInterface()
    components.registerAdapter(list, source, target)
    with pytest.raises(ValueError, match="already"):
        components.registerAdapter(tuple, source, target)
    with pytest.raises(ValueError, match="at least one"):
        components.registerAdapter(list, source)


def test_Componentized_remembers_its_adapters() -> None:
    target = newInterface()

    class Session(components.Componentized):
        pass

    @implementer(target)
    class Basket(components.Adapter):
        multiComponent = False

    components.registerAdapter(Basket, Session, target)
    one, other = Session(), Session()
    basket = target(one)
    assert isinstance(basket, Basket)
    assert basket.original is one
    assert target(one) is basket
    assert one.getComponent(target) is basket
    assert target(other) is not basket


def test_Componentized_adapter_made_temporary_is_not_remembered() -> None:
    target = newInterface()

    class Session(components.Componentized):
        pass

    @implementer(target)
    class Passing(components.Adapter):
        temporaryAdapter = True

    components.registerAdapter(Passing, Session, target)
    session = Session()
    assert target(session) is not target(session)


def test_multi_component_serves_all_its_interfaces() -> None:
    first, second = newInterface(), newInterface()

    class Session(components.Componentized):
        pass

    @implementer(first, second)
    class Both(components.Adapter):
        pass

    components.registerAdapter(Both, Session, first, second)
    session = Session()
    assert first(session) is second(session)


def test_components_can_be_set_added_and_removed() -> None:
    first, second = newInterface(), newInterface()

    @implementer(first, second)
    class Component:
        pass

    holder = components.Componentized()
    assert holder.getComponent(first) is None
    assert holder.getComponent(first, "default") == "default"
    component = Component()
    holder.setComponent(first, component)
    assert first(holder) is component
    assert second(holder, None) is None
    holder.addComponent(component, ignoreClass=True)
    assert second(holder) is component
    assert set(holder.removeComponent(component)) == {first, second}
    assert first(holder, None) is None
    holder.setAdapter(first, lambda original: ("made for", original))
    assert first(holder) == ("made for", holder)
    holder.unsetComponent(first)
    with pytest.raises(KeyError):
        holder.unsetComponent(first)


def test_addAdapter_uses_the_adapter_for_what_is_registered_for_it() -> None:
    first, second = newInterface(), newInterface()

    class Session(components.Componentized):
        pass

    @implementer(first, second)
    class Both(components.Adapter):
        pass

    components.registerAdapter(Both, Session, first)
    session = Session()
    adapter = session.addAdapter(Both)
    assert first(session) is adapter
    assert second(session, None) is None


def test_componentized_that_provides_the_interface_is_its_own_component() -> None:
    target = newInterface()

    @implementer(target)
    class Session(components.Componentized):
        pass

    session = Session()
    assert target(session) is session
    assert session.getComponent(target) is session


def test_adapter_conforms_as_its_original_does() -> None:
    target = newInterface()
    holder = components.Componentized()
    holder.setComponent(target, "component")
    assert target(components.Adapter(holder)) == "component"
    assert target(components.Adapter(object()), "nothing") == "nothing"


def test_proxyForInterface_forwards_the_attributes_of_the_interface() -> None:
    target = newInterface()

    class Thing:
        value = 1

        def act(self) -> str:
            return f"acted with {self.value}"

    proxy = components.proxyForInterface(target)
    thing = Thing()
    wrapped = proxy(thing)
    assert target in providedBy(wrapped)
    assert wrapped.act() == "acted with 1"
    wrapped.value = 2
    assert thing.value == 2
    del wrapped.value
    assert wrapped.value == 1

    class Changed(proxy):  # type: ignore[misc,valid-type]
        def act(self) -> str:
            return "changed " + super().act()

    assert Changed(thing).act() == "changed acted with 1"
    other = components.proxyForInterface(target, "wrapped")(thing)
    assert other.wrapped is thing
