"""Files of a directory: `GET /static_content.py` is this program, `GET /` a list of what there is.

Run it with `python examples/static_content.py [PORT [DIRECTORY]]`; without a directory it serves its own.
"""

import sys
from pathlib import Path

from sennit.internet import reactor
from sennit.web.server import Site
from sennit.web.static import File

port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
directory = sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parent
reactor.listenTCP(port, Site(File(directory)))
reactor.run()
