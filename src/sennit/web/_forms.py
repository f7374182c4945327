"""Form bodies: urlencoded ones, and multipart ones with their files, within limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, NamedTuple, Protocol

from sennit.web._parsing import parse_qs
from sennit.web.error import Error

# How much is read from a body's file at a time.
_PIECE = 65536
# An uploaded file above this size goes to disk.
_FILE_IN_MEMORY = 65536
# Header lines of one part; RFC 7578 has use for three.
_HEADERS_PER_PART = 16

_TOO_MUCH = 413
_MALFORMED = 400


class UploadedFile:
    """A file that came with a form.

    `name` is the field's name and `filename` what the client calls the file, both str, the latter not to be
    trusted as a path; `contentType` (str) is what the client says it is; `file` is a binary file with the
    content, positioned at its start and kept on disk if it is large; `size` is in bytes.
    """

    def __init__(self, name: str, filename: str, contentType: str, file: IO[bytes]) -> None:
        self.name = name
        self.filename = filename
        self.contentType = contentType
        self.file = file
        self.size = 0

    def read(self) -> bytes:
        """The whole content."""
        self.file.seek(0)
        return self.file.read()

    def __repr__(self) -> str:
        return f"<UploadedFile {self.name!r} filename={self.filename!r} size={self.size}>"


class Form:
    """A form body that has been read: `fields` (bytes to lists of bytes), and `files` by their fields' names
    (str)."""

    def __init__(self) -> None:
        self.fields: dict[bytes, list[bytes]] = {}
        self.files: dict[str, list[UploadedFile]] = {}


class FormLimits(NamedTuple):
    """What a form may cost: how many fields and files, bytes of values in memory, bytes of one part's
    headers."""

    maxFields: float
    maxMemory: float
    maxPartHeaderBytes: float


class FormReader(Protocol):
    """Reads a form body that is given to it in pieces.

    Both methods raise `error.Error`: 413 beyond a limit, 400 for what isn't a form or has a part whose
    headers are too long.
    """

    def receive(self, piece: bytes) -> None:
        """Take the next piece of the body."""

    def end(self) -> Form:
        """The body has ended: what it said."""


def formReader(contentType: bytes, limits: FormLimits) -> FormReader | None:
    """A reader for bodies of a type (the value of Content-Type); None if it isn't one that forms have."""
    kind = contentType.partition(b";")[0].strip().lower()
    if kind == b"application/x-www-form-urlencoded":
        return _UrlencodedReader(limits)
    if kind == b"multipart/form-data":
        return _MultipartReader(contentType, limits)
    return None


def readForm(content: BinaryIO, reader: FormReader) -> Form | None:
    """Read a whole body, from its start and leaving it there; None if there is none."""
    content.seek(0)
    try:
        piece = content.read(_PIECE)
        if not piece:
            return None
        while piece:
            reader.receive(piece)
            piece = content.read(_PIECE)
        return reader.end()
    finally:
        content.seek(0)


class _UrlencodedReader:
    def __init__(self, limits: FormLimits) -> None:
        self._limits = limits
        self._pieces: list[bytes] = []
        self._size = 0
        self._separators = 0

    def receive(self, piece: bytes) -> None:
        self._size += len(piece)
        self._separators += piece.count(b"&") + piece.count(b";")
        if self._size > self._limits.maxMemory or self._separators >= self._limits.maxFields:
            raise Error(_TOO_MUCH, "The form is too large.")
        self._pieces.append(piece)

    def end(self) -> Form:
        form = Form()
        form.fields = parse_qs(b"".join(self._pieces), keep_blank_values=True)
        return form


class _MultipartReader:
    def __init__(self, contentType: bytes, limits: FormLimits) -> None:
        # Imported when needed: most programs never see a multipart body.
        import multipart  # type: ignore[import-untyped, unused-ignore]

        self._problems: type[Exception] = multipart.MultipartError
        self._parts = _PartReader(limits)
        _, options = multipart.parse_options_header(contentType.decode("latin-1"))
        with self._answeringProblems():
            self._parser = multipart.PushMultipartParser(
                options.get("boundary", ""),
                max_header_size=limits.maxPartHeaderBytes,
                max_header_count=_HEADERS_PER_PART,
            )

    def receive(self, piece: bytes) -> None:
        if self._parser.closed:
            # What follows the last boundary is nobody's.
            return
        with self._answeringProblems():
            for event in self._parser.parse(piece):
                self._parts.receive(event)

    def end(self) -> Form:
        with self._answeringProblems():
            self._parser.close()
        return self._parts.form

    @contextmanager
    def _answeringProblems(self) -> Iterator[None]:
        try:
            yield
        except self._problems as problem:
            raise Error(_MALFORMED, f"The form can't be read: {problem}") from None


class _PartReader:
    """Collects the events of a multipart parser into a `Form`: a part's head, pieces of its content, None at
    its end."""

    def __init__(self, limits: FormLimits) -> None:
        self.form = Form()
        self._fieldsLeft = limits.maxFields
        self._memoryLeft = limits.maxMemory
        self._maxPartHeaderBytes = limits.maxPartHeaderBytes
        self._name = ""
        self._pieces: list[bytes] = []
        self._upload: UploadedFile | None = None

    def receive(self, event: Any) -> None:
        if event is None:
            self._end()
        elif isinstance(event, bytes | bytearray):
            self._take(bytes(event))
        else:
            self._begin(event)

    def _begin(self, part: Any) -> None:
        self._fieldsLeft -= 1
        if self._fieldsLeft < 0:
            raise Error(_TOO_MUCH, "The form has too many fields.")
        if sum(len(name) + len(value) for name, value in part.headerlist) > self._maxPartHeaderBytes:
            raise Error(_MALFORMED, "A part of the form has too long headers.")
        self._name = part.name or ""
        self._pieces = []
        self._upload = None
        if part.filename is not None:
            # Imported when needed: temporary files come with a good part of the standard library.
            from sennit.web._uploads import UploadContent

            file = UploadContent(max_size=_FILE_IN_MEMORY)
            kind = part.content_type or "application/octet-stream"
            self._upload = UploadedFile(self._name, part.filename, kind, file)

    def _take(self, piece: bytes) -> None:
        if self._upload is not None:
            self._upload.file.write(piece)
            self._upload.size += len(piece)
            return
        self._memoryLeft -= len(piece)
        if self._memoryLeft < 0:
            raise Error(_TOO_MUCH, "The fields of the form are too large.")
        self._pieces.append(piece)

    def _end(self) -> None:
        # A part without a name is no field; Content-Disposition always has one in what browsers send.
        if not self._name:
            return
        if self._upload is not None:
            self._upload.file.seek(0)
            self.form.files.setdefault(self._name, []).append(self._upload)
        else:
            value = b"".join(self._pieces)
            self.form.fields.setdefault(self._name.encode("utf-8"), []).append(value)


def argsOf(form: Form, maxMemory: float) -> dict[bytes, list[bytes]]:
    """All values of a form by name, the content of files among them; `error.Error` 413 above `maxMemory`
    bytes."""
    args = {name: list(values) for name, values in form.fields.items()}
    inFiles = sum(upload.size for uploads in form.files.values() for upload in uploads)
    inFields = sum(len(value) for values in args.values() for value in values)
    if form.files and inFiles + inFields > maxMemory:
        raise Error(_TOO_MUCH, "The files of the form are too large to be held in memory.")
    for name, uploads in form.files.items():
        for upload in uploads:
            args.setdefault(name.encode("utf-8"), []).append(upload.read())
            upload.file.seek(0)
    return args
