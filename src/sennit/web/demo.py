"""A page to see that a server works."""

from typing import TYPE_CHECKING

from sennit.web.resource import Resource

if TYPE_CHECKING:
    from sennit.web.server import Request

__all__ = ["Test"]

_PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Sennit works</title></head>
<body>
<h1>Sennit works</h1>
<p>This page comes from <code>sennit.web.demo.Test</code>: the server was given nothing else to serve.</p>
</body>
</html>
"""


class Test(Resource):
    """Answers every path with one small page."""

    isLeaf = True
    # It isn't a test case, whatever its name.
    __test__ = False

    def render_GET(self, request: "Request") -> bytes:
        """The page."""
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        return _PAGE
