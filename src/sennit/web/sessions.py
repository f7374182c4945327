# Interface methods have no `self`, and zope.interface is not typed.
# mypy: disable-error-code="misc,empty-body"
"""Stores of sessions: `Site(root, sessionStore=SQLiteSessionStore("sessions.db"))`.

Without one a site keeps its sessions as objects in memory. A store keeps what is in `session.data`, beyond
the end of the process and for all processes that share the store. Programs may bring their own: whatever
provides `ISessionStore`.
"""

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from zope.interface import Interface, implementer

from sennit.web._sessioncookie import SessionCookie
from sennit.web._sessionrequest import SessionNotLoaded

if TYPE_CHECKING:
    from sennit.web._sessionredis import RedisSessionStore
    from sennit.web._sessionsqlite import SQLiteSessionStore

__all__ = [
    "ISessionStore",
    "MemorySessionStore",
    "RedisSessionStore",
    "SQLiteSessionStore",
    "SessionCookie",
    "SessionNotLoaded",
    "StoredSession",
]


class StoredSession(NamedTuple):
    """A session as a store has it: keys to values as JSON text, and the seconds that it has left."""

    values: dict[str, str]
    secondsLeft: float


class ISessionStore(Interface):
    """Keeps sessions: by an id (bytes, 64 hexadecimal digits), values by their keys, for a time.

    All methods are coroutines and may be called at the same time, in any event loop. They must not hold up
    the loop, and whatever they raise is answered with 503. Times are seconds; a session whose time is over is
    as good as gone. An id is a secret: what is kept should be of no use to those who get to see it.
    """

    async def load(uid: bytes) -> StoredSession | None:
        """The session with an id, None if there is none. Doesn't count its time anew."""

    async def save(uid: bytes, changes: dict[str, str | None], seconds: float, create: bool = False) -> bool:
        """Set the values that are str and remove those that are None, all or nothing; leave others as they
        are. The session has `seconds` from now on. Without `create` a session that is not there is not made;
        then, False."""

    async def touch(uid: bytes, seconds: float) -> bool:
        """Give a session `seconds` from now on; False if there is none."""

    async def rename(old: bytes, new: bytes) -> bool:
        """Give a session a new id; False if there is none with the old one."""

    async def delete(uid: bytes) -> None:
        """Forget a session, if there is one."""

    async def close() -> None:
        """Let go of files and connections. They are opened anew if the store is used again."""


@implementer(ISessionStore)
class MemorySessionStore:
    """Keeps sessions in this process as the other stores do, as JSON: for tests of programs that will have
    one of those."""

    # How many sessions there may be until those are looked for whose time is over.
    _sweepAt = 1000

    def __init__(self) -> None:
        self._sessions: dict[bytes, tuple[dict[str, str], float]] = {}

    async def load(self, uid: bytes) -> StoredSession | None:
        values, end = self._sessions.get(uid, ({}, 0.0))
        left = end - time.monotonic()
        return StoredSession(dict(values), left) if left > 0 else None

    async def save(
        self, uid: bytes, changes: dict[str, str | None], seconds: float, create: bool = False
    ) -> bool:
        found = await self.load(uid)
        if found is None and not create:
            return False
        values = {} if found is None else found.values
        for key, text in changes.items():
            if text is None:
                values.pop(key, None)
            else:
                values[key] = text
        self._sessions[uid] = values, time.monotonic() + seconds
        self._sweep()
        return True

    async def touch(self, uid: bytes, seconds: float) -> bool:
        return await self.save(uid, {}, seconds)

    async def rename(self, old: bytes, new: bytes) -> bool:
        found = await self.load(old)
        if found is not None:
            self._sessions[new] = self._sessions.pop(old)
        return found is not None

    async def delete(self, uid: bytes) -> None:
        self._sessions.pop(uid, None)

    async def close(self) -> None:
        """Nothing has to be let go of: the sessions stay."""

    def _sweep(self) -> None:
        if len(self._sessions) >= self._sweepAt:
            now = time.monotonic()
            self._sessions = {uid: kept for uid, kept in self._sessions.items() if kept[1] > now}
            self._sweepAt = max(type(self)._sweepAt, 2 * len(self._sessions))


def __getattr__(name: str) -> Any:
    # Each loads a database's module, which a program that has the other one can do without.
    if name == "SQLiteSessionStore":
        from sennit.web._sessionsqlite import SQLiteSessionStore

        return SQLiteSessionStore
    if name == "RedisSessionStore":
        from sennit.web._sessionredis import RedisSessionStore

        return RedisSessionStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
