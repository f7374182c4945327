"""Endpoints as objects and as strings."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sennit.internet import endpoints, reactor
from sennit.internet.error import CannotListenError
from sennit.internet.interfaces import IStreamServerEndpoint
from sennit.internet.protocol import Factory, Protocol


class Recorder:
    """A reactor that only notes how it was called."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def __getattr__(self, name: str) -> Callable[..., str]:
        def call(*args: object, **kwargs: object) -> str:
            self.calls.append((name, args, kwargs))
            return "port"

        return call


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("tcp:8080", ("listenTCP", (8080, "F"), {"backlog": 1024, "interface": ""})),
        (
            "tcp:port=8080:interface=127.0.0.1:backlog=50",
            ("listenTCP", (8080, "F"), {"backlog": 50, "interface": "127.0.0.1"}),
        ),
        ("tcp:80:127.0.0.1", ("listenTCP", (80, "F"), {"backlog": 1024, "interface": "127.0.0.1"})),
        ("tcp6:8080", ("listenTCP", (8080, "F"), {"backlog": 1024, "interface": "::"})),
        (r"tcp6:8080:interface=\:\:1", ("listenTCP", (8080, "F"), {"backlog": 1024, "interface": "::1"})),
        (
            "unix:/run/web.sock",
            ("listenUNIX", ("/run/web.sock", "F"), {"backlog": 1024, "mode": 0o666, "wantPID": True}),
        ),
        (
            r"unix:address=/run/a\:b\\c:mode=660:lockfile=0:backlog=5",
            ("listenUNIX", ("/run/a:b\\c", "F"), {"backlog": 5, "mode": 0o660, "wantPID": False}),
        ),
        (
            "unix:/run/a=b",
            ("listenUNIX", ("/run/a=b", "F"), {"backlog": 1024, "mode": 0o666, "wantPID": True}),
        ),
    ],
)
def test_description_listens_as_it_says(description: str, expected: tuple) -> None:
    recorder = Recorder()
    endpoint = endpoints.serverFromString(recorder, description)
    verifyObject(IStreamServerEndpoint, endpoint)
    results: list = []
    endpoint.listen("F").addCallback(results.append)
    assert results == ["port"]
    assert recorder.calls == [expected]


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ("8080", "Unknown endpoint type: '8080'"),
        ("", "Unknown endpoint type: ''"),
        ("gopher:70", "Unknown endpoint type: 'gopher'"),
        ("tcp:", "'port' is missing"),
        ("tcp:http", "'port' must be a number up to 65535, and not 'http'"),
        ("tcp:65536", "up to 65535"),
        ("tcp:-1", "not '-1'"),
        ("tcp:80:port=81", "'port' is given twice"),
        ("tcp:80:colour=red", "no option 'colour'"),
        ("tcp:80:a:5:6", "'6' is one more than"),
        ("unix:/x:mode=999", "'mode' must be a number"),
        ("unix:/x:lockfile=2", "'lockfile' must be a number up to 1"),
        ("systemd:domain=IPX:index=0", "INET, INET6 or UNIX"),
        ("systemd:domain=INET", "either its index or its name"),
        ("systemd:domain=INET:index=0:name=web", "either its index or its name"),
        ("systemd:domain=INET:index=0", "passed 0 sockets"),
        ("systemd:domain=INET:name=web", "no socket named 'web'"),
    ],
)
def test_bad_description_is_a_clear_ValueError(
    description: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    with pytest.raises(ValueError) as caught:
        endpoints.serverFromString(Recorder(), description)
    assert complaint in str(caught.value)


def test_quoted_argument_comes_back() -> None:
    recorder = Recorder()
    path = "C:\\odd:path\\"
    description = "unix:" + endpoints.quoteStringArgument(path)
    endpoints.serverFromString(recorder, description).listen("F")
    assert recorder.calls[0][1][0] == path


def test_systemd_sockets_are_found_by_index_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_FDNAMES", "web:admin")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    for which in ("index=1", "name=admin"):
        endpoint = endpoints.serverFromString(Recorder(), f"systemd:domain=INET6:{which}")
        assert (endpoint._fileno, endpoint._addressFamily) == (4, socket.AF_INET6)
    monkeypatch.setenv("LISTEN_PID", "1")
    with pytest.raises(ValueError, match="passed 0 sockets"):
        endpoints.serverFromString(Recorder(), "systemd:domain=INET:index=0")
    monkeypatch.setenv("LISTEN_PID", "nobody")
    with pytest.raises(ValueError, match="passed 0 sockets"):
        endpoints.serverFromString(Recorder(), "systemd:domain=INET:index=0")


def factory() -> Factory:
    made = Factory.forProtocol(Protocol)
    made.noisy = False
    return made


def test_endpoint_fails_with_CannotListenError() -> None:
    async def main() -> None:
        port = await endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory())
        number = port.getHost().port
        with pytest.raises(CannotListenError, match=str(number)):
            await endpoints.TCP4ServerEndpoint(reactor, number, interface="127.0.0.1").listen(factory())
        await port.stopListening()

    asyncio.run(main())


def test_endpoints_listen_for_real(tmp_path: Any) -> None:
    async def main() -> None:
        path = str(tmp_path / "socket")
        six = await endpoints.TCP6ServerEndpoint(reactor, 0, interface="::1").listen(factory())
        unix = await endpoints.UNIXServerEndpoint(reactor, path).listen(factory())
        assert six.getHost().host == "::1"
        assert unix.getHost().name == os.fsencode(path)
        for port in (six, unix):
            await port.stopListening()

    asyncio.run(main())


def test_adopted_descriptor_is_taken_over_once() -> None:
    async def main() -> None:
        made = socket.create_server(("127.0.0.1", 0))
        number = made.getsockname()[1]
        descriptor = made.detach()
        endpoint = endpoints.AdoptedStreamServerEndpoint(reactor, descriptor, socket.AF_INET)
        port = await endpoint.listen(factory())
        with pytest.raises(OSError, match=r"[Bb]ad file descriptor"):
            os.fstat(descriptor)
        _, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.close()
        await writer.wait_closed()
        with pytest.raises(endpoints.AlreadyListened):
            await endpoint.listen(factory())
        await port.drain()

    asyncio.run(main())


def test_descriptor_that_does_not_listen_is_refused() -> None:
    async def main() -> None:
        with socket.socket() as idle, pytest.raises(CannotListenError, match="not a listening socket"):
            reactor.adoptStreamPort(idle.fileno(), socket.AF_INET, factory())
        with pytest.raises(CannotListenError, match="descriptor 987"):
            reactor.adoptStreamPort(987, socket.AF_INET, factory())

    asyncio.run(main())
