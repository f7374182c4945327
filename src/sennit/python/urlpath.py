"""Addresses taken apart, as `request.URLPath()` gives them."""

from typing import Any
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

__all__ = ["URLPath"]

# What a segment of a path can have as it is (RFC 3986 section 3.3).
_SEGMENT_SAFE = "!$&'()*+,;=:@-._~"


class URLPath:
    """An absolute URL: `scheme`, `netloc`, `path`, `query` and `fragment`, all bytes, as they stand in it.

    `str(url)` is the URL. Methods that go elsewhere give a new one; they drop the fragment, and the query
    unless `keepQuery`.
    """

    def __init__(
        self,
        scheme: bytes = b"",
        netloc: bytes = b"localhost",
        path: bytes = b"",
        query: bytes = b"",
        fragment: bytes = b"",
    ) -> None:
        self.scheme = scheme or b"http"
        self.netloc = netloc
        self.path = path or b"/"
        self.query = query
        self.fragment = fragment

    @classmethod
    def fromString(cls, url: str) -> "URLPath":
        """From a URL as text. TypeError for bytes."""
        if not isinstance(url, str):
            raise TypeError(f"fromString takes str, not {type(url).__name__}")
        return cls.fromBytes(url.encode("utf-8"))

    @classmethod
    def fromBytes(cls, url: bytes) -> "URLPath":
        """From a URL as bytes. TypeError for str."""
        if not isinstance(url, bytes):
            raise TypeError(f"fromBytes takes bytes, not {type(url).__name__}")
        # As latin-1 every byte is one character, there and back.
        parts = (quote(part, safe="%/?#[]!$&'()*+,;=:@-._~", encoding="latin-1") for part in _split(url))
        return cls(*(part.encode("ascii") for part in parts))

    @classmethod
    def fromRequest(cls, request: Any) -> "URLPath":
        """The address of the resource that a request has come to."""
        return cls.fromBytes(request.prePathURL())

    def pathList(self, unquote: bool = False, copy: bool = True) -> list[bytes]:
        """The segments of the path after an empty one for the root; with `unquote`, percent-decoded. It is
        always a new list."""
        segments = self.path.split(b"/")
        if segments[0]:
            segments.insert(0, b"")
        return [unquote_to_bytes(segment) for segment in segments] if unquote else segments

    def sibling(self, path: bytes, keepQuery: bool = False) -> "URLPath":
        """The address with `path` in place of the last segment."""
        return self._at(b"/".join([*self.path.split(b"/")[:-1], _quoted(path)]), keepQuery)

    def child(self, path: bytes, keepQuery: bool = False) -> "URLPath":
        """The address of the child `path`: one segment more, or one in place of an empty last one."""
        segments = self.path.split(b"/")
        if not segments[-1]:
            segments.pop()
        return self._at(b"/".join([*segments, _quoted(path)]), keepQuery)

    def parent(self, keepQuery: bool = False) -> "URLPath":
        """The directory above."""
        return self._clicked("..", keepQuery)

    def here(self, keepQuery: bool = False) -> "URLPath":
        """The directory of this address."""
        return self._clicked(".", keepQuery)

    def click(self, st: bytes | str) -> "URLPath":
        """Where a link to `st` on this page leads."""
        link = st.decode("latin-1") if isinstance(st, bytes) else st
        return self.fromBytes(urljoin(str(self), link).encode("utf-8" if isinstance(st, str) else "latin-1"))

    def asString(self) -> str:
        """The URL."""
        parts = (self.scheme, self.netloc, self.path, self.query, self.fragment)
        return urlunsplit([part.decode("latin-1") for part in parts])

    def asBytes(self) -> bytes:
        """The URL as bytes."""
        return self.asString().encode("latin-1")

    __str__ = asString

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{name}={getattr(self, name)!r}" for name in ("scheme", "netloc", "path", "query", "fragment")
        )
        return f"URLPath({parts})"

    def _clicked(self, link: str, keepQuery: bool) -> "URLPath":
        return self._at(self.click(link).path, keepQuery)

    def _at(self, path: bytes, keepQuery: bool) -> "URLPath":
        return URLPath(self.scheme, self.netloc, path, self.query if keepQuery else b"")


def _split(url: bytes) -> tuple[str, ...]:
    return tuple(urlsplit(url.decode("latin-1")))


def _quoted(segment: bytes | str) -> bytes:
    return quote(segment, safe=_SEGMENT_SAFE).encode("ascii")
