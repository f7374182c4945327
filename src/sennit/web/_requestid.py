"""Ids of requests: what is found in the logs of all programs that a request has passed through."""

import re
from os import urandom
from typing import Any

# What is taken over from a client: it goes into logs and headers. Long enough for a UUID, or two.
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._~+/=-]{1,128}")


class RequestIDs:
    """Where ids come from, and whether clients are told.

    `header` is the field that has them (str or bytes). `accept` takes over what the request brings, if it is
    up to 128 letters, digits and ._~+/=-: for servers behind a proxy that sets it. `send` puts it into the
    response."""

    def __init__(
        self, header: str | bytes = b"X-Request-ID", *, accept: bool = True, send: bool = True
    ) -> None:
        self.header = header.encode("ascii") if isinstance(header, str) else header
        self.accept = accept
        self.send = send

    def idOf(self, request: Any) -> str:
        """The id of a request, which has none yet; from now on it has."""
        identity: bytes | None = request.getHeader(self.header) if self.accept else None
        if identity is None or _ACCEPTABLE.fullmatch(identity) is None:
            identity = urandom(16).hex().encode("ascii")
        if self.send and not request.startedWriting:
            request.setHeader(self.header, identity)
        return identity.decode("ascii")


# For sites that say nothing: ids are for the program's own log.
DEFAULT = RequestIDs(accept=False, send=False)
