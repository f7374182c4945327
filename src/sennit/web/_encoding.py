"""Responses that are compressed on their way out: what says so, for a site, for a resource, for a subtree.

The coding itself, and the decision whether a response gets one, are the engine's: it knows code, type and
size when the head goes out.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sennit import _engine
from sennit.web.iweb import IResource, ResourceLike, _IRequestEncoder, _IRequestEncoderFactory

if TYPE_CHECKING:
    from sennit.web.server import Request


@implementer(_IRequestEncoderFactory)
class EncoderFactory:
    """What the factories of the engine's encoders have in common. Attributes may be set on an instance or a
    subclass.

    A body is coded if the client accepts the coding (RFC 9110 section 12.5.3), its Content-Type is among
    `contentTypes`, and it has at least `minimumSize` bytes or an unknown length. Never coded are: 1xx, 204,
    205, 206 and 304, what has a Content-Encoding or a digest already, and what is `Cache-Control:
    no-transform`.
    """

    # The name in Accept-Encoding and Content-Encoding.
    coding: str
    # From fast to small.
    compressLevel: int
    # The fewest bytes that are worth it: with its head, a smaller answer fits one packet anyway.
    minimumSize: int = 1000
    # Media types, as "application/json" or "text/*"; None: whatever is text, or as redundant as text.
    contentTypes: Sequence[str | bytes] | None = None

    def encoderForRequest(self, request: "Request") -> Any:
        """An encoder for the response if the client accepts this coding, else None."""
        accepted = request.requestHeaders.getRawHeaders(b"accept-encoding", [])
        if _engine.negotiate_coding(accepted, [self.coding]) is None:
            return None
        return RequestEncoder(self, request)


class GzipEncoderFactory(EncoderFactory):
    """gzip (RFC 1952), which every client knows; levels 0 to 9."""

    coding = "gzip"
    compressLevel = 6


class BrotliEncoderFactory(EncoderFactory):
    """brotli (RFC 7932), the smallest for text at some cost of time; levels 0 to 11. Those from 10 on are for
    what is compressed once and kept."""

    coding = "br"
    compressLevel = 5


class ZstdEncoderFactory(EncoderFactory):
    """zstd (RFC 8878), as small as gzip at a third of its time; levels 1 to 22. Those from 10 on are for what
    is compressed once and kept."""

    coding = "zstd"
    compressLevel = 3


def standardEncoders() -> list[EncoderFactory]:
    """Factories of all codings that the engine has, the favourite first: zstd costs the server least, brotli
    is the smallest, gzip is known to all."""
    return [ZstdEncoderFactory(), BrotliEncoderFactory(), GzipEncoderFactory()]


@implementer(_IRequestEncoder)
class RequestEncoder:
    """One of the engine's encoders in a program's hands. `EncodingResourceWrapper` takes it as word that this
    coding may be used, and the engine codes; who calls `encode` and `finish` codes by hand."""

    def __init__(self, factory: EncoderFactory, request: "Request") -> None:
        self.factory = factory
        self._request = request
        self._codec: _engine.Encoder | None = None

    def encode(self, data: bytes) -> bytes:
        """What is complete of the body coded so far; the first call sets the response's headers."""
        return self._begun().encode(data)

    def finish(self) -> bytes:
        """The rest of the coded body."""
        return self._begun().finish()

    def _begun(self) -> _engine.Encoder:
        if self._codec is None:
            self._codec = _engine.Encoder(self.factory.coding, self.factory.compressLevel)
            if not self._request.startedWriting:
                headers = self._request.responseHeaders
                headers.removeHeader(b"content-length")
                headers.addRawHeader(b"content-encoding", self.factory.coding.encode("ascii"))
        return self._codec


@implementer(IResource)
class EncodingResourceWrapper:
    """A resource whose responses are coded: `original` makes them, `encoders` code them.

    `encoders` are factories, the favourite first; the standard ones by default. Among those of the engine the
    client's weights decide before the order. A factory of a program's own is any object with
    `encoderForRequest(request)`, which returns an object with `encode(data)` and `finish()` (bytes), or None;
    it is asked before the resource is rendered, and sees to the headers itself.

    `original` alone is coded, not what is below it, unless `children` is true. No encoders at all: nothing is
    coded here, whatever the site says.
    """

    def __init__(
        self, original: ResourceLike, encoders: Iterable[Any] | None = None, *, children: bool = False
    ) -> None:
        self.original = original
        self._codesChildren = children
        self._encoders = standardEncoders() if encoders is None else list(encoders)
        self._offered = tuple(factory for factory in self._encoders if _isStock(factory))
        stockOnly = len(self._offered) == len(self._encoders)
        self._asksItself = type(self).getEncoder is not EncodingResourceWrapper.getEncoder or not stockOnly

    @property
    def isLeaf(self) -> bool | int:
        """That of the original."""
        return self.original.isLeaf

    def getEncoder(self, request: "Request") -> Any:
        """The encoder for a response: that of the first factory that returns one, or None."""
        for factory in self._encoders:
            encoder = factory.encoderForRequest(request)
            if encoder is not None:
                return encoder
        return None

    def getChildWithDefault(self, name: bytes, request: "Request") -> Any:
        """The original's child."""
        if self._codesChildren:
            self._announce(request)
        return self.original.getChildWithDefault(name, request)

    def putChild(self, path: bytes | str, child: ResourceLike) -> None:
        """Put a child below the original."""
        self.original.putChild(path, child)  # type: ignore[attr-defined]

    def render(self, request: "Request") -> Any:
        """What the original answers."""
        self._announce(request)
        return self.original.render(request)

    def _announce(self, request: "Request") -> None:
        if self._asksItself:
            encoder = self.getEncoder(request)
            if isinstance(encoder, RequestEncoder) and encoder.factory not in self._offered:
                request.offer_codings((encoder.factory,))
                return
            if encoder is not None and not isinstance(encoder, RequestEncoder):
                request.set_encoder(encoder)
                return
        request.offer_codings(self._offered)

    def __getattr__(self, name: str) -> Any:
        # What the engine asks of resources besides: maxBody, streamsBody and the like.
        if name == "original":
            raise AttributeError(name)
        return getattr(self.original, name)


def checkedEncoders(encoders: Iterable[Any]) -> tuple[EncoderFactory, ...]:
    """Encoders for a whole site; TypeError for what is no factory of the engine's, ValueError for a level
    that there is not."""
    checked = tuple(encoders)
    for factory in checked:
        if not _isStock(factory):
            raise TypeError(
                f"a site's encoders are the engine's, not {factory!r}: "
                "for others there is sennit.web.resource.EncodingResourceWrapper"
            )
        _engine.Encoder(factory.coding, factory.compressLevel)
    return checked


def _isStock(factory: object) -> bool:
    """Whether a factory leaves the decision to the engine."""
    return (
        isinstance(factory, EncoderFactory)
        and type(factory).encoderForRequest is EncoderFactory.encoderForRequest
    )
