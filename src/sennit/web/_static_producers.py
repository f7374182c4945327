"""Producers that send a file: for programs that make a response of a file object of their own.

They are asked for a piece whenever there is room for one. `start` registers them; at the end they finish the
request and close the file.
"""

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from sennit.web.http import Request


class StaticProducer:
    """A producer that sends a file object (binary, open) as the body of a response."""

    # How many bytes are read and written at a time.
    bufferSize = 65536

    request: "Request | None"
    fileObject: IO[bytes] | None

    def __init__(self, request: "Request", fileObject: IO[bytes]) -> None:
        self.request = request
        self.fileObject = fileObject

    def start(self) -> None:
        """Begin to send."""
        raise NotImplementedError(f"{type(self).__name__}.start")

    def resumeProducing(self) -> None:
        """Send the next piece."""
        raise NotImplementedError(f"{type(self).__name__}.resumeProducing")

    def stopProducing(self) -> None:
        """Close the file: all is sent, or the client has left."""
        if self.fileObject is not None:
            self.fileObject.close()
            self.fileObject = None
        self.request = None

    def _register(self) -> None:
        if self.request is not None:
            self.request.registerProducer(self, False)

    def _finish(self) -> None:
        request = self.request
        if request is not None:
            request.unregisterProducer()
            request.finish()
            self.stopProducing()

    def _read(self, length: int) -> bytes:
        return b"" if self.fileObject is None else self.fileObject.read(min(length, self.bufferSize))


class NoRangeStaticProducer(StaticProducer):
    """Sends the file from where it stands to its end."""

    def start(self) -> None:
        """Begin to send."""
        self._register()

    def resumeProducing(self) -> None:
        """Send the next piece."""
        data = self._read(self.bufferSize)
        if not data:
            self._finish()
        elif self.request is not None:
            # Its end is looked for at the next call: a read that gives less may have more to come.
            self.request.write(data)


class SingleRangeStaticProducer(StaticProducer):
    """Sends `size` bytes of the file from `offset` on."""

    def __init__(self, request: "Request", fileObject: IO[bytes], offset: int, size: int) -> None:
        super().__init__(request, fileObject)
        self.offset = offset
        self.size = size
        self.bytesWritten = 0

    def start(self) -> None:
        """Go to the first byte and begin to send."""
        if self.fileObject is not None:
            self.fileObject.seek(self.offset)
        self._register()

    def resumeProducing(self) -> None:
        """Send the next piece."""
        data = self._read(self.size - self.bytesWritten)
        self.bytesWritten += len(data)
        if data and self.request is not None:
            self.request.write(data)
        if not data or self.bytesWritten >= self.size:
            self._finish()


class MultipleRangeStaticProducer(StaticProducer):
    """Sends several parts of the file; `rangeInfo` has for each what comes before it (bytes), the first byte
    and how many."""

    def __init__(
        self, request: "Request", fileObject: IO[bytes], rangeInfo: Sequence[tuple[bytes, int, int]]
    ) -> None:
        super().__init__(request, fileObject)
        self.rangeInfo = rangeInfo
        self._pieces: Iterator[bytes] = iter(())

    def start(self) -> None:
        """Begin to send."""
        self._pieces = self._all()
        self._register()

    def resumeProducing(self) -> None:
        """Send the next piece."""
        piece = next(self._pieces, None)
        if piece is None:
            self._finish()
        elif self.request is not None:
            self.request.write(piece)

    def _all(self) -> Iterator[bytes]:
        for before, offset, size in self.rangeInfo:
            # A producer that writes nothing is not asked again.
            if before:
                yield before
            if self.fileObject is not None:
                self.fileObject.seek(offset)
            while size > 0:
                data = self._read(size)
                if not data:
                    # The file has become shorter: the response must end here, or what follows would be taken
                    # for what is missing.
                    return
                size -= len(data)
                yield data
