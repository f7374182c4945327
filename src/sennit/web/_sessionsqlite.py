"""Sessions in an SQLite database: they survive restarts, and all processes of a machine share them."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from typing import TypeVar

from zope.interface import implementer

from sennit.web.sessions import ISessionStore, StoredSession

_T = TypeVar("_T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
    id BLOB PRIMARY KEY,
    ends REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_ends ON session (ends);
CREATE TABLE IF NOT EXISTS session_value (
    id BLOB NOT NULL REFERENCES session (id) ON UPDATE CASCADE ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (id, key)
) WITHOUT ROWID;
"""


@implementer(ISessionStore)
class SQLiteSessionStore:
    """Keeps sessions in the database file `path`, which is made if it isn't there, readable for its owner
    only.

    `patience` is how many seconds to wait for other processes that write. `sweepInterval`: every so many
    seconds, sessions whose time is over are removed.

    The file must be on a disk of this machine. Everything is done in a thread of the store's own: a disk that
    is slow holds up those who wait for their sessions, and nobody else.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, patience: float = 5.0, sweepInterval: float = 60.0
    ) -> None:
        self.path = os.path.abspath(path)
        self.patience = patience
        self.sweepInterval = sweepInterval
        self._thread: ThreadPoolExecutor | None = None
        self._process = 0
        self._connection: sqlite3.Connection | None = None
        self._swept = 0.0

    async def load(self, uid: bytes) -> StoredSession | None:
        return await self._inThread(lambda: self._load(_keyOf(uid)))

    async def save(
        self, uid: bytes, changes: dict[str, str | None], seconds: float, create: bool = False
    ) -> bool:
        return await self._inThread(lambda: self._save(_keyOf(uid), changes, seconds, create))

    async def touch(self, uid: bytes, seconds: float) -> bool:
        return await self._inThread(lambda: self._save(_keyOf(uid), {}, seconds, False))

    async def rename(self, old: bytes, new: bytes) -> bool:
        return await self._inThread(lambda: self._rename(_keyOf(old), _keyOf(new)))

    async def delete(self, uid: bytes) -> None:
        await self._inThread(lambda: self._delete(_keyOf(uid)))

    async def close(self) -> None:
        """Close the file and end the thread."""
        if self._thread is not None and self._process == os.getpid():
            await self._inThread(self._closeConnection)
            self._thread.shutdown()
        self._thread = None

    async def _inThread(self, work: Callable[[], _T]) -> _T:
        if self._thread is None or self._process != os.getpid():
            # A thread doesn't come along into a child process, and a connection must not.
            self._thread = ThreadPoolExecutor(1, "sennit-sessions")
            self._process = os.getpid()
            self._connection = None
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # All that follows runs in the thread.

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            # What a database writes beside its file gets the permissions of the file.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        deadline = time.monotonic() + self.patience
        while True:
            connection = sqlite3.connect(self.path, timeout=self.patience, isolation_level=None)
            try:
                # Readers and a writer don't wait for each other; what a power cut takes is the last moments.
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.executescript(_SCHEMA)
                return connection
            except BaseException as error:
                connection.close()
                # Of several processes that make the file at the same time, SQLite refuses some at once.
                if not _isLocked(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _closeConnection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _load(self, key: bytes) -> StoredSession | None:
        connection, now = self._open(), time.time()
        with closing(
            connection.execute(
                "SELECT ends, key, value FROM session LEFT JOIN session_value USING (id)"
                " WHERE id = ? AND ends > ?",
                (key, now),
            )
        ) as rows:
            found = rows.fetchall()
        if not found:
            return None
        return StoredSession({name: text for _, name, text in found if name is not None}, found[0][0] - now)

    def _save(self, key: bytes, changes: dict[str, str | None], seconds: float, create: bool) -> bool:
        now = time.time()
        with _Transaction(self._open()) as connection:
            updated = connection.execute(
                "UPDATE session SET ends = ? WHERE id = ? AND ends > ?", (now + seconds, key, now)
            )
            if updated.rowcount == 0:
                if not create:
                    return False
                connection.execute(
                    "INSERT OR REPLACE INTO session (id, ends) VALUES (?, ?)", (key, now + seconds)
                )
            connection.executemany(
                "INSERT OR REPLACE INTO session_value (id, key, value) VALUES (?, ?, ?)",
                [(key, name, text) for name, text in changes.items() if text is not None],
            )
            connection.executemany(
                "DELETE FROM session_value WHERE id = ? AND key = ?",
                [(key, name) for name, text in changes.items() if text is None],
            )
            if now - self._swept >= self.sweepInterval:
                connection.execute("DELETE FROM session WHERE ends <= ?", (now,))
                self._swept = now
        return True

    def _rename(self, old: bytes, new: bytes) -> bool:
        with _Transaction(self._open()) as connection:
            renamed = connection.execute(
                "UPDATE session SET id = ? WHERE id = ? AND ends > ?", (new, old, time.time())
            )
            return renamed.rowcount > 0

    def _delete(self, key: bytes) -> None:
        with _Transaction(self._open()) as connection:
            connection.execute("DELETE FROM session WHERE id = ?", (key,))


class _Transaction:
    """Takes the right to write at once: one that began by reading could not wait for it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _keyOf(uid: bytes) -> bytes:
    # A copy of the database gives nobody's session away.
    return sha256(uid).digest()


def _isLocked(error: BaseException) -> bool:
    # The lower eight bits are the primary code.
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )
