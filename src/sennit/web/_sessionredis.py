"""Sessions in Redis (or Valkey): for programs on many machines."""

import asyncio
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from zope.interface import implementer

from sennit.web.sessions import ISessionStore, StoredSession

# KEYS: the session. ARGV: whether to make one, milliseconds, how many names and values to set, these, names
# to remove. In one step, so that a session which ends meanwhile does not come back with half of its values.
_SAVE = """
if ARGV[1] == '0' and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local last = 3 + 2 * tonumber(ARGV[3])
for i = 4, last, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = last + 1, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

# KEYS: the old and the new name.
_RENAME = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
return 1
"""


@implementer(ISessionStore)
class RedisSessionStore:
    """Keeps sessions in the Redis server at `url` (`redis://host:6379/0`, `rediss://` for TLS,
    `unix://path`).

    Each is a hash under `prefix` and a digest of its id, which Redis removes when its time is over. `timeout`
    is how many seconds to wait for the server. Other keyword arguments go to `redis.asyncio.Redis.from_url`.

    It needs the package `redis` (the extra `sennit[redis]`), and is for one server with or without replicas:
    scripts that rename a session would need both names in one place of a cluster.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        prefix: str = "sennit:session:",
        timeout: float = 5.0,
        **options: Any,
    ) -> None:
        # Missing packages are missed here, and not at the first visitor.
        import redis.asyncio

        self.url = url
        self.prefix = prefix.encode("utf-8")
        self._options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, **options}
        self._connect = redis.asyncio.Redis.from_url
        # Connections belong to the loop that they were made in.
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    async def load(self, uid: bytes) -> StoredSession | None:
        key = self._keyOf(uid)
        async with self._client().pipeline(transaction=True) as pipeline:
            pipeline.hgetall(key)
            pipeline.pttl(key)
            fields, milliseconds = await pipeline.execute()
        if not fields or milliseconds <= 0:
            return None
        values = {name.decode("utf-8"): text.decode("utf-8") for name, text in fields.items()}
        return StoredSession(values, milliseconds / 1000)

    async def save(
        self, uid: bytes, changes: dict[str, str | None], seconds: float, create: bool = False
    ) -> bool:
        kept = [part for name, text in changes.items() if text is not None for part in (name, text)]
        removed = [name for name, text in changes.items() if text is None]
        saved = await self._client().eval(
            _SAVE,
            1,
            self._keyOf(uid),
            int(create),
            _milliseconds(seconds),
            len(kept) // 2,
            *kept,
            *removed,
        )
        return bool(saved)

    async def touch(self, uid: bytes, seconds: float) -> bool:
        return bool(await self._client().pexpire(self._keyOf(uid), _milliseconds(seconds)))

    async def rename(self, old: bytes, new: bytes) -> bool:
        return bool(await self._client().eval(_RENAME, 2, self._keyOf(old), self._keyOf(new)))

    async def delete(self, uid: bytes) -> None:
        await self._client().delete(self._keyOf(uid))

    async def close(self) -> None:
        """Close the connections of the running loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> Any:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._connect(self.url, **self._options)
        return client

    def _keyOf(self, uid: bytes) -> bytes:
        # Whoever sees the database has nobody's session by that.
        return self.prefix + sha256(uid).hexdigest().encode("ascii")


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
