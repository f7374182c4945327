"""`sennit tree`: the resources below a site, as text."""

from collections.abc import Iterator
from typing import Any

from sennit.web.resource import Resource, allowedMethodsOf

# A tree is as deep as a program makes it, and may contain itself.
_DEEPEST = 20


def tree_lines(root: Any) -> Iterator[str]:
    """A line for each resource: its segment, its class, what it answers to. Children that are made when they
    are asked for are one line, a star."""
    yield _line("/", root)
    yield from _children(root, "", (root,))


def _children(resource: Any, indent: str, above: tuple[Any, ...]) -> Iterator[str]:
    # What lies below a resource that makes its children itself is its own affair; static ones go first,
    # though.
    named = [] if _is_leaf(resource) else sorted(_static_children(resource))
    entries: list[tuple[str, Any]] = [(_segment(name), child) for name, child in named]
    star = _star(resource)
    for place, (name, child) in enumerate(entries):
        last = place == len(entries) - 1 and star is None
        yield indent + ("└── " if last else "├── ") + _line(name, child)
        if child in above or len(above) > _DEEPEST:
            continue
        yield from _children(child, indent + ("    " if last else "│   "), (*above, child))
    if star is not None:
        yield f"{indent}└── {star}"


def _static_children(resource: Any) -> list[tuple[bytes, Any]]:
    children = getattr(resource, "children", None)
    # By hand, since resources can be compared and sorted in no order.
    return [(name, children[name]) for name in sorted(children)] if isinstance(children, dict) else []


def _star(resource: Any) -> str | None:
    """What stands for children that nobody can list; None if there are none."""
    if _is_leaf(resource):
        return f"**  (the rest of the path is {type(resource).__name__}'s)"
    kind = type(resource)
    own = getattr(kind, "getChild", None), getattr(kind, "getChildWithDefault", None)
    if own != (Resource.getChild, Resource.getChildWithDefault):
        return f"*  (made by {kind.__name__})"
    return None


def _is_leaf(resource: Any) -> bool:
    return bool(getattr(resource, "isLeaf", False))


def _segment(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace") or "(trailing slash)"


def _line(name: str, resource: Any) -> str:
    kind = type(resource)
    shown = f"{name}  {kind.__module__}.{kind.__qualname__}"
    if getattr(kind, "render", None) is not Resource.render:
        return shown
    methods = b", ".join(allowedMethodsOf(resource)).decode("latin-1")
    return f"{shown}  {methods}" if methods else shown
