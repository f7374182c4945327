"""A tree of pages planted once: `/`, `/fruit`, `/fruit/apple` and `/fruit/pear`, and files below `/src`.

Run it with `python examples/static_dispatch.py [PORT]`.
"""

import sys
from pathlib import Path

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.static import Data, File


def page(text):
    return Data(f"{text}\n", "text/plain; charset=utf-8")


fruit = page("All the fruit: apple, pear")
fruit.putChild("apple", page("An apple"))
fruit.putChild("pear", page("A pear"))

root = Resource()
root.putChild("", page("The front page"))
root.putChild("fruit", fruit)
root.putChild("src", File(Path(__file__).parent))

port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(root))
reactor.run()
