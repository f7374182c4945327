"""Session ids that a client makes up (P54)."""

import re

import pytest

from .helpers.client import ask, get
from .helpers.server import LiveSite

UID = re.compile(rb"[0-9a-f]{64}")


def test_session_is_kept_by_cookie(site: LiveSite) -> None:
    first = ask(site.port, get("/session"))
    assert UID.fullmatch(first.body)
    cookie = (first.value("set-cookie") or b"").partition(b";")[0].decode()
    second = ask(site.port, get("/session", f"Cookie: {cookie}"))
    assert second.body == first.body


@pytest.mark.parametrize("uid", ["../../x", "", "a" * 64, "x" * 8000, "\x80\xff", "%2e%2e/", "0" * 64])
def test_made_up_session_id_gets_new_session(site: LiveSite, uid: str) -> None:
    """P54: never the id that the client proposed, and no file named after it."""
    response = ask(site.port, get("/session", f"Cookie: TWISTED_SESSION={uid}"))
    assert UID.fullmatch(response.body)
    assert response.body != uid.encode("latin-1")
    assert response.body in (response.value("set-cookie") or b"")
