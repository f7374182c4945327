"""Files that are programs: `examples/scripts` served so that its `.rpy` and `.epy` files are run.

Run it with `python examples/rpy_scripts.py [PORT]`; `sennit web --path examples/scripts` does the same.
"""

import sys
from pathlib import Path

from sennit.internet import reactor
from sennit.web.script import PythonScript, ResourceScript
from sennit.web.server import Site
from sennit.web.static import File

root = File(Path(__file__).parent / "scripts")
root.processors = {".rpy": ResourceScript, ".epy": PythonScript}
root.ignoreExt(".rpy")  # /hello finds hello.rpy

port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
