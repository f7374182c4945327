"""What every store of sessions does, each in the same way."""

import asyncio
import hashlib
import os
import sqlite3
import stat
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sennit.web import sessions
from sennit.web.sessions import ISessionStore, MemorySessionStore, RedisSessionStore, SQLiteSessionStore

A, B = b"a" * 64, b"b" * 64

# Runs a test's coroutine with a store, and closes that.
Run = Callable[[Callable[[Any], Awaitable[None]]], None]


@pytest.fixture(params=["memory", "sqlite", "redis"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        store: Any = RedisSessionStore(url, prefix=f"{tmp_path.name}:")
    else:
        store = MemorySessionStore() if request.param == "memory" else SQLiteSessionStore(tmp_path / "s.db")

    def runIt(test: Callable[[Any], Awaitable[None]]) -> None:
        async def main() -> None:
            try:
                await test(store)
            finally:
                await store.close()

        asyncio.run(main())

    return runIt


def test_store_provides_its_interface(run: Run) -> None:
    async def test(store: Any) -> None:
        verifyObject(ISessionStore, store)

    run(test)


def test_store_gives_back_what_was_saved(run: Run) -> None:
    async def test(store: Any) -> None:
        assert await store.save(A, {"": "9", "name": '"\\u00e4"', "ü": "[1,null]"}, 60, create=True)
        values, left = await store.load(A)
        assert values == {"": "9", "name": '"\\u00e4"', "ü": "[1,null]"}
        assert 58 < left <= 60
        assert await store.load(B) is None

    run(test)


def test_store_keeps_a_session_without_values(run: Run) -> None:
    async def test(store: Any) -> None:
        await store.save(A, {"": "9"}, 60, create=True)
        await store.save(A, {"x": "1"}, 60)
        await store.save(A, {"x": None}, 60)
        assert (await store.load(A)).values == {"": "9"}

    run(test)


def test_store_changes_only_the_keys_given(run: Run) -> None:
    async def test(store: Any) -> None:
        await store.save(A, {"": "9", "a": "1", "b": "1"}, 60, create=True)
        assert await store.save(A, {"b": "2", "c": "2", "a": None, "never": None}, 60)
        assert (await store.load(A)).values == {"": "9", "b": "2", "c": "2"}

    run(test)


def test_store_keeps_all_of_many_writes_at_once(run: Run) -> None:
    async def test(store: Any) -> None:
        await store.save(A, {"": "9"}, 60, create=True)
        await asyncio.gather(*(store.save(A, {f"key{i}": f"{i}"}, 60) for i in range(50)))
        values = (await store.load(A)).values
        assert values == {"": "9", **{f"key{i}": f"{i}" for i in range(50)}}

    run(test)


def test_store_does_not_bring_back_what_is_gone(run: Run) -> None:
    async def test(store: Any) -> None:
        await store.save(A, {"": "9", "a": "1"}, 60, create=True)
        await store.delete(A)
        await store.delete(A)
        assert not await store.save(A, {"a": "2"}, 60)
        assert not await store.touch(A, 60)
        assert not await store.rename(A, B)
        assert await store.load(A) is await store.load(B) is None

    run(test)


def test_store_forgets_a_session_in_time(run: Run) -> None:
    async def test(store: Any) -> None:
        await store.save(A, {"": "9", "old": "1"}, 0.05, create=True)
        await asyncio.sleep(0.06)
        assert await store.load(A) is None
        assert not await store.save(A, {"a": "1"}, 60)
        assert not await store.touch(A, 60)
        assert not await store.rename(A, B)
        assert await store.save(A, {"": "9"}, 60, create=True)
        assert (await store.load(A)).values == {"": "9"}

    run(test)


def test_store_counts_anew_when_touched(run: Run) -> None:
    async def test(store: Any) -> None:
        await store.save(A, {"": "9"}, 20, create=True)
        assert await store.touch(A, 60)
        assert (await store.load(A)).secondsLeft > 50

    run(test)


def test_store_renames_with_values_and_time(run: Run) -> None:
    async def test(store: Any) -> None:
        await store.save(A, {"": "9", "a": "1"}, 60, create=True)
        assert await store.rename(A, B)
        assert await store.load(A) is None
        values, left = await store.load(B)
        assert (values, left > 50) == ({"": "9", "a": "1"}, True)
        assert await store.save(B, {"a": "2"}, 60)

    run(test)


def test_store_can_be_used_after_it_was_closed(run: Run) -> None:
    async def test(store: Any) -> None:
        await store.save(A, {"": "9"}, 60, create=True)
        await store.close()
        assert await store.load(A) is not None

    run(test)


def test_memory_store_forgets_the_values_of_what_is_over() -> None:
    async def main() -> None:
        store = MemorySessionStore()
        for number in range(1500):
            await store.save(b"%064d" % number, {"": "1"}, 1e-9, create=True)
        assert len(store._sessions) < 1000

    asyncio.run(main())


def test_sqlite_store_is_for_its_owner_and_holds_no_ids(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def main() -> SQLiteSessionStore:
        store = SQLiteSessionStore(path)
        await store.save(A, {"": "9", "a": "1"}, 60, create=True)
        return store

    store = asyncio.run(main())
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert A not in file.read_bytes()
    asyncio.run(store.close())
    assert hashlib.sha256(A).digest() in path.read_bytes()


def test_sqlite_store_sweeps_what_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        store = SQLiteSessionStore(tmp_path / "s.db", sweepInterval=0)
        await store.save(A, {"": "9", "a": "1"}, 1e-9, create=True)
        await store.save(B, {"": "9"}, 60, create=True)
        count = "SELECT (SELECT COUNT(*) FROM session), (SELECT COUNT(*) FROM session_value)"
        assert await store._inThread(lambda: store._open().execute(count).fetchone()) == (1, 1)
        await store.close()

    asyncio.run(main())


def test_sqlite_store_waits_for_whoever_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def main() -> None:
        # Holds what the first switch to another journal mode needs, and for which SQLite doesn't wait.
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("CREATE TABLE t (a)")
        other.execute("BEGIN EXCLUSIVE")
        hasty, patient = SQLiteSessionStore(path, patience=0.02), SQLiteSessionStore(path, patience=10)
        with pytest.raises(sqlite3.OperationalError):
            await hasty.load(A)
        waiting = asyncio.create_task(patient.save(A, {"": "9"}, 60, create=True))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        other.execute("COMMIT")
        other.close()
        assert await waiting
        await hasty.close()
        await patient.close()

    asyncio.run(main())


def test_sqlite_store_opens_the_file_anew_in_a_child_process(tmp_path: Path) -> None:
    store = SQLiteSessionStore(tmp_path / "s.db")

    async def write(uid: bytes) -> None:
        await store.save(uid, {"": "9"}, 60, create=True)

    asyncio.run(write(A))
    with warnings.catch_warnings():
        # That there are threads which the child won't have is the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            asyncio.run(asyncio.wait_for(write(B), 10))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0

    async def read() -> None:
        assert await store.load(A) is not None
        assert await store.load(B) is not None
        await store.close()

    asyncio.run(read())


def test_module_has_no_other_names() -> None:
    with pytest.raises(AttributeError):
        sessions.MongoSessionStore  # type: ignore[attr-defined]
