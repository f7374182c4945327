"""Sessions that outlive processes and are shared by them, with real servers on both sides."""

import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from ..conftest import FindClient
from ..redis_server import RedisServer
from .network import free_port
from .processes import Process

PROGRAM = """
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Session, Site
from sennit.web.sessions import RedisSessionStore, SQLiteSessionStore


class Brief(Session):
    sessionTimeout = 1.0


class Count(Resource):
    isLeaf = True

    def render_GET(self, request):
        data = request.getSession().data
        name = request.path.decode()
        data[name] = data.get(name, 0) + 1
        return " ".join(f"{key}={data[key]}" for key in sorted(data))

    def render_POST(self, request):
        request.renewSession().data["user"] = 1
        return "in"

    def render_PUT(self, request):
        request.getSession().notifyOnExpire(lambda: print("expired", flush=True))
        return "told"

    def render_DELETE(self, request):
        request.getSession().expire()
        return "out"


port, place, brief = sys.argv[1:]
store = RedisSessionStore(place) if place.startswith("redis:") else SQLiteSessionStore(place)
site = Site(Count(), sessionStore=store)
if brief == "brief":
    site.sessionFactory = Brief
reactor.listenTCP(int(port), site, interface="127.0.0.1")
reactor.run()
"""


class Server(Process):
    """The program above, with its sessions at `place`."""

    def __init__(self, directory: Path, place: str, brief: str = "no") -> None:
        port = free_port()
        program = directory / "program.py"
        program.write_text(PROGRAM)
        super().__init__(
            sys.executable, "-W", "error", str(program), f"{port}", place, brief, directory=directory
        )
        self.base = f"http://127.0.0.1:{port}"
        self.wait_for_port(port)


Start = Callable[..., Server]


@pytest.fixture(params=["sqlite", "redis"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Starts servers that share their sessions."""
    if request.param == "redis":
        place = request.getfixturevalue("redis_url")
        # A database of Redis for each test.
        place = place.removesuffix("/0") + "/1"
    else:
        place = str(tmp_path / "sessions.db")
    return lambda *arguments: Server(tmp_path, place, *arguments)


@pytest.mark.parametrize("ends_by", [signal.SIGTERM, signal.SIGKILL])
def test_session_survives_a_restart(start: Start, ends_by: signal.Signals) -> None:
    with httpx.Client() as client:
        with start() as server:
            assert client.get(f"{server.base}/a").text == "/a=1"
            assert client.get(f"{server.base}/b").text == "/a=1 /b=1"
            status, _ = server.end(ends_by)
            assert status == (0 if ends_by == signal.SIGTERM else -signal.SIGKILL)
        with start() as server:
            assert client.get(f"{server.base}/a").text == "/a=2 /b=1"


def test_session_is_shared_by_two_processes(start: Start) -> None:
    with start() as one, start() as other, httpx.Client() as client:
        for visit in range(1, 6):
            assert client.get(f"{one.base}/a").text == f"/a={2 * visit - 1}"
            assert client.get(f"{other.base}/a").text == f"/a={2 * visit}"
        planted = dict(client.cookies)
        client.post(other.base)
        assert client.get(f"{one.base}/a").text == "/a=11 user=1"
        assert httpx.get(f"{one.base}/a", cookies=planted).text == "/a=1"
        client.delete(one.base)
        assert client.get(f"{other.base}/a").text == "/a=1"


def test_writes_of_two_processes_at_the_same_time_are_all_kept(start: Start) -> None:
    with start() as one, start() as other, httpx.Client() as client:
        client.get(f"{one.base}/a")
        cookies = dict(client.cookies)

        def write(number: int) -> None:
            base = (one, other)[number % 2].base
            with httpx.Client(cookies=cookies) as writer:
                for _ in range(20):
                    assert writer.get(f"{base}/{number}").status_code == 200

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        expected = " ".join(["/a=2", *(f"/{number}=20" for number in range(8))])
        assert sorted(client.get(f"{one.base}/a").text.split()) == sorted(expected.split())


def test_expiry_is_told_in_the_process_that_asked(start: Start) -> None:
    with start("brief") as one, start("brief") as other, httpx.Client() as client:
        client.put(one.base)
        for _ in range(4):
            assert "expired" not in one.output()
            client.get(f"{other.base}/a")
        one.wait_for_output("expired")
        assert client.get(f"{other.base}/a").text == "/a=1"
        assert one.output().count("expired") == 1
        assert "expired" not in other.output()


@pytest.mark.usefixtures("redis_url")
def test_redis_that_stops_is_a_503_until_it_is_back(tmp_path: Path, find_client: FindClient) -> None:
    command = find_client("redis-server")
    with RedisServer(command, tmp_path) as redis, Server(tmp_path, redis.url) as server:
        with httpx.Client() as client:
            assert client.get(f"{server.base}/a").text == "/a=1"
            redis.stop()
            assert client.get(f"{server.base}/a").status_code == 503
            assert httpx.get(f"{server.base}/a").status_code == 503
            with RedisServer(command, tmp_path, redis.port):
                assert client.get(f"{server.base}/a").text == "/a=1"
        assert "The session store does not answer" in server.output()
        assert "Traceback" not in server.output()
