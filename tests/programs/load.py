"""A load of keep-alive connections that takes note of each request without an answer."""

import asyncio
import threading
from collections import Counter
from types import TracebackType
from typing import Self

REQUEST = b"GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Load:
    """`connections` clients, each asking for `/pid` over and over until the `with` block is left.

    `answers` counts the answers by what they said, the id of the process. `failures` has, for each request
    without an answer, the process that had the connection: "refused" if none did, "unknown" if it hadn't
    answered before.
    """

    def __init__(self, port: int, connections: int = 64) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._port = port
        self._connections = connections
        self._ended = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self._connections)))

    async def _client(self) -> None:
        while not self._ended:
            holder = "unknown"
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                self.failures.append("refused")
                await asyncio.sleep(0.01)
                continue
            try:
                keeps = True
                while keeps and not self._ended:
                    writer.write(REQUEST)
                    holder, keeps = await _answer(reader)
                    self.answers[holder] += 1
                    # A browser takes a moment, too; this leaves the machine to the servers.
                    await asyncio.sleep(0.005)
            except (OSError, EOFError):
                self.failures.append(holder)
            finally:
                writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[str, bool]:
    """The body of a response, and whether the connection goes on; EOFError if it isn't all there."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head
    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    return body.decode(), b"connection: close" not in head
