"""Which media type and coding a file's name stands for."""

import mimetypes
import os
from collections.abc import Mapping, Sequence

# These go before what the system's tables say: pages break where one of them is wrong, and the tables differ
# from machine to machine.
_FIXED_TYPES = {
    ".avif": "image/avif",
    ".conf": "text/plain",
    ".css": "text/css",
    ".csv": "text/csv",
    ".diff": "text/plain",
    ".flac": "audio/x-flac",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".java": "text/plain",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mp4": "video/mp4",
    ".oz": "text/x-oz",
    ".patch": "text/plain",
    ".svg": "image/svg+xml",
    ".swf": "application/x-shockwave-flash",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".wml": "text/vnd.wap.wml",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xul": "application/vnd.mozilla.xul+xml",
}

# An XML document says itself which charset it is in; a parameter of the type would overrule it (RFC 7303
# section 3).
_SELF_DESCRIBING = frozenset({"text/xml", "text/xml-external-parsed-entity"})


def loadMimeTypes(mimetype_locations: Sequence[str] | None = None) -> dict[str, str]:
    """File extensions (with the dot, lower case) to media types: Python's table, what the system adds to it,
    and the types of the web.

    `mimetype_locations` are files in the format of `mime.types` to read in place of the system's.
    """
    if mimetype_locations is None:
        mimetypes.init()
        known = dict(mimetypes.types_map)
    else:
        table = mimetypes.MimeTypes()
        for location in mimetype_locations:
            if os.path.isfile(location):
                table.read(location)
        known = table.types_map[True]
    return known | _FIXED_TYPES


def getTypeAndEncoding(
    filename: str, types: Mapping[str, str], encodings: Mapping[str, str], defaultType: str
) -> tuple[str, str | None]:
    """The media type and the content coding (or None) of a file name: `x.tar.gz` is a tar file, gzipped."""
    stem, extension = _splitExtension(filename)
    encoding = encodings.get(extension)
    if encoding is not None:
        extension = _splitExtension(stem)[1]
    return types.get(extension, defaultType), encoding


def _splitExtension(name: str) -> tuple[str, str]:
    # os.path.splitext takes three times as long, since it looks for directories too.
    stem, _, extension = name.rpartition(".")
    return (stem, "." + extension.lower()) if stem else (name, "")


def withCharset(mediaType: str, charset: str | None) -> bytes:
    """The value of Content-Type: `mediaType`, with the charset if it is text that doesn't name one itself."""
    if (
        charset is not None
        and mediaType.startswith("text/")
        and ";" not in mediaType
        and mediaType not in _SELF_DESCRIBING
    ):
        mediaType = f"{mediaType}; charset={charset}"
    return mediaType.encode("latin-1", "replace")
