"""The pages of a machine's users: `/ada/` is what lies in `public_html` of ada's home.

What Twisted has beside this, resources of other processes over Perspective Broker, is not here: a reverse
proxy to a UNIX socket does the same in plain HTTP.
"""

import os
import pwd
from html import escape
from typing import TYPE_CHECKING, Any

from sennit.web._parsing import quote
from sennit.web.pages import notFound
from sennit.web.resource import Resource
from sennit.web.static import File

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = ["UserDirectory"]

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Users</title></head>
<body>
<h1>Users</h1>
<ul>
{lines}</ul>
</body>
</html>
"""


class UserDirectory(Resource):
    """A list of the users who have pages, and below it the pages of each.

    `userDatabase` is asked with `getpwnam(name)` and `getpwall()`, as the module `pwd`, which it is by
    default.
    """

    # The directory in a home that is served.
    userDirName = "public_html"

    def __init__(self, userDatabase: Any = None) -> None:
        super().__init__()
        self._users = pwd if userDatabase is None else userDatabase

    def getChild(self, path: bytes | str, request: "Request") -> Any:
        """The pages of the user `path`; the list itself for an empty one."""
        try:
            name = path.decode("utf-8") if isinstance(path, bytes) else path
            if not name:
                return self
            # An entry is a tuple: name, password, user, group, gecos, home, shell.
            home = self._users.getpwnam(name)[5]
        except (UnicodeDecodeError, KeyError, ValueError):
            return notFound()
        pages = os.path.join(home, self.userDirName)
        return File(pages) if os.path.isdir(pages) else notFound()

    def render_GET(self, request: "Request") -> str:
        """The list."""
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        lines = []
        for entry in sorted(self._users.getpwall()):
            name, _, _, _, gecos, home, _ = entry
            if os.path.isdir(os.path.join(home, self.userDirName)):
                link = quote(name.encode("utf-8")).decode("ascii")
                fullName = gecos.partition(",")[0] or name
                lines.append(f'<li><a href="{link}/">{escape(fullName)}</a></li>\n')
        return _PAGE.format(lines="".join(lines))
