"""Where the content of uploaded files is kept."""

import tempfile


class UploadContent(tempfile.SpooledTemporaryFile[bytes]):
    """A file in memory or on disk that is closed, and gone, when nobody holds it any more."""

    def __del__(self) -> None:
        self.close()
