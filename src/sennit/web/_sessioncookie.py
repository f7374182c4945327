"""What the cookies that carry session ids are like."""

from sennit.web._cookies import makeCookie


class SessionCookie:
    """The attributes of a site's session cookies: `site.sessionCookie = SessionCookie(sameSite="strict")`.

    `httpOnly`: scripts can't read it. `sameSite`: lax, strict, none, or None for no such attribute. `secure`:
    it is only sent over TLS; None: if the request that it answers came so. `path` and `domain`: where
    browsers send it. `maxAge`: seconds that they keep it; None: until they are closed. ValueError for what
    browsers refuse.
    """

    def __init__(
        self,
        *,
        httpOnly: bool = True,
        sameSite: str | None = "lax",
        secure: bool | None = None,
        path: str = "/",
        domain: str | None = None,
        maxAge: int | None = None,
    ) -> None:
        self.httpOnly = httpOnly
        self.sameSite = sameSite
        self.secure = secure
        self.path = path
        self.domain = domain
        self.maxAge = maxAge
        self.make(b"TWISTED_SESSION", b"", secure or False)

    def make(self, name: bytes, uid: bytes, requestIsSecure: bool) -> bytes:
        """The value of the Set-Cookie header for a session."""
        return makeCookie(
            name,
            uid,
            expires=None,
            domain=self.domain,
            path=self.path,
            maxAge=self.maxAge,
            comment=None,
            secure=requestIsSecure if self.secure is None else self.secure,
            httpOnly=self.httpOnly,
            sameSite=self.sameSite,
        )
