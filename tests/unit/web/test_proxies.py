"""What proxies say of clients: believed of those that a site trusts, and of nobody else."""

import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from sennit.internet.address import IPv4Address, UNIXAddress
from sennit.web.asgi import ASGIResource
from sennit.web.http import combinedLogFormatter, jsonLogFormatter
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import TestClient
from sennit.web.vhost import NameVirtualHost
from sennit.web.wsgi import WSGIResource
from tests.unit.web.doubles import Calls

PROXY = ("10.0.0.1", 4000)
STRANGER = ("192.0.2.99", 4000)
TOLD = {"X-Forwarded-For": "6.6.6.6, 192.0.2.1, 10.0.0.9", "X-Forwarded-Proto": "https"}
HOST = {"X-Forwarded-Host": "shop.example", "X-Forwarded-Port": "8443"}


def facts(request: Any) -> str:
    return f"{request.getClientIP()} {request.isSecure()} {request.prePathURL().decode()}"


def asked(
    headers: dict[str, str],
    peer: Any = PROXY,
    host: Any = ("10.0.0.2", 8880),
    function: Any = facts,
    **attributes: Any,
) -> str:
    site = Site(Calls(function), trustedProxies=["10.0.0.0/8", "unix"])
    for name, value in attributes.items():
        setattr(site, name, value)
    with TestClient(site, peer=peer, host=host) as client:
        return client.get("/a", headers={"Host": "inner:8880", **headers}).text


ALL = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")


def test_trusted_proxy_is_believed() -> None:
    assert asked(TOLD) == "192.0.2.1 True https://inner:8880/"
    assert asked(TOLD | HOST, trustedHeaders=ALL) == "192.0.2.1 True https://shop.example:8443/"


def test_proxy_at_a_unix_socket_is_believed() -> None:
    assert asked(TOLD, peer="/tmp/client", host="/tmp/server") == "192.0.2.1 True https://inner:8880/"


@pytest.mark.parametrize("trusted", [None, [], ["10.0.0.0/9", "192.0.2.1"]])
def test_stranger_is_not_believed(trusted: Any) -> None:
    told = TOLD | HOST | {"Forwarded": "for=192.0.2.1;proto=https"}
    for peer in (STRANGER, "/tmp/client", None):
        ip = peer[0] if isinstance(peer, tuple) else "127.0.0.1" if peer is None else None
        found = asked(told, peer=peer, trustedProxies=trusted, trustedHeaders=ALL)
        assert found == f"{ip} False http://inner:8880/"


def test_nobody_is_believed_by_default() -> None:
    with TestClient(Site(Calls(facts)), peer=("127.0.0.1", 1)) as client:
        assert client.get("/", headers=TOLD).text == "127.0.0.1 False http://localhost/"


def test_headers_that_the_proxies_leave_alone_are_not_believed() -> None:
    spoofed = HOST | {"Forwarded": "for=6.6.6.6;host=evil"}
    assert asked(TOLD | spoofed) == "192.0.2.1 True https://inner:8880/"
    assert asked(TOLD, trustedHeaders=["X-Forwarded-For"]) == "192.0.2.1 False http://inner:8880/"


def test_forwarded_is_believed_where_it_is_what_proxies_set() -> None:
    told = TOLD | {
        "Forwarded": 'for=6.6.6.6, for="[2001:db8::1]:9";proto=https;host=shop.example, for=10.0.0.9'
    }
    assert asked(told, trustedHeaders=["Forwarded"]) == "2001:db8::1 True https://shop.example/"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "http://inner:8880/"),
        ({"Host": "shop.example"}, "http://shop.example/"),
        ({"Host": "shop.example", "X-Forwarded-Proto": "https"}, "https://shop.example/"),
        ({"Host": "shop.example:81"}, "http://shop.example:81/"),
        ({"X-Forwarded-Host": "shop.example:81"}, "http://shop.example:81/"),
        ({"X-Forwarded-Host": "[2001:db8::1]"}, "http://[2001:db8::1]/"),
        ({"X-Forwarded-Host": "[2001:db8::1]:81"}, "http://[2001:db8::1]:81/"),
        ({"X-Forwarded-Host": "8080", "X-Forwarded-Proto": "https"}, "https://8080/"),
        ({"X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"}, "https://inner/"),
    ],
)
def test_address_of_a_resource_is_the_one_asked_for(headers: dict[str, str], expected: str) -> None:
    assert asked(headers, trustedHeaders=ALL).split()[2] == expected


def test_what_the_program_says_goes_first() -> None:
    def render(request: Any) -> str:
        request.setHost("other.example", 444, ssl=1)
        return facts(request)

    assert asked(TOLD | HOST, function=render, trustedHeaders=ALL).split()[1:] == [
        "True",
        "https://other.example:444/",
    ]


def test_addresses_are_objects_as_ever() -> None:
    def render(request: Any) -> str:
        return f"{request.getClientAddress()!r} {request.getHost()!r}"

    assert asked(TOLD, function=render) == (
        f"{IPv4Address('TCP', '192.0.2.1', 0)!r} {IPv4Address('TCP', '10.0.0.2', 8880)!r}"
    )
    assert repr(UNIXAddress(b"/tmp/client")) in asked({}, peer="/tmp/client", function=render)


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "unknown"}, {"X-Forwarded-For": "1.2.3"}, {}])
def test_client_is_the_proxy_where_that_does_not_say_more(headers: dict[str, str]) -> None:
    assert asked(headers).startswith("10.0.0.1 False")


def test_session_cookie_is_secure_where_the_client_uses_tls() -> None:
    site = Site(Calls(lambda request: request.getSession() and "x"), trustedProxies=["10.0.0.0/8"])
    with TestClient(site, peer=PROXY) as client:
        cookie = client.get("/", headers=TOLD).header("Set-Cookie") or ""
    assert re.match("TWISTED_SECURE_SESSION=.*; Secure", cookie)


def test_virtual_host_is_the_one_asked_for() -> None:
    hosts = NameVirtualHost()
    hosts.addHost("shop.example", Calls(lambda request: "shop"))
    site = Site(hosts, trustedProxies=["10.0.0.0/8"])
    site.trustedHeaders = ALL
    with TestClient(site, peer=PROXY) as client:
        assert client.get("/", headers=HOST).text == "shop"


def test_wsgi_application_is_told_the_same() -> None:
    def application(environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [])
        names = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT")
        return [" ".join(environ[name] for name in names).encode()]

    root = Resource()
    root.putChild("app", WSGIResource(None, None, application))
    site = Site(root, trustedProxies=["10.0.0.0/8"])
    site.trustedHeaders = ALL
    with TestClient(site, peer=PROXY) as client:
        text = client.get("/app", headers=TOLD | HOST).text
    assert text == "192.0.2.1 https shop.example shop.example 8443"


@pytest.mark.parametrize(
    ("headers", "believed", "client", "scheme"),
    [
        ({}, ALL, ("10.0.0.1", 50000), "http"),
        ({"X-Forwarded-For": "192.0.2.1"}, ALL, ("192.0.2.1", 0), "http"),
        ({"x-forwarded-FOR": "192.0.2.1"}, ALL, ("192.0.2.1", 0), "http"),
        ({"X-Forwarded-Proto": "https"}, ALL, ("10.0.0.1", 50000), "https"),
        ({"X-Forwarded-Host": "shop.example"}, ALL, ("10.0.0.1", 50000), "http"),
        ({"X-Forwarded-Port": "8443"}, ALL, ("10.0.0.1", 50000), "http"),
        ({"Forwarded": "for=192.0.2.1;proto=https"}, ALL, ("10.0.0.1", 50000), "http"),
        ({"Forwarded": "for=192.0.2.1;proto=https"}, ("Forwarded",), ("192.0.2.1", 0), "https"),
        (TOLD, ("Forwarded",), ("10.0.0.1", 50000), "http"),
    ],
)
def test_applications_are_told_what_the_request_says(
    headers: dict[str, str], believed: tuple[str, ...], client: tuple[str, int], scheme: str
) -> None:
    told: list[Any] = []

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        told.append((scope["client"], scope["scheme"]))
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    def wsgi(environ: Any, start: Any) -> list[bytes]:
        told.append(((environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"] or 0)), environ["wsgi.url_scheme"]))
        start("200 OK", [])
        return []

    root = Resource()
    root.putChild("asgi", ASGIResource(asgi))
    root.putChild("wsgi", WSGIResource(None, None, wsgi))
    root.putChild("own", Calls(lambda request: f"{request.client.host} {request.isSecure()}"))
    site = Site(root, trustedProxies=["10.0.0.0/8"])
    site.trustedHeaders = believed
    with TestClient(site, peer=("10.0.0.1", 50000)) as tester:
        for name in ("asgi", "wsgi"):
            assert tester.get(f"/{name}", headers=headers).code == 200
        assert tester.get("/own", headers=headers).text == f"{client[0]} {scheme == 'https'}"
    assert told == [(client, scheme)] * 2


@pytest.mark.parametrize("formatter", [None, combinedLogFormatter, jsonLogFormatter, "own"])
def test_access_log_has_the_client(tmp_path: Path, formatter: Any) -> None:
    own = formatter == "own"
    if own:
        formatter = lambda timestamp, request: combinedLogFormatter(timestamp, request)  # noqa: E731
    path = tmp_path / "access.log"
    site = Site(Calls(facts), logPath=str(path), logFormatter=formatter, trustedProxies=["10.0.0.0/8"])
    site.startFactory()
    with TestClient(site, peer=PROXY) as client:
        client.get("/", headers=TOLD)
    with TestClient(site, peer=STRANGER) as client:
        client.get("/", headers=TOLD)
    site.stopFactory()
    first, second = path.read_text().splitlines()
    assert ('"192.0.2.1"' in first, '"192.0.2.99"' in second) == (True, True)


def test_networks_are_checked() -> None:
    site = Site(Resource())
    site.trustedProxies = [IPv4Network("10.0.0.0/8"), "::1", "unix"]
    assert site.trustedProxies == ("10.0.0.0/8", "::1/128", "unix")
    for wrong in ("10.0.0.1/8", "example.org", "*", ""):
        with pytest.raises(ValueError):
            site.trustedProxies = [wrong]
    with pytest.raises(TypeError):
        site.trustedProxies = "10.0.0.0/8"
    site.trustedProxies = None
    assert site.trustedProxies == ()


def test_headers_are_checked() -> None:
    site = Site(Resource())
    assert site.trustedHeaders == ("x-forwarded-for", "x-forwarded-proto")
    for wrong in (["X-Real-IP"], ["Forwarded", "X-Forwarded-For"]):
        with pytest.raises(ValueError):
            site.trustedHeaders = wrong
    with pytest.raises(TypeError):
        site.trustedHeaders = "forwarded"


def test_trust_can_be_changed_while_the_site_serves() -> None:
    site = Site(Calls(facts))
    with TestClient(site, peer=PROXY) as client:
        assert client.get("/", headers=TOLD).text.startswith("10.0.0.1 False")
        site.trustedProxies = ["10.0.0.0/8"]
        assert client.get("/", headers=TOLD).text.startswith("192.0.2.1 True")
        site.trustedHeaders = ["X-Forwarded-Proto"]
        assert client.get("/", headers=TOLD).text.startswith("10.0.0.1 True")
        site.trustedProxies = []
        assert client.get("/", headers=TOLD).text.startswith("10.0.0.1 False")


def test_proxy_protocol_needs_somebody_to_trust() -> None:
    site = Site(Resource())
    site.proxyProtocol = True
    for _ in range(2):
        with pytest.raises(ValueError, match="trustedProxies"):
            site.engineService()
    site.trustedProxies = ["::1"]
    site.engineService()
    with pytest.raises(ValueError, match="trustedProxies"):
        site.trustedProxies = []
    assert site.trustedProxies == ("::1/128",)
