"""The page that lists a directory."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sennit.web._parsing import quote, unquote
from sennit.web._static_names import look
from sennit.web._static_types import getTypeAndEncoding, loadMimeTypes
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.server import Request

_UNITS = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))

# What the list can be sorted by, with the heading of the column, and whether the largest comes first at the
# first click.
_COLUMNS = (
    ("name", "Name", False),
    ("size", "Size", True),
    ("date", "Modified", True),
    ("type", "Type", False),
)

_STYLE = """\
:root { color-scheme: light dark; --ink: #1d2026; --dim: #6a7080; --line: #e3e5ea; --back: #fff; \
--hover: #f3f5f9; --link: #1557c0 }
@media (prefers-color-scheme: dark) {
:root { --ink: #e4e6eb; --dim: #9aa1b0; --line: #31353f; --back: #16181d; --hover: #20242c; --link: #8ab4f8 }
}
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--back); color: var(--ink);
font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse }
th, td { padding: .35rem .6rem; text-align: left; border-bottom: 1px solid var(--line) }
th { font-weight: 600; white-space: nowrap }
th a { color: inherit }
td { color: var(--dim); white-space: nowrap; font-variant-numeric: tabular-nums }
td.name { width: 100%; white-space: normal; overflow-wrap: anywhere }
td.size, th.size { text-align: right }
tbody tr:hover { background: var(--hover) }
a { color: var(--link); text-decoration: none }
a:hover, a:focus { text-decoration: underline }
@media (max-width: 40rem) { .type, .date { display: none } }
"""


def formatFileSize(size: int) -> str:
    """A number of bytes in short form, rounded down: `1023B`, `1K`, `4G`."""
    for unit, letter in _UNITS:
        if size >= unit:
            return f"{size // unit}{letter}"
    return f"{size}B"


class _Entry:
    """One name in a directory."""

    def __init__(
        self, name: str, info: os.stat_result, describe: Callable[[str], tuple[str, str | None]]
    ) -> None:
        self.name = name
        self.isDirectory = stat.S_ISDIR(info.st_mode)
        self.size = 0 if self.isDirectory else info.st_size
        self.modified = info.st_mtime
        self.type, self.encoding = ("Directory", None) if self.isDirectory else describe(name)

    def sortKey(self, column: str) -> Any:
        """What it is sorted by; the name decides where all else is equal."""
        first: Any = {"size": self.size, "date": self.modified, "type": self.type}.get(column, 0)
        return first, self.name.casefold(), self.name


class DirectoryLister(Resource):
    """Lists a directory: names, sizes, dates and types, directories first, sorted as the client clicks.

    A subclass or instance may set `template` (a %-format with `header`, `style`, `columns` and
    `tableContent`) and `linePattern` (with `class`, `href`, `text`, `size`, `bytes`, `date`, `moment`, `type`
    and `encoding`). What goes in is escaped.
    """

    template = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(header)s</title>
<style>
%(style)s</style>
</head>
<body>
<h1>%(header)s</h1>
<table>
<thead>
<tr>%(columns)s</tr>
</thead>
<tbody>
%(tableContent)s
</tbody>
</table>
</body>
</html>
"""

    linePattern = """<tr class="%(class)s">
<td class="name"><a href="%(href)s">%(text)s</a></td>
<td class="size" title="%(bytes)s">%(size)s</td>
<td class="date"><time datetime="%(moment)s">%(date)s</time></td>
<td class="type">%(type)s %(encoding)s</td>
</tr>"""

    # Whether there is a line that leads to the directory above.
    linksToParent = False
    # Directories that links must not lead out of; None: they may lead anywhere.
    confinedTo: str | None = None

    def __init__(
        self,
        pathname: str,
        dirs: Iterable[str] | None = None,
        contentTypes: Mapping[str, str] | None = None,
        contentEncodings: Mapping[str, str] | None = None,
        defaultType: str = "text/html",
    ) -> None:
        """`pathname` is the directory, `dirs` the names to list instead of all that it has. The others say
        what the files are, as the attributes of `File` do."""
        super().__init__()
        self.contentTypes = loadMimeTypes() if contentTypes is None else contentTypes
        self.contentEncodings = (
            {".gz": "gzip", ".bz2": "bzip2"} if contentEncodings is None else contentEncodings
        )
        self.dirs = dirs
        self.path = pathname
        self.defaultType = defaultType

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.path!r}>"

    def render_GET(self, request: "Request") -> bytes:
        """Answer with the page. `?sort=` is name, size, date or type; `&order=desc` turns it round."""
        from html import escape

        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        # Nothing but its own style: not even a name that gets through as a script would run.
        request.setHeader(b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        column, descending = _wantedOrder(request)
        rows = self._rows(self._sorted(column, descending))
        lines = [
            self.linePattern % {**row, "class": "even" if number % 2 else "odd"}
            for number, row in enumerate(rows)
        ]
        shown = unquote(request.path).decode("utf-8", "replace")
        page = self.template % {
            "header": escape(f"Directory listing for {shown}"),
            "style": _STYLE,
            "columns": "".join(_heading(name, column, descending) for name in _COLUMNS),
            "tableContent": "\n".join(lines),
        }
        return page.encode("utf-8", "replace")

    def _describe(self, name: str) -> tuple[str, str | None]:
        return getTypeAndEncoding(name, self.contentTypes, self.contentEncodings, self.defaultType)

    def _sorted(self, column: str, descending: bool) -> list[_Entry]:
        names = os.listdir(self.path) if self.dirs is None else self.dirs
        entries = []
        for name in names:
            info = self._infoOf(name)
            if info is not None:
                entries.append(_Entry(name, info, self._describe))
        entries.sort(key=lambda entry: entry.sortKey(column), reverse=descending)
        entries.sort(key=lambda entry: not entry.isDirectory)
        return entries

    def _infoOf(self, name: str) -> os.stat_result | None:
        """What is there, if it can be asked for: a name that isn't UTF-8 can't."""
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            return None
        return look(os.path.join(self.path, name), self.confinedTo)

    def _rows(self, entries: list[_Entry]) -> Iterable[dict[str, str]]:
        from html import escape

        if self.linksToParent:
            up = dict.fromkeys(("bytes", "size", "moment", "date", "encoding"), "")
            yield up | {"href": "../", "text": "../", "type": "[Parent directory]"}
        for entry in entries:
            slash = "/" if entry.isDirectory else ""
            moment = time.gmtime(entry.modified)
            yield {
                "href": quote(entry.name.encode("utf-8")).decode("ascii") + slash,
                "text": escape(entry.name) + slash,
                "size": "" if entry.isDirectory else formatFileSize(entry.size),
                "bytes": "" if entry.isDirectory else f"{entry.size} bytes",
                "moment": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
                "date": time.strftime("%Y-%m-%d %H:%M", moment),
                "type": f"[{escape(entry.type)}]",
                "encoding": f"[{escape(entry.encoding)}]" if entry.encoding else "",
            }


def _wantedOrder(request: "Request") -> tuple[str, bool]:
    names = {name for name, _, _ in _COLUMNS}
    column = request.args.get(b"sort", [b""])[0].decode("latin-1")
    descending = request.args.get(b"order", [b""])[0] == b"desc"
    return (column, descending) if column in names else ("name", False)


def _heading(column: tuple[str, str, bool], sortedBy: str, descending: bool) -> str:
    name, title, largestFirst = column
    isCurrent = name == sortedBy
    turns = not descending if isCurrent else largestFirst
    state = f' aria-sort="{"descending" if descending else "ascending"}"' if isCurrent else ""
    arrow = (" ▾" if descending else " ▴") if isCurrent else ""
    href = f"?sort={name}&amp;order={'desc' if turns else 'asc'}"
    return f'<th class="{name}"{state}><a href="{href}">{title}{arrow}</a></th>'
