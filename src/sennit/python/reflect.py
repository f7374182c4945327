"""Objects by their dotted names."""

import importlib
from types import ModuleType
from typing import Any


class InvalidName(ValueError):
    """A dotted name that has an empty part."""


class ModuleNotFound(InvalidName):
    """No module of this name exists."""


class ObjectNotFound(InvalidName):
    """The module exists, and doesn't have this object."""


def namedModule(name: str) -> ModuleType:
    """The module of a dotted name, imported if need be. ImportError as usual."""
    return importlib.import_module(name)


def namedAny(name: str) -> Any:
    """The module, class, function or attribute of a dotted name, e.g. "package.module.Class.method".

    Raises InvalidName for a name with empty parts, ModuleNotFound or ObjectNotFound (both InvalidName, a
    ValueError) if there is no such thing, and whatever the import of an existing module raises.
    """
    parts = name.split(".")
    if not all(parts):
        raise InvalidName(f"a dotted name must not have empty parts: {name!r}")
    found, used = _importLongest(parts)
    if not used:
        raise ModuleNotFound(f"there is no module {parts[0]!r} (wanted: {name!r})")
    for part in parts[used:]:
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ObjectNotFound(f"{found!r} has no {part!r} (wanted: {name!r})") from None
    return found


namedClass = namedObject = namedAny


def _importLongest(parts: list[str]) -> tuple[Any, int]:
    """The module that as many of `parts` as possible name, and how many these are."""
    module: Any = None
    for end in range(1, len(parts) + 1):
        prefix = ".".join(parts[:end])
        try:
            module = importlib.import_module(prefix)
        except ModuleNotFoundError as error:
            if error.name is None or not (prefix + ".").startswith(error.name + "."):
                raise  # the module is there, and what it imports itself is missing
            return module, end - 1
    return module, len(parts)


def qual(clazz: type) -> str:
    """The dotted name of a class."""
    return f"{clazz.__module__}.{clazz.__qualname__}"


def fullyQualifiedName(obj: Any) -> str:
    """The dotted name of a class, function, method or module."""
    if isinstance(obj, ModuleType):
        return obj.__name__
    return f"{obj.__module__}.{obj.__qualname__}"


def safe_str(o: object) -> str:
    """`str(o)`, with bytes decoded; a description of the trouble if that fails."""
    if isinstance(o, bytes):
        return o.decode("utf-8", "backslashreplace")
    try:
        return str(o)
    except Exception as trouble:
        return f"<{qual(type(o))} at {id(o):#x} whose str() raised {type(trouble).__name__}>"


def safe_repr(o: object) -> str:
    """`repr(o)`; a description of the trouble if that fails."""
    try:
        return repr(o)
    except Exception as trouble:
        return f"<{qual(type(o))} at {id(o):#x} whose repr() raised {type(trouble).__name__}>"
