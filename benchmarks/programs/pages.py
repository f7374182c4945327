"""What the programs of all servers answer with, so that each scenario is the same work everywhere."""

HELLO = b"Hello, world!"
PAGE = b"Please swipe your credit card."
"""The body of the seed's 402 page."""

NOT_FOUND = b"<html><head><title>404 - No Such Resource</title></head><body><p>Sorry.</p></body></html>"
"""A 404 page for servers that have none of their own; any body is accepted in scenario `missing`."""

CHUNK_COUNT = 64
CHUNK_BYTES = 1024
CHUNKS = tuple((b"%02d" % number).ljust(CHUNK_BYTES, b".") for number in range(CHUNK_COUNT))
"""Scenario `stream`: 64 chunks of 1 KiB, each handed to the server by itself."""

BLOCK = b"\0" * 65536
TRANSFER_BYTES = 1 << 30
BLOCK_COUNT = TRANSFER_BYTES // len(BLOCK)
"""Scenarios `upload` and `download`: 1 GiB, in the second handed over in blocks of 64 KiB."""

HELLO = b"Hello, world!"
SLEEP_SECONDS = 0.01
"""Scenarios `asgi` and `asgi-sleep10ms`."""
