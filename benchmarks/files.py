"""The files of the static scenarios, the same for all servers."""

from benchmarks.paths import BUILD

FOLDER = BUILD / "files"
"""What every server serves under /static/."""

_KIB = b"0123456789abcdef" * 64

SIZES: dict[str, int] = {"1k.html": 1, "64k.html": 64, "1m.html": 1024}
"""File names and their sizes in KiB."""


def content(name: str) -> bytes:
    """Return what is in the file called `name`; KeyError if there is none."""
    return _KIB * SIZES[name]


def prepare() -> None:
    """Write the files that aren't there yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        path = FOLDER / name
        if not path.exists() or path.stat().st_size != size * len(_KIB):
            path.write_bytes(content(name))
