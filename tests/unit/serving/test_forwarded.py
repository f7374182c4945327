"""Which proxies are believed, and what they say."""

from typing import Any

import pytest

from sennit.serving.application import Application
from sennit.serving.settings import SettingError, Settings
from sennit.serving.target import Target
from sennit.web.resource import Resource
from sennit.web.testing import TestClient


class Show(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> str:
        return f"{request.getClientIP()} {'https' if request.isSecure() else 'http'}"


def shown(trusted: str, peer: tuple[str, int], headers: dict[str, str]) -> str:
    settings = Settings("x", values={"forwarded_allow_ips": tuple(trusted.split()), "access_log": False})
    site = Application(Target(Show(), "resource", "x"), settings).site
    with TestClient(site, peer=peer) as client:
        return client.get("/", headers=headers).text


PROXY = ("127.0.0.1", 5)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        ("127.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("127.0.0.1", "8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("127.0.0.1 9.9.9.0/24", "7.7.7.7, 8.8.8.8, 9.9.9.9", "8.8.8.8"),
        ("127.0.0.0/8", "8.8.8.8:4711", "8.8.8.8"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "9.9.9.9, <script>", "127.0.0.1"),
        ("*", "8.8.8.8, 9.9.9.9", "8.8.8.8"),
        ("10.0.0.1", "9.9.9.9", "127.0.0.1"),
        ("unix", "9.9.9.9", "127.0.0.1"),
        ("", "9.9.9.9", "127.0.0.1"),
    ],
)
def test_client_is_the_last_that_is_no_proxy(trusted: str, forwarded: str, client: str) -> None:
    assert shown(trusted, PROXY, {"X-Forwarded-For": forwarded}).split()[0] == client


@pytest.mark.parametrize(
    ("trusted", "said", "scheme"),
    [
        ("127.0.0.1", "https", "https"),
        ("127.0.0.1", "http", "http"),
        ("127.0.0.1", "https, http", "http"),
        ("10.0.0.1", "https", "http"),
    ],
)
def test_scheme(trusted: str, said: str, scheme: str) -> None:
    assert shown(trusted, PROXY, {"X-Forwarded-Proto": said}).split()[1] == scheme


def test_nonsense_is_refused() -> None:
    with pytest.raises(SettingError, match="--forwarded-allow-ips: 'localhost' does not appear"):
        shown("localhost", PROXY, {})
