"""Finding what is to be served: a module's attribute, a file's, or a directory."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from sennit.serving import twisted_names
from sennit.serving.program import explain_import
from sennit.serving.settings import Settings

# What to look for in a module when TARGET names no attribute, in this order; the last are factories.
_USUAL_NAMES = ("site", "resource", "root", "application", "app", "create_app", "make_app")

# Kinds in words, for messages.
KINDS = {
    "site": "a Site",
    "resource": "a Resource",
    "asgi": "an ASGI application",
    "wsgi": "a WSGI application",
    "directory": "a directory",
}


class TargetError(Exception):
    """TARGET can't be served. The text is what to print: one line, or the program's own traceback."""


@dataclass(frozen=True)
class Target:
    """What was found: the object (of a directory its path), and its kind, a key of KINDS."""

    found: Any
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({KINDS[self.kind]})"


def load(settings: Settings) -> Target:
    """Import what the settings' target names, and tell its kind. Raises TargetError."""
    name = settings.target
    directory = Path(settings.app_dir) / name
    if settings.interface == "directory" or (settings.interface == "auto" and directory.is_dir()):
        if not directory.is_dir():
            raise TargetError(f"TARGET {name}: there is no such directory")
        return Target(str(directory), "directory", name)
    place, attribute = _split(name)
    twisted_names.install()
    module = _imported(place, settings)
    found = _attribute(module, attribute, name)
    return _told_apart(found, settings, name)


def _split(name: str) -> tuple[str, str]:
    """The module or file, and the attribute ("" for the usual ones)."""
    place, colon, attribute = name.rpartition(":")
    return (place, attribute) if colon else (name, "")


def _imported(place: str, settings: Settings) -> ModuleType:
    directory = os.path.abspath(settings.app_dir)
    path = os.path.join(directory, place)
    is_file = place.endswith(".py") or os.path.isfile(path)
    if is_file and not os.path.isfile(path):
        raise TargetError(f"TARGET {settings.target}: there is no file {path}")
    folder = os.path.dirname(os.path.realpath(path)) if is_file else directory
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return _module_of_file(path) if is_file else importlib.import_module(place)
    except ModuleNotFoundError as mistake:
        if not is_file and mistake.name and (place + ".").startswith(mistake.name + "."):
            raise TargetError(
                f"TARGET {settings.target}: no module {mistake.name!r} in {directory}"
            ) from None
        raise _reported(mistake) from None
    except BaseException as mistake:
        if isinstance(mistake, KeyboardInterrupt):
            raise
        raise _reported(mistake) from None


def _module_of_file(path: str) -> ModuleType:
    """The module that a file makes, under its own name where that is free."""
    name = Path(path).stem
    if name in sys.modules or not name.isidentifier():
        name = "sennit_target_" + "".join(letter if letter.isalnum() else "_" for letter in name)
    # By name, since a file of a program need not end in .py.
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise TargetError(f"{path} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _reported(mistake: BaseException) -> TargetError:
    """An error with the traceback of the program's own part."""
    explain_import(mistake)
    mistake.__traceback__ = _of_the_program(mistake.__traceback__)
    return TargetError("".join(traceback.format_exception(mistake)).rstrip())


def _of_the_program(trace: TracebackType | None) -> TracebackType | None:
    """`trace` from the first frame on that is neither ours nor the import system's."""
    own = (__file__, "<frozen ", importlib.__file__)
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(own):
        trace = trace.tb_next
    return trace


def _attribute(module: ModuleType, attribute: str, name: str) -> Any:
    if not attribute:
        for usual in _USUAL_NAMES:
            if hasattr(module, usual):
                return getattr(module, usual)
        raise TargetError(
            f"TARGET {name}: it has none of {', '.join(_USUAL_NAMES)}; name one, as in {name}:NAME"
        )
    calls = attribute.endswith("()")
    found: Any = module
    for part in attribute.removesuffix("()").split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise TargetError(f"TARGET {name}: there is no {part!r} in {module.__name__}") from None
    return _called(found) if calls else found


def _called(factory: Callable[[], Any]) -> Any:
    try:
        return factory()
    except KeyboardInterrupt:
        raise
    except BaseException as mistake:
        raise _reported(mistake) from None


def _told_apart(found: Any, settings: Settings, name: str) -> Target:
    if settings.factory:
        if not callable(found):
            raise TargetError(f"--factory: {name} is not callable")
        found = _called(found)
    elif _is_resource_class(found) or (kind_of(found) is None and _takes(found) == 0):
        if inspect.iscoroutinefunction(found):
            raise TargetError(f"TARGET {name}: an `async def` can't be a factory")
        found = _called(found)
    kind = kind_of(found) if settings.interface == "auto" else settings.interface
    if kind is None:
        raise TargetError(
            f"TARGET {name}: a {type(found).__name__} is no Site, Resource, ASGI 3 or WSGI application"
            " that could be told apart; --interface says which it is"
        )
    if kind in ("site", "resource") and kind_of(found) != kind:
        raise TargetError(f"--interface {kind}: {name} is a {type(found).__name__}")
    if kind in ("asgi", "wsgi") and not callable(found):
        raise TargetError(f"--interface {kind}: {name} is a {type(found).__name__}, which can't be called")
    return Target(found, kind, name)


def kind_of(found: Any) -> str | None:
    """What `found` is: a key of KINDS, None if that can't be told."""
    from sennit.web.http import HTTPFactory
    from sennit.web.iweb import IResource

    if isinstance(found, HTTPFactory):
        return "site"
    if IResource.providedBy(found):
        return "resource"
    if isinstance(found, type) or not callable(found):
        return None
    # An application may have many more parameters, all with defaults: what it is called with decides.
    takes = _takes(found)
    if takes == 3 or (takes is None and _is_coroutine_function(found)):
        return "asgi"
    return "wsgi" if takes == 2 else None


def _is_resource_class(found: Any) -> bool:
    from sennit.web.iweb import IResource

    return isinstance(found, type) and bool(IResource.implementedBy(found))


def _is_coroutine_function(found: Callable[..., Any]) -> bool:
    # Frameworks mark functions that only return a coroutine; inspect knows of both.
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__)


def _takes(found: Any) -> int | None:
    """How many positional arguments a callable must be given; None if that can't be told."""
    if not callable(found):
        return None
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    required = [each for each in parameters if each.default is each.empty]
    if any(each.kind is each.KEYWORD_ONLY for each in required):
        return None
    return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in required)
