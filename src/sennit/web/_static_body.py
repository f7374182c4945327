"""The way of a file's bytes into a response: a few are read, and kept; more are left to the engine."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sennit._engine import FileAnswer, FileBody
from sennit.web._static_ranges import Span, contentRange

# A body up to this size is read, and sent with its head by one system call. A larger one costs less if the
# kernel sends it from its page cache.
WHOLE = 16 << 10

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Part(NamedTuple):
    """Bytes to be sent, and then a span of the file."""

    before: bytes
    start: int
    length: int


class OpenedFile:
    """A regular file that is open, and what was true of it then."""

    __slots__ = ("_descriptor", "_path", "info")

    def __init__(self, path: str) -> None:
        """Raises OSError, also for what isn't a regular file."""
        self._descriptor = -1
        self._path = path
        # Not blocking: opening a pipe would wait until somebody writes to it.
        self._descriptor = os.open(path, _FLAGS)
        self.info = os.fstat(self._descriptor)
        if not stat.S_ISREG(self.info.st_mode):
            self.close()
            raise FileNotFoundError(path)

    def isStill(self, seen: os.stat_result) -> bool:
        """Whether it is the file that was `seen` at its path before."""
        return self.info.st_ino == seen.st_ino and self.info.st_dev == seen.st_dev

    def close(self) -> None:
        """Close it; again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start` on; fewer only where the file ends."""
        data = os.pread(self._descriptor, length, start)
        if len(data) == length or not data:
            return data
        pieces = [data]
        got = len(data)
        while got < length and (data := os.pread(self._descriptor, length - got, start + got)):
            pieces.append(data)
            got += len(data)
        return b"".join(pieces)

    def body(self, start: int, length: int) -> bytes | FileBody:
        """The body that is one span of the file; as bytes if it is small and all there. Closes the file, at
        the latest when the body ends."""
        if length > WHOLE:
            body = self.parts([Part(b"", start, length)])
            if length == self.info.st_size <= _LONGEST_KEPT_OPEN and _isSettled(self.info):
                _keep(self._path, KeptFile(self.info, body.again([Part(b"", start, length)])))
            return body
        data = self.read(start, length)
        if len(data) < length:
            # The file has shrunk since its size was told: sent as what was told, the response is cut.
            return self.parts([Part(b"", start, length)])
        self.close()
        if length == self.info.st_size and _isSettled(self.info):
            _keep(self._path, KeptFile(self.info, data))
        return data

    def parts(self, parts: Sequence[Part]) -> FileBody:
        """The body that has several spans of the file. Closes the file when it ends.

        It is never more than was announced, however the file grows. Where the file has become shorter, the
        engine closes the connection, so that the client sees that it hasn't got everything.
        """
        descriptor, self._descriptor = self._descriptor, -1
        return FileBody(descriptor, parts)


class KeptFile:
    """A file that was sent before: the content of a small one, the descriptor of a larger one, and the
    answers to plain requests. To be used as an `OpenedFile`."""

    __slots__ = ("_alone", "_answers", "_data", "info")

    def __init__(self, info: os.stat_result, data: bytes | FileBody) -> None:
        self.info = info
        self._data = data
        self._answers: dict[tuple[bool, object], FileAnswer] = {}
        self._alone = 0.0

    @property
    def isOpen(self) -> bool:
        """Whether it takes a descriptor."""
        return isinstance(self._data, FileBody)

    @property
    def cost(self) -> int:
        """What it takes of memory, in bytes."""
        return _KEPT_OVERHEAD + (0 if isinstance(self._data, FileBody) else len(self._data))

    def hasNoVariants(self) -> None:
        """Remember that no compressed sibling is there, for a moment: a new one may well come into use a
        second later."""
        self._alone = time.monotonic() + _ALONE
        for (looksForVariants, _), answer in self._answers.items():
            if looksForVariants:
                answer.trust(_ALONE)

    def mayHaveVariants(self) -> bool:
        """Whether compressed siblings have to be looked for."""
        return time.monotonic() >= self._alone

    def answer(
        self,
        path: str,
        key: object,
        makeFields: Callable[[], Iterable[tuple[bytes, bytes | str]]],
        looksForVariants: bool,
    ) -> FileAnswer:
        """The whole file at `path` as a response with the header fields of `makeFields()`, which are made
        once for equal `key`s. `looksForVariants`: it holds only while no compressed sibling may be there."""
        answer = self._answers.get((looksForVariants, key))
        if answer is None:
            answer = FileAnswer(path, self.info, makeFields(), self._data)
            if looksForVariants:
                answer.trust(self._alone - time.monotonic())
            if len(self._answers) >= _MAX_ANSWERS:
                self._forgetAnswers()
            self._answers[looksForVariants, key] = answer
        return answer

    def _forgetAnswers(self) -> None:
        for answer in self._answers.values():
            answer.forget()
        self._answers.clear()

    def forget(self) -> None:
        """Let go of what is kept; what is being sent goes on."""
        self._forgetAnswers()
        if isinstance(self._data, FileBody):
            self._data.close()

    def close(self) -> None:
        """Nothing to be closed."""

    def body(self, start: int, length: int) -> bytes | FileBody:
        """One span of the file."""
        if isinstance(self._data, bytes):
            return self._data[start : start + length]
        return self._data.again([(b"", start, length)])

    def parts(self, parts: Sequence[Part]) -> bytes | FileBody:
        """Several spans, each after what is before it."""
        data = self._data
        if isinstance(data, bytes):
            return b"".join(part.before + data[part.start : part.start + part.length] for part in parts)
        return data.again(parts)


# By path, the oldest first. To look whether a file is still what it was takes one system call; to open it,
# and read or close it again, takes up to five more: half of all the time that a small file costs.
_kept: dict[str, KeptFile] = {}
_keptBytes = 0
_MAX_KEPT_BYTES = 8 << 20
# What each one costs besides its content.
_KEPT_OVERHEAD = 1 << 10
# Files that stay open, and how long they may be: one that is removed takes its place on the disk until then,
# and what opening costs is nothing beside what it costs to send a larger one.
_keptOpen = 0
_MAX_KEPT_OPEN = 64
_LONGEST_KEPT_OPEN = 1 << 20
# File systems tell times in steps, up to two seconds long. A file that has changed just now may change again
# without a sign, so only one that has been left alone for longer is kept.
_SETTLED = 3.0
# Differences in attributes with which one file is served.
_MAX_ANSWERS = 4
# How long it is taken for granted that no compressed siblings have appeared, in seconds.
_ALONE = 1.0


def keptFile(path: str, seen: os.stat_result) -> KeptFile | None:
    """The file `seen` at `path`, if it is kept and nothing has changed since."""
    kept = _kept.get(path)
    if kept is None:
        return None
    info = kept.info
    if (
        info.st_mtime_ns == seen.st_mtime_ns
        and info.st_ctime_ns == seen.st_ctime_ns
        and info.st_size == seen.st_size
        and info.st_ino == seen.st_ino
        and info.st_dev == seen.st_dev
    ):
        return kept
    _drop(path)
    return None


def _isSettled(info: os.stat_result) -> bool:
    return time.time() - max(info.st_ctime, info.st_mtime) >= _SETTLED


def _keep(path: str, kept: KeptFile) -> None:
    global _keptBytes, _keptOpen
    _drop(path)
    _kept[path] = kept
    _keptBytes += kept.cost
    _keptOpen += kept.isOpen
    while _keptBytes > _MAX_KEPT_BYTES:
        _drop(next(iter(_kept)))
    if _keptOpen > _MAX_KEPT_OPEN:
        _drop(next(path for path, kept in _kept.items() if kept.isOpen))


def _drop(path: str) -> None:
    global _keptBytes, _keptOpen
    kept = _kept.pop(path, None)
    if kept is not None:
        _keptBytes -= kept.cost
        _keptOpen -= kept.isOpen
        kept.forget()


def multipartParts(spans: Sequence[Span], size: int, contentType: bytes, boundary: bytes) -> list[Part]:
    """The parts of a multipart/byteranges body (RFC 9110 section 14.6); the last one is only the end."""
    parts = [
        Part(
            b"\r\n--%b\r\nContent-type: %b\r\nContent-range: %b\r\n\r\n"
            % (boundary, contentType, contentRange(span, size)),
            *span,
        )
        for span in spans
    ]
    return [*parts, Part(b"\r\n--%b--\r\n" % boundary, 0, 0)]


def lengthOf(parts: Sequence[Part]) -> int:
    """The length of a body of these parts."""
    return sum(len(part.before) + part.length for part in parts)
