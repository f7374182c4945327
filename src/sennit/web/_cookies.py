"""Cookies (RFC 6265): what clients send, and what is sent to them."""

import re
from collections.abc import Iterable

# CR, LF and the separator of attributes can't be inside of one; other control characters are refused.
_SEPARATORS = re.compile(rb"[\r\n;]")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_SAME_SITE = {b"lax", b"strict", b"none"}


def parseCookies(headers: Iterable[bytes]) -> dict[bytes, bytes]:
    """Names to values of all `Cookie` headers; the last one of a name counts. Values are not decoded or
    unquoted.

    What has no name or no `=` is left out: a nameless cookie could otherwise pass for one with a `__Host-`
    prefix.
    """
    cookies: dict[bytes, bytes] = {}
    for header in headers:
        for item in header.split(b";"):
            name, equals, value = item.lstrip(b" \t").partition(b"=")
            if equals and name:
                cookies[name] = value
    return cookies


def makeCookie(
    name: bytes | str,
    value: bytes | str,
    *,
    expires: bytes | str | None,
    domain: bytes | str | None,
    path: bytes | str | None,
    maxAge: bytes | str | int | None,
    comment: bytes | str | None,
    secure: bool | None,
    httpOnly: bool | None,
    sameSite: bytes | str | None,
) -> bytes:
    """The value of one `Set-Cookie` header; see `http.Request.addCookie` for the checks."""
    cookieName = _part(name)
    if not cookieName or b"=" in cookieName:
        raise ValueError(f"not a cookie name: {name!r}")
    text = [cookieName + b"=" + _part(value)]
    attributes = ((b"Expires", expires), (b"Domain", domain), (b"Path", path))
    text += [label + b"=" + _part(given) for label, given in attributes if given is not None]
    if maxAge is not None:
        text.append(b"Max-Age=" + _part(str(maxAge) if isinstance(maxAge, int) else maxAge))
    if comment is not None:
        text.append(b"Comment=" + _part(comment))
    if secure:
        text.append(b"Secure")
    if httpOnly:
        text.append(b"HttpOnly")
    if sameSite:
        text.append(b"SameSite=" + _sameSite(sameSite, secure))
    _checkPrefix(cookieName, secure, domain, path)
    return b"; ".join(text)


def _part(value: bytes | str) -> bytes:
    raw = value.encode("utf-8") if isinstance(value, str) else value
    cleaned = _SEPARATORS.sub(b" ", raw)
    if _CONTROLS.search(cleaned):
        raise ValueError(f"a control character in a cookie: {value!r}")
    return cleaned


def _sameSite(value: bytes | str, secure: bool | None) -> bytes:
    policy = _part(value).lower()
    if policy not in _SAME_SITE:
        raise ValueError(f"sameSite must be lax, strict or none, not {value!r}")
    if policy == b"none" and not secure:
        raise ValueError("browsers refuse a cookie with sameSite none that is not secure")
    return policy


def _checkPrefix(name: bytes, secure: bool | None, domain: object, path: bytes | str | None) -> None:
    """Refuse what browsers would drop silently: a name prefix whose promise is not kept (RFC 6265bis section
    4.1.3)."""
    lowered = name.lower()
    if lowered.startswith((b"__secure-", b"__host-")) and not secure:
        raise ValueError(f"the cookie {name!r} must be secure")
    if lowered.startswith(b"__host-") and (domain is not None or path not in (b"/", "/")):
        raise ValueError(f"the cookie {name!r} must have the path / and no domain")
