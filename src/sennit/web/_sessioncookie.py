"""What the cookies that carry session ids are like."""

from dataclasses import dataclass

from sennit.web._cookies import makeCookie


@dataclass(frozen=True)
class SessionCookie:
    """The attributes of a site's session cookies: `site.sessionCookie = SessionCookie(sameSite="strict")`.

    `httpOnly`: scripts can't read it. `sameSite`: lax, strict, none, or None for no such attribute. `secure`:
    it is only sent over TLS; None: if the request that it answers came so. `path` and `domain`: where
    browsers send it. `maxAge`: seconds that they keep it; None: until they are closed. ValueError for what
    browsers refuse.
    """

    httpOnly: bool = True
    sameSite: str | None = "lax"
    secure: bool | None = None
    path: str = "/"
    domain: str | None = None
    maxAge: int | None = None

    def __post_init__(self) -> None:
        makeCookie(
            b"TWISTED_SESSION",
            b"",
            expires=None,
            domain=self.domain,
            path=self.path,
            maxAge=self.maxAge,
            comment=None,
            secure=self.secure,
            httpOnly=self.httpOnly,
            sameSite=self.sameSite,
        )
