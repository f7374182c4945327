"""A body read while it arrives: the SHA-256 of an upload of any size, in constant memory.

Run it with `python examples/streamed_upload.py [PORT]`, and then
`curl --upload-file BIG http://localhost:8880/sha256`.
"""

import hashlib
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site


class Sha256(Resource):
    streamsBody = True  # render_PUT is called as soon as the headers are here
    maxBody = 2 * 1024**3  # bytes; a longer body is refused with 413

    async def render_PUT(self, request):
        digest = hashlib.sha256()
        async for chunk in request.stream():
            digest.update(chunk)
        request.setHeader("Content-Type", "text/plain")
        return digest.hexdigest() + "\n"


root = Resource()
root.putChild("sha256", Sha256())
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
