"""The way of a file's bytes into a response: a few are read, and kept; more are left to the engine."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sennit._engine import Answer, FileBody
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
            return self.parts([Part(b"", start, length)])
        data = self.read(start, length)
        if len(data) < length:
            # The file has shrunk since its size was told: sent as what was told, the response is cut.
            return self.parts([Part(b"", start, length)])
        self.close()
        if length == self.info.st_size:
            _keep(self._path, self.info, data)
        return data

    def parts(self, parts: Sequence[Part]) -> FileBody:
        """The body that has several spans of the file. Closes the file when it ends.

        It is never more than was announced, however the file grows. Where the file has become shorter, the
        engine closes the connection, so that the client sees that it hasn't got everything.
        """
        descriptor, self._descriptor = self._descriptor, -1
        return FileBody(descriptor, parts)


class KeptFile:
    """A small file whose content is in memory, to be used as an `OpenedFile`."""

    __slots__ = ("_alone", "_answer", "_answerKey", "_data", "info")

    def __init__(self, info: os.stat_result, data: bytes) -> None:
        self.info = info
        self._data = data
        self._answer: Answer | None = None
        self._answerKey: object = None
        self._alone = 0.0

    def hasNoVariants(self) -> None:
        """Remember that no compressed sibling is there, for a moment: a new one may well come into use a
        second later."""
        self._alone = time.monotonic() + _ALONE

    def mayHaveVariants(self) -> bool:
        """Whether compressed siblings have to be looked for."""
        return time.monotonic() >= self._alone

    def answer(self, key: object, makeFields: Callable[[], Iterable[tuple[bytes, bytes | str]]]) -> Answer:
        """The whole file as a response with the header fields of `makeFields()`, which are made once for
        equal `key`s."""
        answer = self._answer
        if answer is None or self._answerKey != key:
            answer = self._answer = Answer(200, makeFields(), self._data)
            self._answerKey = key
        return answer

    def close(self) -> None:
        """Nothing to be closed."""

    def body(self, start: int, length: int) -> bytes:
        """One span of the file."""
        return self._data[start : start + length]

    def parts(self, parts: Sequence[Part]) -> bytes:
        """Several spans, each after what is before it."""
        return b"".join(part.before + self.body(part.start, part.length) for part in parts)


# Contents by path, the oldest first. To look whether a file is still what it was takes one system call, to
# open and read it again takes five more: half of all the time that a small file costs.
_kept: dict[str, KeptFile] = {}
_keptBytes = 0
_MAX_KEPT_BYTES = 8 << 20
# What each one costs besides its content.
_KEPT_OVERHEAD = 1 << 10
# File systems tell times in steps, up to two seconds long. A file that has changed just now may change again
# without a sign, so only one that has been left alone for longer is kept.
_SETTLED = 3.0
# How long it is taken for granted that no compressed siblings have appeared, in seconds.
_ALONE = 1.0


def keptFile(path: str, seen: os.stat_result) -> KeptFile | None:
    """The content of the file `seen` at `path`, if it is in memory and nothing has changed since."""
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


def _keep(path: str, info: os.stat_result, data: bytes) -> None:
    global _keptBytes
    if time.time() - max(info.st_ctime, info.st_mtime) < _SETTLED:
        return
    _drop(path)
    _kept[path] = KeptFile(info, data)
    _keptBytes += len(data) + _KEPT_OVERHEAD
    while _keptBytes > _MAX_KEPT_BYTES:
        _drop(next(iter(_kept)))


def _drop(path: str) -> None:
    global _keptBytes
    kept = _kept.pop(path, None)
    if kept is not None:
        _keptBytes -= kept.info.st_size + _KEPT_OVERHEAD


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
