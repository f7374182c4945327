"""Sessions: cookies, expiry, components."""

import re
from typing import Any

import pytest
from zope.interface import Attribute, Interface, implementer

from sennit.internet.task import Clock
from sennit.python.components import registerAdapter
from sennit.web.resource import Resource
from sennit.web.server import Session, SessionCookie, Site
from sennit.web.testing import Response, TestClient
from tests.unit.web.doubles import Calls


class ICounter(Interface):  # type: ignore[misc]
    count = Attribute("Visits.")


@implementer(ICounter)
class Counter:
    def __init__(self, session: Session) -> None:
        self.count = 0


registerAdapter(Counter, Session, ICounter)


def visit(request: Any) -> str:
    counter = request.getSession(ICounter)
    counter.count += 1
    return f"{counter.count}"


def site(function: Any = visit, clock: Clock | None = None) -> Site:
    return Site(Calls(function), reactor=clock or Clock())


def setCookie(response: Response) -> str:
    header = response.header("Set-Cookie")
    assert header is not None
    return header


def test_session_remembers_between_requests() -> None:
    with TestClient(site()) as client:
        assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


def test_sessions_of_two_visitors_are_apart() -> None:
    shared = site()
    with TestClient(shared) as first, TestClient(shared) as second:
        assert first.get("/").text == second.get("/").text == "1"
    assert (shared.counter, len(shared.sessions)) == (2, 2)


def test_session_cookie_is_safe_by_default() -> None:
    with TestClient(site()) as client:
        cookie = setCookie(client.get("/"))
    assert re.fullmatch(r"TWISTED_SESSION=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=lax", cookie)


def test_session_cookie_is_secure_over_tls() -> None:
    with TestClient(site(), secure=True) as client:
        cookie = setCookie(client.get("/"))
    assert re.fullmatch(
        r"TWISTED_SECURE_SESSION=[0-9a-f]{64}; Path=/; Secure; HttpOnly; SameSite=lax", cookie
    )


def test_session_cookie_can_be_changed() -> None:
    shop = site()
    shop.sessionCookie = SessionCookie(
        httpOnly=False, sameSite=None, secure=True, path="/shop", domain="a.example", maxAge=60
    )
    with TestClient(shop) as client:
        cookie = setCookie(client.get("/"))
    assert cookie.partition("; ")[2] == "Domain=a.example; Path=/shop; Max-Age=60; Secure"


@pytest.mark.parametrize("flags", [{"sameSite": "none"}, {"sameSite": "sometimes"}, {"path": "/\x00"}])
def test_session_cookie_that_browsers_refuse_is_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        SessionCookie(**flags)


def test_session_cookie_is_sent_once() -> None:
    with TestClient(site()) as client:
        client.get("/")
        assert client.get("/").header("Set-Cookie") is None


@pytest.mark.parametrize("uid", ["", "../../etc/passwd", "0" * 64])
def test_unknown_session_id_makes_new_session(uid: str) -> None:
    shared = site()
    with TestClient(shared) as client:
        client.cookies["TWISTED_SESSION"] = uid
        assert client.get("/").text == "1"
        assert client.cookies["TWISTED_SESSION"] != uid
    assert uid.encode() not in shared.sessions


def test_session_of_site_below_has_its_own_cookie() -> None:
    root = Resource()
    root.putChild("a b;", site())
    with TestClient(Site(root)) as client:
        assert setCookie(client.get("/a%20b%3B/x")).startswith("TWISTED_SESSION_a%20b%3B=")
        assert client.get("/a%20b%3B/x").text == "2"


def test_plain_session_can_be_had_over_tls() -> None:
    def render(request: Any) -> str:
        secure, plain = request.getSession(), request.getSession(forceNotSecure=True)
        assert request.getSession() is secure is request.session
        return f"{secure is plain}"

    with TestClient(site(render), secure=True) as client:
        response = client.get("/")
    names = [cookie.partition("=")[0] for cookie in response.headers.getRawHeaders("set-cookie", [])]
    assert response.text == "False"
    assert names == ["TWISTED_SECURE_SESSION", "TWISTED_SESSION"]


def test_request_has_no_session_until_asked() -> None:
    with TestClient(site(lambda request: repr(request.session))) as client:
        assert client.get("/").text == "None"


def test_session_expires_after_its_time() -> None:
    clock = Clock()
    shop, ended = site(clock=clock), []
    with TestClient(shop) as client:
        client.get("/")
        (session,) = shop.sessions.values()
        session.notifyOnExpire(lambda: ended.append(1))
        session.notifyOnExpire(lambda: ended.append(2))
        clock.advance(899)
        assert ended == []
        clock.advance(1)
        assert (ended, shop.sessions) == ([1, 2], {})
        assert client.get("/").text == "1"


def test_session_is_kept_alive_by_visits() -> None:
    clock = Clock()
    with TestClient(site(clock=clock)) as client:
        for number in range(1, 6):
            assert client.get("/").text == f"{number}"
            clock.advance(600)
        clock.advance(300)
        assert client.get("/").text == "1"


def test_session_can_be_ended() -> None:
    shop, ended = site(), []
    with TestClient(shop) as client:
        client.get("/")
        (session,) = shop.sessions.values()
        session.notifyOnExpire(lambda: ended.append(True))
        session.expire()
        assert (ended, shop.sessions) == ([True], {})
        with pytest.raises(KeyError):
            session.expire()
        assert client.get("/").text == "1"


def test_session_ended_within_request_is_replaced() -> None:
    def render(request: Any) -> str:
        first = request.getSession()
        first.expire()
        return f"{request.getSession() is first}"

    with TestClient(site(render)) as client:
        response = client.get("/")
        assert response.text == "False"
        assert len(response.headers.getRawHeaders("set-cookie", [])) == 1


def test_session_timeout_can_be_changed() -> None:
    class Short(Session):
        sessionTimeout = 5

    clock = Clock()
    shop = site(clock=clock)
    shop.sessionFactory = Short
    with TestClient(shop) as client:
        client.get("/")
        clock.advance(5)
        assert shop.sessions == {}


def test_session_id_changes_when_renewed() -> None:
    def render(request: Any) -> str:
        session = request.getSession()
        before = session.uid
        assert request.renewSession() is session
        return f"{session.uid != before and before not in request.site.sessions}"

    shop = site(render)
    with TestClient(shop) as client:
        response = client.get("/")
        assert response.text == "True"
        assert [client.cookies["TWISTED_SESSION"].encode()] == list(shop.sessions)
        assert len(response.headers.getRawHeaders("set-cookie", [])) == 1


def test_session_is_found_by_id() -> None:
    shop = site()
    session = shop.makeSession()
    assert shop.getSession(session.uid) is session
    with pytest.raises(KeyError):
        shop.getSession(b"unknown")


def test_session_is_timed_by_the_running_loop_without_a_reactor_given() -> None:
    class Short(Session):
        sessionTimeout = 0.02

    shop = Site(Calls(visit))
    shop.sessionFactory = Short
    with TestClient(shop) as client:
        assert client.get("/").text == "1"
        client.wait(0.1)
        assert shop.sessions == {}
