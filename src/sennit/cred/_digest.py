"""Digest access authentication (RFC 7616): challenges, and the credentials that answer them.

A challenge is not remembered: its `opaque` proves that it is ours, for whom and since when. What is
remembered is which counts (`nc`) of a nonce have been used, and that only of nonces that a right answer came
for.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from os import urandom
from typing import Final
from urllib.parse import unquote_to_bytes

from zope.interface import implementer

from sennit.cred._comparing import sameSecret, toBytes
from sennit.cred._interfaces import IUsernameDigestHash, IUsernameHashedPassword
from sennit.cred.error import LoginFailed, StaleNonce

# RFC 7616 section 3.2 has MD5 and SHA-256; `sha` (SHA-1) is none of its, and Twisted's.
_HASHES: Final[dict[bytes, str]] = {b"md5": "md5", b"sha-256": "sha256", b"sha": "sha1"}

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD = re.compile(rb'(%b)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t]*(?:,[ \t,]*|\Z)' % _TOKEN)
_QUOTED_PAIR = re.compile(rb"\\(.)")
_COUNT = re.compile(rb"[0-9a-fA-F]{8}")
_AUTHORITY = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?]*")

# All that a client has to send if the challenge asks for qop (section 3.4).
_REQUIRED = ("realm", "nonce", "opaque", "uri", "response", "qop", "nc", "cnonce")

_MICROSECONDS = 1_000_000


def parseFields(response: bytes) -> dict[str, bytes]:
    """The parameters of an Authorization header, after its scheme: lower-case names to values, unquoted.

    Raises LoginFailed if it is malformed, or a name is there twice.
    """
    fields: dict[str, bytes] = {}
    position, response = 0, response.strip(b" \t,")
    while position < len(response):
        found = _FIELD.match(response, position)
        name = "" if found is None else found[1].decode("ascii").lower()
        if found is None or name in fields:
            raise LoginFailed("The digest response is malformed.")
        fields[name] = found[3] if found[2] is None else _QUOTED_PAIR.sub(rb"\1", found[2])
        position = found.end()
    return fields


def _usernameOf(fields: dict[str, bytes]) -> bytes:
    # Section 3.4: the name is given in one of two forms, the second for what ASCII doesn't have (RFC 8187).
    plain, extended = fields.get("username"), fields.get("username*")
    if plain is not None and extended is None:
        return plain
    if extended is None or plain is not None:
        raise LoginFailed("A digest response has one username.")
    charset, _, rest = extended.partition(b"'")
    if charset.lower() != b"utf-8" or b"'" not in rest:
        raise LoginFailed("The username of a digest response is in UTF-8.")
    return unquote_to_bytes(rest.partition(b"'")[2])


def _hash(algorithm: bytes, *parts: bytes) -> bytes:
    # MD5 is what old clients know; where it is switched off, this says that nobody relies on it.
    return (
        hashlib.new(_HASHES[algorithm], b":".join(parts), usedforsecurity=False).hexdigest().encode("ascii")
    )


class UsedNonces:
    """Which counts of which nonces have been used. Bounded: what is forgotten is not accepted any more."""

    # Nonces remembered; some 200 bytes each.
    CAPACITY = 100_000
    # Requests that are sent at the same time may arrive in another order; no browser has more under way.
    WINDOW = 256

    def __init__(self) -> None:
        # Nonces to (issued, highest count, counts below it as bits).
        self._nonces: dict[bytes, tuple[int, int, int]] = {}
        # Nonces issued up to then are accepted only if they are still in the table.
        self._forgottenUntil = -1

    def claim(self, nonce: bytes, issued: int, count: int, oldest: int) -> bool:
        """Use a count of a nonce; False if it was used before, or it can't be known. Nonces issued before
        `oldest` can be forgotten. Times are in microseconds."""
        self._forget(oldest)
        known = self._nonces.get(nonce)
        if known is None:
            if issued <= self._forgottenUntil or count < 1:
                return False
            if len(self._nonces) >= self.CAPACITY:
                self._forgetFirst()
            self._nonces[nonce] = (issued, count, 1)
            return True
        _, highest, seen = known
        if count > highest:
            ahead = count - highest
            seen = ((seen << ahead) & ((1 << self.WINDOW) - 1)) | 1 if ahead < self.WINDOW else 1
            self._nonces[nonce] = (issued, count, seen)
            return True
        bit = highest - count
        if count < 1 or bit >= self.WINDOW or seen >> bit & 1:
            return False
        self._nonces[nonce] = (issued, highest, seen | 1 << bit)
        return True

    def _forget(self, oldest: int) -> None:
        while self._nonces and next(iter(self._nonces.values()))[0] < oldest:
            self._forgetFirst()

    def _forgetFirst(self) -> None:
        nonce = next(iter(self._nonces))
        self._forgottenUntil = max(self._forgottenUntil, self._nonces.pop(nonce)[0])


@implementer(IUsernameHashedPassword, IUsernameDigestHash)
class DigestedCredentials:
    """A digest that a client has made of its password.

    `username`, `method` and `realm` are bytes; `fields` maps the names (str) of what the client sent to
    bytes. `claim`, if given, is called when the digest has turned out right, and says whether it hasn't been
    used before.
    """

    def __init__(
        self,
        username: bytes,
        method: bytes,
        realm: bytes,
        fields: dict[str, bytes],
        claim: Callable[[], bool] | None = None,
    ) -> None:
        self.username = username
        self.method = method
        self.realm = realm
        self.fields = fields
        self._claim = claim
        self._claimed: bool | None = None
        self._algorithm = fields.get("algorithm", b"md5").lower()

    def checkPassword(self, password: bytes | str) -> bool:
        """Whether the digest was made with this password, and is no replay."""
        return self.checkHash(_hash(self._algorithm, self.username, self.realm, toBytes(password)))

    def checkHash(self, digestHash: bytes | str) -> bool:
        """Whether the digest was made with a password of this hash, H(name:realm:password) in hexadecimal,
        and is no replay."""
        given = self.fields.get("response", b"").lower()
        return sameSecret(given, self._expected(toBytes(digestHash).lower())) and self._isFirst()

    def _expected(self, ha1: bytes) -> bytes:
        def field(name: str) -> bytes:
            return self.fields.get(name, b"")

        algorithm = self._algorithm
        ha2 = _hash(algorithm, self.method, field("uri"))
        if "qop" not in self.fields:
            return _hash(algorithm, ha1, field("nonce"), ha2)
        # Section 3.4.1.
        return _hash(algorithm, ha1, field("nonce"), field("nc"), field("cnonce"), field("qop"), ha2)

    def _isFirst(self) -> bool:
        if self._claim is not None and self._claimed is None:
            self._claimed = self._claim()
        return self._claimed is not False


class DigestCredentialFactory:
    """Makes challenges, and credentials of what clients answer to them.

    `algorithm` (bytes or str) is SHA-256, MD5 or SHA (any case); ValueError for others. `authenticationRealm`
    (bytes or str) is the name of the realm, which users are shown and digests are made of. The same instance
    must make a challenge and judge the answers, or one with the same `privateKey`.
    """

    # Seconds for which a challenge can be answered; then the client gets another, unseen by its user.
    CHALLENGE_LIFETIME_SECS: float = 15 * 60
    scheme = b"digest"

    def __init__(self, algorithm: bytes | str, authenticationRealm: bytes | str) -> None:
        self.algorithm = toBytes(algorithm)
        self.authenticationRealm = toBytes(authenticationRealm)
        self.privateKey = urandom(32)
        self._used = UsedNonces()
        if self.algorithm.lower() not in _HASHES:
            raise ValueError(f"not an algorithm for digests: {algorithm!r}")

    def getChallenge(self, address: bytes | str | None, stale: bool = False) -> dict[str, bytes]:
        """The parameters of a new challenge for a client at `address`; `stale` if there was nothing wrong
        with its answer to the last one but its age."""
        nonce = urandom(16).hex().encode("ascii")
        challenge = {
            "nonce": nonce,
            "opaque": self._seal(nonce, address, b"%x" % self._now()),
            "qop": b"auth",
            "algorithm": self.algorithm,
            "realm": self.authenticationRealm,
        }
        return {**challenge, "stale": b"true"} if stale else challenge

    def decode(
        self,
        response: bytes | str,
        method: bytes | str,
        host: bytes | str | None,
        uri: bytes | str | None = None,
        onReplay: Callable[[], object] | None = None,
    ) -> DigestedCredentials:
        """The credentials in what a client at `host` has answered in a request with `method`, for `uri` if
        given.

        Raises LoginFailed if it doesn't answer a challenge of ours for this request, StaleNonce if it comes
        too late. `onReplay` is called if the digest, when checked, is right but has been used before.
        """
        fields = parseFields(toBytes(response))
        username = _usernameOf(fields)
        for name in _REQUIRED:
            if not fields.get(name):
                raise LoginFailed(f"The digest response has no {name}.")
        fields["algorithm"] = fields.get("algorithm", self.algorithm).lower()
        if fields["algorithm"] != self.algorithm.lower() or fields["realm"] != self.authenticationRealm:
            raise LoginFailed("The digest response is for another algorithm or realm.")
        if fields["qop"].lower() != b"auth" or not _COUNT.fullmatch(fields["nc"]):
            raise LoginFailed("The digest response has no protection, or no count, that was asked for.")
        # Section 3.4.6: or else a digest that was overheard would open the other resources, too.
        if uri is not None and _pathOf(fields["uri"]) != _pathOf(toBytes(uri)):
            raise LoginFailed("The digest response is for another URI.")
        nonce, issued = fields["nonce"], self._openSeal(fields, host)
        count = int(fields["nc"], 16)

        def claim() -> bool:
            isFirst = self._used.claim(nonce, issued, count, self._now() - self._lifetime)
            if not isFirst and onReplay is not None:
                onReplay()
            return isFirst

        return DigestedCredentials(username, toBytes(method), self.authenticationRealm, fields, claim)

    @property
    def _lifetime(self) -> int:
        return int(self.CHALLENGE_LIFETIME_SECS * _MICROSECONDS)

    def _now(self) -> int:
        return int(time.time() * _MICROSECONDS)

    def _seal(self, nonce: bytes, address: bytes | str | None, issued: bytes) -> bytes:
        sealed = b"\0".join([nonce, toBytes(address or b""), issued])
        return b"%b-%b" % (issued, hmac.digest(self.privateKey, sealed, "sha256").hex().encode("ascii"))

    def _openSeal(self, fields: dict[str, bytes], address: bytes | str | None) -> int:
        """When the challenge that was answered was issued; StaleNonce if that was too long ago, or it isn't
        ours.

        Not ours is most often one from before a restart, or of a client that has moved to another address.
        """
        issued = fields["opaque"].partition(b"-")[0]
        if not hmac.compare_digest(self._seal(fields["nonce"], address, issued), fields["opaque"]):
            raise StaleNonce("The digest response answers no challenge of this server.")
        if int(issued, 16) < self._now() - self._lifetime:
            raise StaleNonce("The digest response comes too late.")
        return int(issued, 16)


def _pathOf(uri: bytes) -> bytes:
    """A request target without scheme and authority: clients of proxies send it in either form."""
    found = _AUTHORITY.match(uri)
    return uri if found is None else uri[found.end() :] or b"/"
