"""Flattening: a template becomes bytes, piece by piece, waiting where something is still to come.

What is being flattened is a stack of frames, each an iterator over the parts of one tag, list or generator,
so that templates may be nested deeply. Escaping goes by the frame's context: text is escaped for where it
stands, and everything inside an attribute once more for each attribute around it.
"""

import asyncio
import re
import sys
import traceback
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
)
from functools import lru_cache
from typing import Any

from sennit.internet import defer
from sennit.web._template_interfaces import Flattenable, IRenderable
from sennit.web._template_names import VOID_TAG_NAMES
from sennit.web._template_nodes import CDATA, CharRef, Comment, Tag, slot
from sennit.web.error import FlattenerError, UnfilledSlot, UnsupportedType

# Pieces are joined up to this many bytes before they are written.
BUFFER_SIZE = 65536

# More than any page; what is nested deeper is something that renders itself for ever.
_DEEPEST = 10_000

_END: Any = object()
# What a name in markup can't have: with it, a name from outside could be more than a name.
_NO_NAME = re.compile(rb"[\x00-\x20\x7f\"'<>/=]|^[!?]|^$")
# What would end a comment: HTML section 13.2.5.43 and following, as browsers read it.
_COMMENT_END = re.compile(r"(--!?|^-?)>")

# The innermost slots and, behind them, those around.
_Scope = tuple[dict[str, Any], Any] | None


class _Markup(bytes):
    """Markup of the tag whose attribute values are being flattened."""


class _Context:
    """How to flatten what is in one place: `scope` has the slots, `renderers` the element around;
    `attributes` counts the attributes around, and `isContent` says whether there is a tag inside the last."""

    __slots__ = ("attributes", "isContent", "renderers", "scope")

    def __init__(self, scope: _Scope, renderers: Any, isContent: bool, attributes: int) -> None:
        self.scope = scope
        self.renderers = renderers
        self.isContent = isContent
        self.attributes = attributes


class _Frame:
    """Items still to be flattened, what they belong to, and the markup that follows them."""

    __slots__ = ("closing", "context", "items", "later", "root")

    def __init__(
        self,
        items: Iterator[Any],
        context: _Context,
        root: Any,
        closing: bytes = b"",
        later: AsyncIterator[Any] | None = None,
    ) -> None:
        self.items = items
        self.context = context
        self.root = root
        self.closing = closing
        self.later = later


class Flattener:
    """Flattens one template for one request.

    `write` is called with bytes whenever enough has come together, and before waiting; `pause`, if given, is
    awaited after such a write. What is left at the end is in `takeRest()`.
    """

    def __init__(
        self,
        request: Any,
        write: Callable[[bytes], object],
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._request = request
        self._write = write
        self._pause = pause
        self._pieces: list[bytes] = []
        self._size = 0
        self._mustPause = False
        self._frames: list[_Frame] = []
        self._item: Any = _END

    def takeRest(self) -> bytes:
        """What has not been written yet."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return rest

    async def run(self, root: Flattenable) -> None:
        """Flatten `root`. Raises FlattenerError for whatever goes wrong, but CancelledError as it is."""
        self._push(iter((root,)), _Context(None, None, True, 0), _END)
        try:
            while (waiting := self._advance()) is not None:
                await waiting
        except defer.CancelledError:
            raise
        except Exception as exception:
            raise FlattenerError(exception, self._roots(), _ownFrames(exception)) from None
        finally:
            await self._close()

    def _advance(self) -> Awaitable[None] | None:
        """Flatten until something has to be awaited, which is returned; None at the end."""
        frames = self._frames
        while frames:
            frame = frames[-1]
            self._item = _END
            if frame.later is not None:
                return self._pushNextOf(frame, frame.later)
            item = next(frame.items, _END)
            if item is _END:
                frames.pop()
                if frame.closing:
                    self._emit(frame.closing, frame.context.attributes)
            else:
                self._item = item
                awaited = self._flatten(item, frame.context)
                if awaited is not None:
                    return self._pushResultOf(awaited, item, frame.context)
            if self._mustPause and self._pause is not None:
                self._mustPause = False
                return self._pause()
        return None

    # What there is to flatten

    def _flatten(self, item: Any, context: _Context) -> Awaitable[Any] | None:
        """Write what can be written of `item`, push its parts, or return what has to be awaited."""
        if isinstance(item, str | bytes):
            self._flattenText(item, context)
        elif isinstance(item, Tag):
            self._flattenTag(item, context)
        elif isinstance(item, list | tuple):
            self._push(iter(item), context, item)
        elif isinstance(item, slot):
            self._push(iter((_slotValue(item, context.scope),)), context, item)
        elif isinstance(item, CDATA):
            data = item.data.replace("]]>", "]]]]><![CDATA[>")
            self._emit(f"<![CDATA[{data}]]>".encode(), context.attributes)
        elif isinstance(item, Comment):
            self._emit(_commentMarkup(item.data), context.attributes)
        elif isinstance(item, CharRef):
            # In an attribute's own text a reference means the character, as it does in content.
            quoted = context.attributes if context.isContent else context.attributes - 1
            self._emit(b"&#%d;" % item.ordinal, quoted)
        elif isinstance(item, defer.Deferred):
            return item
        elif IRenderable.providedBy(item):
            inside = _Context(context.scope, item, context.isContent, context.attributes)
            self._push(iter((item.render(self._request),)), inside, item)
        elif isinstance(item, Iterator):
            self._push(item, context, item)
        elif isinstance(item, Awaitable):
            return _started(item)
        elif isinstance(item, AsyncIterable):
            self._push(iter(()), context, item, later=aiter(item))
        else:
            raise UnsupportedType(item)
        return None

    def _flattenText(self, text: str | bytes, context: _Context) -> None:
        if isinstance(text, _Markup):
            self._emit(text, context.attributes - 1)
            return
        data = text.encode("utf-8") if isinstance(text, str) else text
        self._emit(_escapeContent(data) if context.isContent else data, context.attributes)

    def _flattenTag(self, tag: Tag, context: _Context) -> None:
        if tag.slotData:
            context = _Context(
                (tag.slotData, context.scope), context.renderers, context.isContent, context.attributes
            )
        if tag.render is not None:
            self._push(iter((self._rendered(tag, tag.render, context),)), context, tag)
            return
        if not tag.tagName:
            self._push(iter(tag.children), context, tag)
            return
        name = _checkedName(tag.tagName)
        parts = _openingParts(name, tag.attributes)
        if tag.children or name not in VOID_TAG_NAMES:
            parts[-1] += b">"
            inside = context
            if not context.isContent:
                inside = _Context(context.scope, context.renderers, True, context.attributes)
            self._push(iter(tag.children), inside, tag, b"</%b>" % name)
        else:
            parts[-1] += b" />"
        if len(parts) == 1:
            self._emit(parts[0], context.attributes)
        else:
            parts[0::2] = [_Markup(part) for part in parts[0::2]]
            inside = _Context(context.scope, context.renderers, False, context.attributes + 1)
            self._push(iter(parts), inside, tag)

    def _rendered(self, tag: Tag, name: str, context: _Context) -> Any:
        """What the renderer `name` makes of a tag."""
        if context.renderers is None:
            raise ValueError(f"there is no element around the tag to look up its renderer {name!r} in")
        method = context.renderers.lookupRenderMethod(name)
        clone = tag.clone(False)
        clone.render = None
        return method(self._request, clone)

    def _push(
        self,
        items: Iterator[Any],
        context: _Context,
        root: Any,
        closing: bytes = b"",
        later: AsyncIterator[Any] | None = None,
    ) -> None:
        if len(self._frames) >= _DEEPEST:
            raise RecursionError(f"a template is nested more than {_DEEPEST} levels deep")
        self._frames.append(_Frame(items, context, root, closing, later))

    # Writing and waiting

    def _emit(self, markup: bytes, attributes: int) -> None:
        for _ in range(attributes):
            markup = _escapeAttribute(markup)
        self._pieces.append(markup)
        self._size += len(markup)
        if self._size >= BUFFER_SIZE:
            self._flush()

    def _flush(self) -> None:
        if self._size:
            self._write(self.takeRest())
            self._mustPause = True

    async def _pushNextOf(self, frame: _Frame, items: AsyncIterator[Any]) -> None:
        try:
            item = await self._resultOf(_started(anext(items)))
        except StopAsyncIteration:
            frame.later = None
        else:
            self._push(iter((item,)), frame.context, _END)

    async def _pushResultOf(self, awaited: Awaitable[Any], item: Any, context: _Context) -> None:
        self._push(iter((await self._resultOf(awaited),)), context, item)

    async def _resultOf(self, awaited: Awaitable[Any]) -> Any:
        if not _isSettled(awaited):
            # What there is goes out before the wait.
            self._flush()
        # A Deferred isn't changed by being awaited: others may wait for it too.
        return await awaited

    # The end

    def _roots(self) -> list[Any]:
        """Where in the template this is; lists only group what is in them."""
        roots = [frame.root for frame in self._frames]
        return [
            root for root in [*roots, self._item] if root is not _END and not isinstance(root, list | tuple)
        ]

    async def _close(self) -> None:
        """Close the asynchronous generators that were left in the middle."""
        while self._frames:
            later = self._frames.pop().later
            if isinstance(later, AsyncGenerator):
                await later.aclose()


def _openingParts(name: bytes, attributes: dict[bytes | str, Any]) -> list[Any]:
    """A start tag without its end: markup and, at odd places, attribute values that are not plain text."""
    parts: list[Any] = [b"<" + name]
    for key, value in attributes.items():
        parts[-1] += b' %b="' % _checkedName(key)
        if isinstance(value, str | bytes):
            data = value.encode("utf-8") if isinstance(value, str) else value
            parts[-1] += _escapeAttribute(data) + b'"'
        else:
            parts += [[value], b'"']
    return parts


@lru_cache(maxsize=4096)
def _checkedName(name: bytes | str) -> bytes:
    """The name of an element or attribute; ValueError if it can't be one."""
    data = name.encode("utf-8") if isinstance(name, str) else name
    if _NO_NAME.search(data):
        raise ValueError(f"{name!r} can't be the name of an element or attribute")
    return data


def _escapeContent(data: bytes) -> bytes:
    return data.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


def _escapeAttribute(data: bytes) -> bytes:
    return _escapeContent(data).replace(b'"', b"&quot;")


def _commentMarkup(data: str) -> bytes:
    data = _COMMENT_END.sub(r"\1&gt;", data)
    if data.endswith("-"):
        # "--->" would be read as a part of the comment's end.
        data += " "
    return f"<!--{data}-->".encode()


def _slotValue(place: slot, scope: _Scope) -> Any:
    while scope is not None:
        filled, scope = scope
        if place.name in filled:
            return filled[place.name]
    if place.default is None:
        raise UnfilledSlot(place.name)
    return place.default


def _started(awaitable: Awaitable[Any]) -> Awaitable[Any]:
    """`awaitable` in a Task of its own, begun at once where Python can (3.12).

    What it awaits may need a Task (`asyncio.timeout` does), and the one that happens to run flattening may
    not be ours. Without a running loop it can only be awaited as it is.
    """
    loop = asyncio._get_running_loop()
    if loop is None or asyncio.isfuture(awaitable):
        return awaitable
    coroutine = awaitable if isinstance(awaitable, Coroutine) else _awaiting(awaitable)
    if sys.version_info >= (3, 12):
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task(coroutine)


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _isSettled(awaited: Awaitable[Any]) -> bool:
    """Whether awaiting won't take time, as far as can be told."""
    if isinstance(awaited, defer.Deferred):
        return awaited.called and not awaited.paused
    return isinstance(awaited, asyncio.Future) and awaited.done()


def _ownFrames(exception: Exception) -> traceback.StackSummary:
    """Where the exception comes from, without the frames of this module on the way there."""
    frames = traceback.extract_tb(exception.__traceback__)
    while len(frames) > 1 and frames[0].filename == __file__:
        del frames[0]
    return frames


async def _flattenAll(request: Any, root: Flattenable, write: Callable[[bytes], object]) -> None:
    flattener = Flattener(request, write)
    await flattener.run(root)
    rest = flattener.takeRest()
    if rest:
        write(rest)


def flatten(request: Any, root: Flattenable, write: Callable[[bytes], object]) -> defer.Deferred[None]:
    """Flatten `root` for `request` (what renderers get) and give the bytes to `write`, in pieces.

    The Deferred fires with None at the end, or fails with `error.FlattenerError`; what needs no waiting is
    done when this returns. Cancelling it cancels what is waited for.
    """
    return defer.ensureDeferred(_flattenAll(request, root, write))


def flattenString(request: Any, root: Flattenable) -> defer.Deferred[bytes]:
    """Flatten `root` for `request`; a Deferred of the bytes, which fails as that of `flatten` does."""
    pieces: list[bytes] = []
    return flatten(request, root, pieces.append).addCallback(lambda done: b"".join(pieces))
