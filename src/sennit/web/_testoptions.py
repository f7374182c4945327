"""What test clients take, as types."""

from collections.abc import Mapping, Sequence
from typing import IO, Any, TypeAlias, TypedDict

from sennit.web._requestbodies import Body
from sennit.web.http_headers import Headers

HeaderInput: TypeAlias = (
    Mapping[str, str | bytes | Sequence[str | bytes]] | Sequence[tuple[str | bytes, str | bytes]] | Headers
)

_Content: TypeAlias = bytes | str | IO[bytes]
File: TypeAlias = _Content | tuple[str, _Content] | tuple[str, _Content, str]

# An end of a connection: (ip, port), or the path of a UNIX socket.
End: TypeAlias = tuple[str, int] | str | bytes | None


class BodyOptions(TypedDict, total=False):
    """The options of `stream`."""

    headers: HeaderInput
    body: Body
    json: Any
    form: Mapping[str, Any] | None
    files: Mapping[str, File | Sequence[File]] | None


class RequestOptions(BodyOptions, total=False):
    """The options of `request`, and of the methods named after HTTP's."""

    followRedirects: bool


class ClientOptions(TypedDict, total=False):
    """The options of a client."""

    headers: HeaderInput
    peer: End
    host: End
    secure: bool
    version: str
    timeout: float
    maxRedirects: int
