"""Decoders of the content codings, by other people's libraries."""

import zlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

_NEEDED = {"gzip": "zlib", "br": "brotli", "zstd": "zstandard"}

# The codings for `pytest.mark.parametrize`; those whose decoder isn't installed are skipped.
CODINGS = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(module) is None, reason=f"{module} is needed"))
    for name, module in _NEEDED.items()
]


class Decoder:
    """Decodes a body piece by piece: `feed` gives all that can be known by then."""

    def __init__(self, coding: str) -> None:
        self._decode: Callable[[bytes], bytes]
        self.isComplete: Callable[[], bool]
        if coding == "gzip":
            gzip = zlib.decompressobj(31)
            self._decode, self.isComplete = gzip.decompress, lambda: gzip.eof
        elif coding == "br":
            import brotli

            br = brotli.Decompressor()
            self._decode, self.isComplete = br.process, br.is_finished
        else:
            import zstandard

            zstd: Any = zstandard.ZstdDecompressor().decompressobj()
            self._decode, self.isComplete = zstd.decompress, lambda: zstd.eof

    def feed(self, data: bytes) -> bytes:
        """What `data` adds to the body."""
        return self._decode(data) if data else b""


def decoded(coding: str, data: bytes) -> bytes:
    """A whole body; AssertionError if it is cut off."""
    decoder = Decoder(coding)
    body = decoder.feed(data)
    assert decoder.isComplete()
    return body
