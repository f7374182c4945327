"""What templates are made of: tags, slots, and the few things that aren't plain text."""

import warnings
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any


class Tag:
    """One element: `tags.p("Hello", class_="greeting")`, or what a template's XML has.

    `tagName` is bytes or str; the empty one makes a transparent tag, of which only the children are seen.
    `attributes` maps names to flattenable values, in order; `children` is a list of flattenable values;
    `render` is the name of the renderer that makes what is shown in its place, or None; `slotData` maps names
    of slots to what fills them here and below, or is None. `filename`, `lineNumber` and `columnNumber` say
    where it comes from, for error messages.
    """

    def __init__(
        self,
        tagName: bytes | str,
        attributes: dict[bytes | str, Any] | None = None,
        children: list[Any] | None = None,
        render: str | None = None,
        filename: str | None = None,
        lineNumber: int | None = None,
        columnNumber: int | None = None,
    ) -> None:
        self.tagName = tagName
        self.attributes: dict[bytes | str, Any] = {} if attributes is None else attributes
        self.children: list[Any] = [] if children is None else children
        self.render = render
        self.filename = filename
        self.lineNumber = lineNumber
        self.columnNumber = columnNumber
        self.slotData: dict[str, Any] | None = None

    def __call__(self, *children: Any, **attributes: Any) -> "Tag":
        """Append children and set attributes; returns this tag.

        One trailing underscore of a name is dropped (`class_`). `render` sets the renderer's name; TypeError
        if it is no str.
        """
        self.children.extend(children)
        for name, value in attributes.items():
            if name == "render":
                if not isinstance(value, str):
                    raise TypeError(f"render is the name of a renderer, a str, not {value!r}")
                self.render = value
            else:
                self.attributes[name.removesuffix("_")] = value
        return self

    def fillSlots(self, **slots: Any) -> "Tag":
        """Fill slots by name, here and below; returns this tag."""
        if self.slotData is None:
            self.slotData = {}
        self.slotData.update(slots)
        return self

    def clear(self) -> "Tag":
        """Forget the children; returns this tag."""
        self.children = []
        return self

    def clone(self, deep: bool = True) -> "Tag":
        """A copy with lists and dicts of its own; with `deep`, the tags in them are copied too.

        Generators and coroutines can't be copied and are shared, with a RuntimeWarning.
        """
        copied: Any = _cloned if deep else _same
        clone = Tag(
            self.tagName,
            {name: copied(value) for name, value in self.attributes.items()},
            [copied(child) for child in self.children],
            self.render,
            self.filename,
            self.lineNumber,
            self.columnNumber,
        )
        if self.slotData is not None:
            clone.slotData = {name: copied(value) for name, value in self.slotData.items()}
        return clone

    def __repr__(self) -> str:
        parts = [repr(self.tagName)]
        if self.attributes:
            parts.append(f"attributes={self.attributes!r}")
        if self.children:
            parts.append(f"children={self.children!r}")
        return f"Tag({', '.join(parts)})"


def _same(value: Any) -> Any:
    return value


def _cloned(value: Any) -> Any:
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Tag):
        return value.clone()
    if isinstance(value, list | tuple):
        return [_cloned(item) for item in value]
    if isinstance(value, Generator | Coroutine | AsyncGenerator):
        warnings.warn(
            f"{value!r} can't be copied: a clone shares it, and only one of the two can be shown",
            RuntimeWarning,
            stacklevel=3,
        )
    return value


class slot:
    """A place in a template that is filled with `Tag.fillSlots`, or with `default` (None: it must be)."""

    def __init__(
        self,
        name: str,
        default: Any = None,
        filename: str | None = None,
        lineNumber: int | None = None,
        columnNumber: int | None = None,
    ) -> None:
        self.name = name
        self.default = default
        # What a template has inside the slot's element; it isn't shown.
        self.children: list[Any] = []
        self.filename = filename
        self.lineNumber = lineNumber
        self.columnNumber = columnNumber

    def __repr__(self) -> str:
        return f"slot({self.name!r})"


class CDATA:
    """A CDATA section; `data` (str) is shown as it is."""

    def __init__(self, data: str) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"CDATA({self.data!r})"


class Comment:
    """A comment; `data` is str. What would end the comment early is escaped."""

    def __init__(self, data: str) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"Comment({self.data!r})"


class CharRef:
    """A character reference: `CharRef(160)` is written `&#160;`. `ordinal` is an int."""

    def __init__(self, ordinal: int) -> None:
        self.ordinal = ordinal

    def __repr__(self) -> str:
        return f"CharRef({self.ordinal!r})"
