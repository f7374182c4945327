"""The PROXY protocol, versions 1 and 2: read from trusted peers before the first request, and from nobody
else."""

import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from .conftest import OpenSite
from .helpers.client import EVIL, MODES, Wire, get
from .helpers.server import LiveSite, wait_until

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TLS = b"\x20\x00\x05\x01\x00\x00\x00\x00"


def v2(payload: bytes, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(payload)) + payload


def ipv4(additions: bytes = b"") -> bytes:
    return socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.1") + b"\x12\x67\x01\xbb" + additions


TRUSTED = {"trustedProxies": ["127.0.0.1"], "proxyProtocol": True}
HEADERS = {
    "line": V1,
    "binary": v2(ipv4()),
    "with additions": v2(ipv4(TLS + b"\x04\x00\x02\0\0")),
}


@pytest.fixture
def live(open_site: OpenSite) -> LiveSite:
    return open_site(TRUSTED)


def exchange(live: LiveSite, data: bytes, mode: str = "whole") -> list[Any]:
    """The responses to what is sent, up to the end of the connection."""
    with Wire(live.port) as wire:
        wire.send_as(mode, data)
        wire.half_close()
        responses = []
        while wire.received or not wire.ended:
            if wire.received or wire.receive_some():
                responses.append(wire.response())
        return responses


def facts(responses: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(responses[0].body)
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", HEADERS)
def test_client_is_the_one_in_the_header(live: LiveSite, name: str, mode: str) -> None:
    found = facts(exchange(live, HEADERS[name] + get("/facts"), mode))
    assert (found["client"], found["secure"]) == ("192.0.2.1", name == "with additions")


def test_header_is_read_when_it_comes_in_two_pieces(live: LiveSite) -> None:
    for header in HEADERS.values():
        for cut in range(1, len(header)):
            with Wire(live.port) as wire:
                wire.send(header[:cut])
                wire.send(header[cut:] + get("/facts"))
                assert facts([wire.response()])["client"] == "192.0.2.1"


def test_header_is_for_all_requests_of_the_connection(live: LiveSite) -> None:
    responses = exchange(live, V1 + get("/facts") + get("/facts"))
    assert [json.loads(response.body)["client"] for response in responses] == ["192.0.2.1"] * 2


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(b"", 0x20, 0), v2(ipv4(), 0x20)])
def test_connection_of_the_proxy_itself_has_its_own_address(live: LiveSite, header: bytes) -> None:
    assert facts(exchange(live, header + get("/facts")))["client"] == "127.0.0.1"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443 \r\n",
        b"PROXY UNKNOWN " + b"x" * 200,
        b"proxy tcp4 192.0.2.1 198.51.100.1 4711 443\r\n",
        v2(ipv4(), 0x22),
        v2(ipv4(), 0x21, 0x12),
        v2(ipv4()[:-1]),
        v2(ipv4(b"\x03\x00\x04\0\0\0\0")),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_malformed_header_closes_the_connection(live: LiveSite, header: bytes, mode: str) -> None:
    with Wire(live.port) as wire:
        wire.send_as(mode, header + EVIL)
        assert wire.wait_for_end()
    assert live.take_events() == []
    told = [record for record in live.server.take_logs() if "PROXY protocol" in record["text"]]
    assert [(record["level"], record["traceback"]) for record in told] == [("INFO", False)]


def test_second_header_is_no_request(live: LiveSite) -> None:
    responses = exchange(live, V1 + V1 + EVIL)
    assert [response.code for response in responses] == [400]
    assert live.take_events() == []


def test_header_that_does_not_come_is_not_waited_for(open_site: OpenSite) -> None:
    live = open_site({**TRUSTED, "headerTimeout": 0.3, "timeOut": 60})
    with Wire(live.port) as silent, Wire(live.port) as slow:
        slow.send(V1[:-1])
        assert silent.wait_for_end()
        assert slow.wait_for_end()


def test_header_of_a_stranger_is_bad_input(open_site: OpenSite) -> None:
    """P22: a peer that isn't trusted says nothing about anybody."""
    live = open_site({"trustedProxies": ["127.0.0.2"], "proxyProtocol": True})
    for header in HEADERS.values():
        responses = exchange(live, header + EVIL)
        assert [response.code for response in responses] == [400]
    assert live.take_events() == []
    assert facts(exchange(live, get("/facts", "X-Forwarded-For: 192.0.2.1")))["client"] == "127.0.0.1"


def test_header_is_bad_input_by_default(site: LiveSite) -> None:
    assert [response.code for response in exchange(site, V1 + EVIL)] == [400]


def test_proxies_behind_the_first_are_believed_if_trusted(open_site: OpenSite) -> None:
    live = open_site({**TRUSTED, "trustedProxies": ["127.0.0.1", "192.0.2.1"]})
    request = get("/facts", "X-Forwarded-For: 6.6.6.6, 203.0.113.5", "X-Forwarded-Proto: https")
    found = facts(exchange(live, V1 + request))
    assert (found["client"], found["secure"]) == ("203.0.113.5", True)


def test_headers_of_the_client_are_not_believed(live: LiveSite) -> None:
    found = facts(exchange(live, V1 + get("/facts", "X-Forwarded-For: 6.6.6.6")))
    assert found["client"] == "192.0.2.1"


def test_access_log_has_the_client(open_site: OpenSite, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    live = open_site(TRUSTED, logPath=str(log))
    exchange(live, V1 + get("/hello"))
    assert wait_until(lambda: log.exists() and log.read_bytes().startswith(b'"192.0.2.1"'))
