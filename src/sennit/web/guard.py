"""HTTP authentication: a resource that lets in only those who can log in to a portal.

    portal = Portal(realm, [checker])
    root.putChild("members", HTTPAuthSessionWrapper(portal, [BasicCredentialFactory("members")]))

The realm's `requestAvatar` gives the resource that a user gets to see there.
"""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from zope.interface import implementer

from sennit.cred import credentials
from sennit.cred._comparing import toBytes
from sennit.cred._interfaces import ICredentialFactory
from sennit.cred.error import LoginFailed, StaleNonce, Unauthorized
from sennit.internet.defer import Deferred, maybeDeferred
from sennit.python import log
from sennit.python.failure import Failure
from sennit.web._codes import UNAUTHORIZED
from sennit.web.error import Error
from sennit.web.iweb import IResource
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET

if TYPE_CHECKING:
    from sennit.cred.portal import Portal
    from sennit.web.server import Request

__all__ = ["BasicCredentialFactory", "DigestCredentialFactory", "HTTPAuthSessionWrapper"]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Parameters that are sent as they are: RFC 7616 section 3.3 says that these must not be quoted.
_UNQUOTED = ("algorithm", "stale")
_NEEDS_BACKSLASH = re.compile(rb'(["\\])')


@implementer(ICredentialFactory)
class BasicCredentialFactory:
    """The scheme Basic (RFC 7617): names and passwords in the clear. To be used over TLS only.

    `authenticationRealm` (bytes or str) is the name of the realm, which users are shown.
    """

    scheme = b"basic"

    def __init__(self, authenticationRealm: bytes | str) -> None:
        self.authenticationRealm = toBytes(authenticationRealm)

    def getChallenge(self, request: Any) -> dict[str, bytes]:
        """The parameters of the challenge: the realm."""
        return {"realm": self.authenticationRealm}

    def decode(self, response: bytes | str, request: Any) -> credentials.UsernamePassword:
        """Name and password (bytes) in what the client sent; raises LoginFailed if there are none."""
        from base64 import b64decode

        # Padding is forgiven, whether there is too little or too much.
        encoded = toBytes(response).strip().rstrip(b"=")
        try:
            decoded = b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
        except ValueError as error:
            raise LoginFailed("The credentials are not in base64.") from error
        username, colon, password = decoded.partition(b":")
        if not colon:
            raise LoginFailed("The credentials have no colon.")
        return credentials.UsernamePassword(username, password)


@implementer(ICredentialFactory)
class DigestCredentialFactory:
    """The scheme Digest (RFC 7616), with `qop="auth"`: the password itself is not sent.

    `algorithm` (bytes or str) is SHA-256, or for old clients MD5; `authenticationRealm` (bytes or str) is the
    name of the realm. Both can be offered, by a factory each, the better one first. A challenge can be
    answered for `digest.CHALLENGE_LIFETIME_SECS` seconds, any number of times, with each count of the
    client's once.

    Checkers need the passwords in the clear for this, or their hashes: see `credentials.IUsernameDigestHash`.
    """

    scheme = b"digest"

    def __init__(self, algorithm: bytes | str, authenticationRealm: bytes | str) -> None:
        self.digest = credentials.DigestCredentialFactory(algorithm, authenticationRealm)
        # Requests that were answered with a challenge which has had its day.
        self._stale: WeakSet[Any] = WeakSet()

    def getChallenge(self, request: Any) -> dict[str, bytes]:
        """The parameters of a new challenge, which only this client can answer."""
        return self.digest.getChallenge(_addressOf(request), stale=request in self._stale)

    def decode(self, response: bytes | str, request: Any) -> credentials.DigestedCredentials:
        """The credentials in what the client sent; raises LoginFailed if they answer no challenge of this
        factory's for this request, or too late."""
        try:
            return self.digest.decode(
                response,
                request.method,
                _addressOf(request),
                request.uri,
                onReplay=lambda: self._stale.add(request),
            )
        except StaleNonce:
            self._stale.add(request)
            raise


def _addressOf(request: Any) -> str | None:
    # Clients of a UNIX socket have no address; a proxy that should tell it is another matter.
    host: str | None = getattr(request.getClientAddress(), "host", None)
    return host


class _UnauthorizedResource(Resource):
    """Answers with 401 and the challenges of some factories."""

    isLeaf = True

    def __init__(self, credentialFactories: Iterable[Any]) -> None:
        super().__init__()
        self._credentialFactories = credentialFactories

    def render(self, request: "Request") -> Any:
        challenges = [_challenge(factory, request) for factory in self._credentialFactories]
        request.responseHeaders.setRawHeaders(b"WWW-Authenticate", challenges)
        raise Error(UNAUTHORIZED)


def _challenge(factory: Any, request: Any) -> bytes:
    """What WWW-Authenticate says of one factory (RFC 9110 section 11.6.1)."""
    parameters = [
        b"%b=%b" % (name.encode("ascii"), value if _isPlain(name, value) else _quoted(value))
        for name, value in ((name, toBytes(value)) for name, value in factory.getChallenge(request).items())
    ]
    return b"%b %b" % (toBytes(factory.scheme).lower(), b", ".join(parameters))


def _isPlain(name: str, value: bytes) -> bool:
    return name in _UNQUOTED and _TOKEN.fullmatch(value) is not None


def _quoted(value: bytes) -> bytes:
    return b'"%b"' % _NEEDS_BACKSLASH.sub(rb"\\\1", value)


@implementer(IResource)
class HTTPAuthSessionWrapper:
    """Stands in the tree where users see their own resource: the avatar, which the realm of `portal` gives
    for `IResource` to those who can log in. It answers for the rest of the path.

    `credentialFactories` (`iweb.ICredentialFactory`) are the schemes that are offered. A request without
    Authorization logs in with `credentials.Anonymous`. Who can't log in is answered with 401 and a challenge
    from each factory; what else goes wrong is an error like any other. The avatar's `logout` is called once,
    when the response is finished or the client has left; it may be async.
    """

    isLeaf = False
    # As of `Resource`. The body of a request is here before anyone is asked for a name, unless it is
    # streamed: then those who are not let in can't upload.
    streamsBody = False
    maxBody: float | None = None
    cancelOnDisconnect = True
    server: Any = None

    def __init__(self, portal: "Portal", credentialFactories: Iterable[Any]) -> None:
        self._portal = portal
        self._credentialFactories = list(credentialFactories)

    def getChildWithDefault(self, path: bytes, request: "Request") -> Any:
        """The avatar, or an awaitable of it, which is to be asked for `path` itself."""
        request.postpath.insert(0, request.prepath.pop())
        return self._whoeverIsThere(request)

    def render(self, request: "Request") -> Any:
        """Answer with the avatar."""
        found = self._whoeverIsThere(request)
        if isinstance(found, Deferred):
            return found.addCallback(_render, request)
        return _render(found, request)

    def _whoeverIsThere(self, request: "Request") -> Any:
        """The resource for a request, or a Deferred of it if that takes time."""
        found = self._logIn(request).addCallbacks(self._loggedIn, self._failed, callbackArgs=(request,))
        arrived: list[Any] = []
        late = False

        def take(result: Any) -> Any:
            if late:
                return result
            arrived.append(result)
            return None

        found.addBoth(take)
        late = True
        if not arrived:
            return found
        if isinstance(arrived[0], Failure):
            raise arrived[0].value.with_traceback(arrived[0].tb)
        return arrived[0]

    def _logIn(self, request: "Request") -> Deferred[Any]:
        headers = request.requestHeaders.getRawHeaders(b"authorization", [])
        if not headers:
            return self._portal.login(credentials.Anonymous(), None, IResource)
        return maybeDeferred(self._logInWith, headers, request)

    def _logInWith(self, headers: list[bytes], request: "Request") -> Deferred[Any]:
        if len(headers) > 1:
            # RFC 9110 section 11.6.2 has one; two can be read in two ways.
            raise LoginFailed("There are several Authorization headers.")
        scheme, _, response = headers[0].strip().partition(b" ")
        failed = LoginFailed("The scheme is not one that was offered.")
        for factory in self._credentialFactories:
            if toBytes(factory.scheme).lower() == scheme.lower():
                try:
                    shown = factory.decode(response.strip(), request)
                except LoginFailed as error:
                    # There may be another one of this scheme, for another algorithm.
                    failed = error
                    continue
                return self._portal.login(shown, None, IResource)
        raise failed

    def _loggedIn(self, result: Any, request: "Request") -> Any:
        _interface, avatar, logout = result
        if logout is not None:
            # Fires at once if the client has left while the realm was thinking.
            request.notifyFinish().addBoth(_logOut, logout)
        return avatar

    def _failed(self, failure: Failure) -> Any:
        failure.trap(Unauthorized, LoginFailed)
        return _UnauthorizedResource(self._credentialFactories)


def _render(avatar: Any, request: "Request") -> int:
    # Through the request, so that what goes wrong in the avatar is laid at its door, not at the wrapper's.
    request.render(avatar)
    return NOT_DONE_YET


def _logOut(ended: object, logout: Callable[[], Any]) -> None:
    maybeDeferred(logout).addErrback(log.err, "A logout has failed")
