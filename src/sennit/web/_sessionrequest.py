"""What a request has to do with sessions: finding the visitor's, and seeing that it is written before the
response goes out."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sennit import _engine
from sennit.python.components import Componentized
from sennit.web import http
from sennit.web._parsing import quote
from sennit.web._session import Session

if TYPE_CHECKING:
    from sennit.web._sessionkeeper import Holding


class SessionNotLoaded(RuntimeError):
    """`getSession` was called for a session that is in a store and has not been read from there."""


class SessionRequest(http.Request, Componentized):
    """The part of `server.Request` that deals with sessions."""

    _session: Session | None = None
    _plainSession: Session | None = None
    # What was found in the store, by the name of the cookie.
    _loadedSessions: dict[bytes, Session | None] | None = None
    # The sessions in a store that this request uses.
    _holdings: "list[Holding] | None" = None
    # What the program has done with the response while its session was being written.
    _outbox: list[Callable[[], object]] | None = None

    @property
    def session(self) -> Session | None:
        """The session that this request has asked for, None if it has not."""
        return self._session if self._session is not None else self._plainSession

    def getSession(self, sessionInterface: Any = None, forceNotSecure: bool = False) -> Any:
        """The visitor's session, made if there is none, and kept alive by this; with an interface, its
        component for that.

        Over TLS it is another one than over plain HTTP; `forceNotSecure` asks for the plain one. A new
        session's cookie goes with the response, so the session must be asked for before the first `write`.
        Raises SessionNotLoaded where the site has a store, doesn't preload sessions, and `loadSession` was
        not awaited.
        """
        secure = self.isSecure() and not forceNotSecure
        session = self._session if secure else self._plainSession
        if session is None or self.site.sessions.get(session.uid) is not session:
            session = self._sessionOfCookie(secure) or self._newSession(secure)
        if secure:
            self._session = session
        else:
            self._plainSession = session
        session.touch()
        if session._holding is not None:
            session._holding.touched()
            self._gated = True
        return session if sessionInterface is None else session.getComponent(sessionInterface)

    async def loadSession(self, sessionInterface: Any = None, forceNotSecure: bool = False) -> Any:
        """As `getSession`, reading the session from the site's store first if that has not been done: of use
        where `Site.preloadSessions` is false. Raises `error.Error` (503) if the store fails."""
        await self._loadSessions([self._sessionCookieName(self.isSecure() and not forceNotSecure)])
        return self.getSession(sessionInterface, forceNotSecure)

    def renewSession(self) -> Session:
        """Give the visitor's session a new id: to be done when someone logs in, so that an id that was
        planted before is worth nothing."""
        session: Session = self.getSession()
        self.site.renameSession(session)
        self._sendSessionCookie(session, session is self._session)
        return session

    # Finding it

    def _sessionCookieName(self, secure: bool) -> bytes:
        parts = [b"TWISTED_SECURE_SESSION" if secure else b"TWISTED_SESSION"]
        # A name is a token, and segments can be anything.
        parts += [quote(segment) for segment in self.sitepath]
        return b"_".join(parts)

    def _sessionOfCookie(self, secure: bool) -> Session | None:
        name = self._sessionCookieName(secure)
        uid = self.getCookie(name)
        if uid is None:
            return None
        if self.site.sessionKeeper is None:
            found: Session | None = self.site.sessions.get(uid)
            return found
        loaded = self._loadedSessions or {}
        if name not in loaded:
            raise SessionNotLoaded(
                "The session is in a store and has not been read: await request.loadSession() before, "
                "or leave Site.preloadSessions on"
            )
        session = loaded[name]
        return None if session is None or self.site.sessions.get(session.uid) is not session else session

    def _newSession(self, secure: bool) -> Session:
        session: Session = self.site.makeSession()
        if session._holding is not None:
            self._hold(session._holding)
        self._sendSessionCookie(session, secure)
        return session

    def _sendSessionCookie(self, session: Session, secure: bool) -> None:
        name = self._sessionCookieName(secure)
        self._takeBackCookie(name)
        self.cookies.append(self.site.sessionCookie.make(name, session.uid, secure))

    def _takeBackCookie(self, name: bytes) -> None:
        self.cookies[:] = [cookie for cookie in self.cookies if not cookie.startswith(name + b"=")]

    # Reading it from a store

    def _presentedSessions(self) -> list[bytes]:
        """The names of the session cookies that the client has sent."""
        names = [
            self._sessionCookieName(secure) for secure in ((True, False) if self.isSecure() else (False,))
        ]
        return [name for name in names if name in self.received_cookies]

    async def _loadSessions(self, names: list[bytes]) -> None:
        keeper = self.site.sessionKeeper
        if keeper is None:
            return
        if self._loadedSessions is None:
            self._loadedSessions = {}
        for name in names:
            uid = self.getCookie(name)
            if name not in self._loadedSessions and uid is not None:
                session = self._loadedSessions[name] = await keeper.load(uid)
                if session is not None:
                    self._hold(keeper.holdingOf(session))

    def _hold(self, holding: "Holding") -> None:
        if self._holdings is None:
            self._holdings = []
        holding.acquire()
        self._holdings.append(holding)
        self._watched = True
        if self.finished or self.disconnected_early:
            self._releaseSessions()

    def _releaseSessions(self) -> None:
        holdings, self._holdings = self._holdings, None
        for holding in holdings or ():
            holding.release()

    def _fire_finished(self) -> None:
        self._releaseSessions()
        super()._fire_finished()

    def _connection_lost(self, reason: str) -> None:
        self._outbox = None
        self._releaseSessions()
        super()._connection_lost(reason)

    # Writing it before the response goes out. The engine calls these while `_gated` is true.

    def _gated_result(self, resource: object, result: object) -> None:
        self._whenSaved(partial(self._respondUngated, result, resource), resource)

    def _gated_write(self, data: bytes | str) -> None:
        self._whenSaved(partial(self._ungated, partial(_engine.Request.write, self, data)), None)

    def _gated_producer(self, producer: Any, streaming: bool) -> None:
        register = partial(_engine.Request.registerProducer, self, producer, streaming)
        if streaming:
            # It goes by itself. Others are asked as soon as they are registered, and have to wait.
            self._ungated(register)
        else:
            self._whenSaved(partial(self._ungated, register), None)

    def _gated_finish(self) -> None:
        # Looked at again after what may have been held up before it: the session may have changed since.
        if self._outbox is not None:
            self._outbox.append(self._gated_finish)
        else:
            self._whenSaved(self._finishUngated, None)

    def _finishUngated(self) -> None:
        self._gated = False
        _engine.Request.finish(self)

    def _respondUngated(self, result: object, resource: object) -> None:
        self._ungated(partial(self.respond, result, resource))

    def _ungated(self, action: Callable[[], object]) -> None:
        self._gated = False
        action()
        # What the program changes from now on is written before the response ends.
        self._gated = not (self.finished or self.disconnected_early)

    def _isSaved(self) -> bool:
        return all(holding.isClean for holding in self._holdings or ())

    def _whenSaved(self, action: Callable[[], object], resource: object) -> None:
        if self._outbox is not None:
            self._outbox.append(action)
            return
        try:
            isSaved = self._isSaved()
        except TypeError as error:
            self._sessionsNotSaved(error, resource)
            return
        if isSaved:
            action()
        else:
            self._outbox = [action]
            self.site.sessionKeeper.start(self._saveSessions(resource))

    async def _saveSessions(self, resource: object) -> None:
        try:
            for holding in list(self._holdings or ()):
                await holding.save()
        except Exception as error:
            self._sessionsNotSaved(error, resource)
            return
        actions, self._outbox = self._outbox, None
        try:
            for action in actions or ():
                action()
        except Exception as error:
            self._failed(error, resource)

    def _sessionsNotSaved(self, error: Exception, resource: object) -> None:
        """Nothing has been said yet that would not be true now: answer with the error instead."""
        for holding in self._holdings or ():
            holding.revert()
        self._outbox = None
        self._gated = False
        if not self.startedWriting:
            for secure in (True, False):
                self._takeBackCookie(self._sessionCookieName(secure))
        self._failed(error, resource)
