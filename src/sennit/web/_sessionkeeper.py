"""Between a site's sessions and the store that keeps them.

In each process, all requests of one visitor that run at the same time share one `Session`. It is read from
the store for each of them, and what they have changed is written back before their responses go out: only the
keys that have changed, so that two requests which change different ones, here or on another machine, don't
undo each other.
"""

import asyncio
import json
import logging
import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from sennit.web.error import Error

if TYPE_CHECKING:
    from sennit.web._session import Session
    from sennit.web.server import Site

_log = logging.getLogger("sennit.web")

# What ids look like; a store is not asked for anything else.
_UID = re.compile(rb"[0-9a-f]{64}")

# The key under which a session's time is kept: empty, so that none of the program's is the same.
_LIFETIME = ""

# The store keeps a session for this much longer than its time. So not every visit must be written, and it
# never ends too early all the same.
_MARGIN = 0.01

# Seconds after which to ask again whether a session has ended, if the store could not tell.
_ASK_AGAIN = 30.0


class SessionKeeper:
    """Reads the sessions of one site from its store, and writes them there."""

    def __init__(self, site: "Site", store: Any) -> None:
        self.site = site
        self.store = store
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, uid: bytes) -> "Session | None":
        """The session with an id, as it is in the store now; None if there is none."""
        if _UID.fullmatch(uid) is None:
            return None
        found = await self.ask(self.store.load(uid))
        session: Session | None = self.site.sessions.get(uid)
        if found is None:
            if session is not None and self.holdingOf(session).isStored:
                self.holdingOf(session).lost()
            return None
        if session is None:
            session = self.site.sessions[uid] = self.site.sessionFactory(self.site, uid)
            session._holding = Holding(self, session, uid)
        self.holdingOf(session).refresh(*found)
        return session

    def adopt(self, session: "Session") -> None:
        """Take a new session in, which is not in the store yet."""
        session._holding = Holding(self, session, None)

    @staticmethod
    def holdingOf(session: "Session") -> "Holding":
        """How a session of this site is kept."""
        assert session._holding is not None
        return session._holding

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside the requests; what goes wrong is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        # An `Error` has been logged by `ask`.
        if error is not None and not isinstance(error, Error):
            _log.error("A session could not be written to its store", exc_info=error)

    async def settled(self) -> None:
        """Wait until all that was started is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def ask(self, question: Coroutine[Any, Any, Any]) -> Any:
        """What the store answers; where it fails, that is logged, and `Error` (503) raised."""
        try:
            return await question
        except Exception as error:
            _log.error("The session store does not answer: %s: %s", type(error).__name__, error)
            raise Error(503, "Sessions are not available at the moment.") from error


class Holding:
    """How one session is kept in the store: what is known to be there, and who needs the session here."""

    def __init__(self, keeper: SessionKeeper, session: "Session", storedAs: bytes | None) -> None:
        self._keeper = keeper
        self._session = session
        # The id in the store, which is not the session's own between a renewal and the next save.
        self._storedAs = storedAs
        # The values in the store, as JSON.
        self._known: dict[str, str] = {}
        # When the store last began to count the session's time anew, by the loop's clock.
        self._countedFrom = 0.0
        self._ended = False
        self._removal: asyncio.Task[None] | None = None
        self._users = 0
        self._writing = asyncio.Lock()

    @property
    def isStored(self) -> bool:
        """Whether the session has been written to the store."""
        return self._storedAs is not None

    @property
    def isClean(self) -> bool:
        """Whether the store has all that the session has. Raises TypeError for what can't be kept."""
        if self._ended:
            return self._removal is None or self._removal.done()
        return self._storedAs == self._session.uid and not self._changes()

    def acquire(self) -> None:
        """A request begins to use the session."""
        self._users += 1

    def release(self) -> None:
        """A request has ended. What it has changed since its response began is written now."""
        self._users -= 1
        if self._users or self._ended:
            return
        try:
            isClean = self.isClean
        except TypeError:
            isClean = False
        if isClean:
            self._letGo()
        else:
            self._keeper.start(self._writeAndLetGo())

    def refresh(self, values: dict[str, str], secondsLeft: float) -> None:
        """Take what the store has; what was changed here and is not written yet stays as it is."""
        data, changed = self._session.data, self._changes() if self._known else {}
        for key in self._known.keys() - values.keys() - changed.keys():
            data.pop(key, None)
        for key, text in values.items():
            if key in changed or self._known.get(key) == text:
                continue
            if key == _LIFETIME:
                self._session.sessionTimeout = json.loads(text)
            else:
                data[key] = json.loads(text)
        self._known = values
        self._countedFrom = _now() - self._seconds + secondsLeft

    def touched(self) -> None:
        """The visitor is here: let the store count anew, if that makes a difference."""
        margin = self._session.sessionTimeout * _MARGIN
        if self.isStored and not self._ended and _now() - self._countedFrom > margin:
            self._countedFrom = _now()
            self._keeper.start(self._touch())

    async def save(self) -> None:
        """Write what has changed. Raises TypeError for what can't be kept, and `Error` (503) if the store
        fails."""
        if self._removal is not None:
            await asyncio.shield(self._removal)
        async with self._writing:
            if not self._ended:
                await self._write()

    def remove(self) -> None:
        """The session has been ended here: the store is to forget it."""
        self._ended = True
        if self._storedAs is not None:
            self._removal = self._keeper.start(self._remove(self._storedAs))

    def lost(self) -> None:
        """The store has it no more: it has expired, or was ended in another process."""
        if not self._ended:
            self._ended = True
            self._leaveSite()
            self._session._end()

    def revert(self) -> None:
        """What has changed could not be written, and the client is told so: forget it."""
        session = self._session
        if self._ended or self._storedAs is None:
            self._ended = True
            self._leaveSite()
            return
        if session.uid != self._storedAs:
            self._leaveSite()
            session.uid = self._storedAs
            session.site.sessions[session.uid] = session
        values = {key: json.loads(text) for key, text in self._known.items()}
        session.sessionTimeout = values.pop(_LIFETIME)
        session.data.clear()
        session.data.update(values)

    def checkExpiration(self) -> None:
        """Its time is over as far as this process knows: ask the store."""
        self._keeper.start(self._checkExpiration())

    def _texts(self) -> dict[str, str]:
        texts = {key: _toJSON(key, value) for key, value in self._session.data.items()}
        texts[_LIFETIME] = json.dumps(self._session.sessionTimeout)
        return texts

    def _changes(self) -> dict[str, str | None]:
        """Keys to the values that the store has otherwise or not at all; None for what it has too much."""
        texts, known = self._texts(), self._known
        changes: dict[str, str | None] = {key: text for key, text in texts.items() if known.get(key) != text}
        changes.update(dict.fromkeys(known.keys() - texts.keys()))
        return changes

    @property
    def _seconds(self) -> float:
        return self._session.sessionTimeout * (1 + _MARGIN)

    async def _write(self) -> None:
        ask, store, uid = self._keeper.ask, self._keeper.store, self._session.uid
        changes = self._changes()
        if self._storedAs not in (None, uid):
            renamed = await ask(store.rename(self._storedAs, uid))
            self._storedAs = uid if renamed else None
            if not renamed:
                # It has expired meanwhile. Whoever renews it means it to be there.
                self._known, changes = {}, dict(self._texts())
        if self._storedAs is None:
            await ask(store.save(uid, changes, self._seconds, create=True))
            self._storedAs = uid
        elif changes and not await ask(store.save(uid, changes, self._seconds)):
            self.lost()
        if not changes or self._ended:
            return
        self._countedFrom = _now()
        for key, text in changes.items():
            if text is None:
                self._known.pop(key, None)
            else:
                self._known[key] = text

    async def _touch(self) -> None:
        async with self._writing:
            uid = self._storedAs
            if uid is not None and not self._ended:
                found = await self._keeper.ask(self._keeper.store.touch(uid, self._seconds))
                if not found:
                    self.lost()

    async def _remove(self, uid: bytes) -> None:
        async with self._writing:
            await self._keeper.ask(self._keeper.store.delete(uid))

    async def _writeAndLetGo(self) -> None:
        try:
            await self.save()
        finally:
            self._letGo()

    def _letGo(self) -> None:
        # One with callbacks stays until it has expired.
        if not self._users and not self._session.expireCallbacks:
            self._leaveSite()

    def _leaveSite(self) -> None:
        sessions = self._session.site.sessions
        if sessions.get(self._session.uid) is self._session:
            del sessions[self._session.uid]

    async def _checkExpiration(self) -> None:
        uid, left = self._storedAs, None
        try:
            found = None if uid is None else await self._keeper.ask(self._keeper.store.load(uid))
            left = None if found is None else found.secondsLeft
        except Error:
            left = _ASK_AGAIN
        if self._ended or uid != self._storedAs:
            return
        if left is None:
            self.lost()
        else:
            self._session._checkAgain(left)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _toJSON(key: object, value: object) -> str:
    if not isinstance(key, str) or not key:
        raise TypeError(f"a key of session.data must be a str that is not empty, not {key!r}")
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"session.data[{key!r}] can't be kept, since JSON can't hold it: {error}") from error
