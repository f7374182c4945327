"""Two sites in a program that has an event loop already; they start and stop when it says so.

Run it with `python examples/inside_asyncio.py`.
"""

import asyncio
import signal

from sennit.web.resource import Resource
from sennit.web.server import Site


class Counter(Resource):
    isLeaf = True

    def __init__(self):
        super().__init__()
        self.visits = 0

    def render_GET(self, request):
        self.visits += 1
        return f"{self.visits}\n"


async def main():
    counter = Counter()
    stop = asyncio.Event()
    for number in signal.SIGINT, signal.SIGTERM:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async with Site(counter).start() as public, Site(counter).start() as private:
        for port in public, private:
            print(f"http://127.0.0.1:{port.getHost().port}/", flush=True)
        await stop.wait()


asyncio.run(main())
