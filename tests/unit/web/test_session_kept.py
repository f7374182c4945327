"""Sessions of sites with a store: the same for every store, and for none as far as that can be."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zope.interface import Attribute, Interface, implementer

from sennit.python.components import registerAdapter
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Session, SessionNotLoaded, Site
from sennit.web.sessions import MemorySessionStore, RedisSessionStore, SQLiteSessionStore
from sennit.web.static import File
from sennit.web.testing import TestClient
from tests.unit.web.doubles import Calls

Stores = Callable[[], Any]


@pytest.fixture(params=["objects", "memory", "sqlite", "redis"])
def makeStore(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    """Makes stores that share what they keep, as those of several processes do; None for none."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        return lambda: RedisSessionStore(url, prefix=f"{tmp_path.name}:")
    if request.param == "sqlite":
        return lambda: SQLiteSessionStore(tmp_path / "sessions.db")
    store = MemorySessionStore() if request.param == "memory" else None
    return lambda: store


class Clients:
    """Clients of sites with stores of one kind."""

    def __init__(self, makeStore: Stores) -> None:
        self._makeStore = makeStore
        self._opened: list[TestClient] = []

    def __call__(self, function: Callable[[Any], Any], **attributes: Any) -> TestClient:
        return self.of(Site(Calls(function), sessionStore=self._makeStore()), **attributes)

    def of(self, site: Site, **attributes: Any) -> TestClient:
        vars(site).update(attributes)
        client = TestClient(site)
        self._opened.append(client)
        return client

    def another(self, client: TestClient) -> TestClient:
        """The same visitor at another process: a site of its own, with a store of its own."""
        there = self(client.site.resource.function)
        there.site.sessionFactory = client.site.sessionFactory
        there.cookies.update(client.cookies)
        return there

    def close(self) -> None:
        for client in self._opened:
            client._run(client.site.settleSessions())
            if client.site.sessionStore is not None:
                client._run(client.site.sessionStore.close())
            client.close()


@pytest.fixture
def clientOf(makeStore: Stores) -> Iterator[Clients]:
    clients = Clients(makeStore)
    yield clients
    clients.close()


@pytest.fixture
def storedOnly(makeStore: Stores) -> None:
    if makeStore() is None:
        pytest.skip("of objects in memory there is one process's only")


def count(request: Any) -> str:
    data = request.getSession().data
    data["visits"] = data.get("visits", 0) + 1
    return f"{data['visits']}"


def look(request: Any) -> str:
    return f"{request.getSession().data}"


def test_session_data_is_there_at_the_next_visit(clientOf: Clients) -> None:
    client = clientOf(count)
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


def test_session_cookie_is_sent_once(clientOf: Clients) -> None:
    client = clientOf(count)
    assert client.get("/").header("Set-Cookie") is not None
    assert client.get("/").header("Set-Cookie") is None


def test_two_visitors_have_their_own_sessions(clientOf: Clients) -> None:
    client = clientOf(count)
    client.get("/")
    assert clientOf.of(client.site).get("/").text == "1"


@pytest.mark.usefixtures("storedOnly")
def test_session_is_shared_with_other_processes(clientOf: Clients) -> None:
    client = clientOf(count)
    client.get("/")
    there = clientOf.another(client)
    assert there.get("/").text == "2"
    assert client.get("/").text == "3"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(a=2),
        lambda data: data.pop("a"),
        lambda data: data["list"].append(2),
        lambda data: data["dict"].update(x=[None, True, 1.5, "\u00e4\U0001f600"]),
        lambda data: data.clear(),
        lambda data: None,
    ],
)
@pytest.mark.usefixtures("storedOnly")
def test_every_change_of_data_is_kept(clientOf: Clients, change: Callable[[Any], Any]) -> None:
    def visit(request: Any) -> str:
        data = request.getSession().data
        if request.method == b"PUT":
            data.update({"a": 1, "list": [1], "dict": {}})
        elif request.method == b"POST":
            change(data)
        return repr(data)

    client = clientOf(visit)
    client.put("/")
    changed = client.post("/").text
    assert client.get("/").text == clientOf.another(client).get("/").text == changed


async def later(request: Any) -> str:
    await asyncio.sleep(0)
    return count(request)


def written(request: Any) -> int:
    request.write(count(request))
    request.write("")
    request.finish()
    return NOT_DONE_YET


def afterwards(request: Any) -> int:
    data = request.getSession().data
    request.write(f"{data.get('visits', 0) + 1}")
    data["visits"] = data.get("visits", 0) + 1
    request.finish()
    return NOT_DONE_YET


def iterated(request: Any) -> Iterator[str]:
    yield count(request)
    request.getSession().data["end"] = True


async def iteratedLater(request: Any) -> Any:
    yield count(request)
    await asyncio.sleep(0)
    request.getSession().data["end"] = True


class Pull:
    def __init__(self, request: Any) -> None:
        self.request = request
        self.text = list(count(request))
        request.registerProducer(self, False)

    def resumeProducing(self) -> None:
        if self.text:
            self.request.write(self.text.pop(0))
        else:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        pass


def pulled(request: Any) -> int:
    Pull(request)
    return NOT_DONE_YET


@pytest.mark.parametrize(
    "render", [count, later, written, afterwards, iterated, iteratedLater, pulled], ids=lambda f: f.__name__
)
@pytest.mark.usefixtures("storedOnly")
def test_session_is_written_before_the_response_has_ended(clientOf: Clients, render: Any) -> None:
    client = clientOf(render)
    for visit in range(1, 5):
        assert client.get("/").text == f"{visit}"
        there = clientOf.another(client)
        there.site.resource.function = look
        assert f"'visits': {visit}" in there.get("/").text


def test_session_is_written_before_a_file_is_sent(clientOf: Clients, tmp_path: Path) -> None:
    class Counted(File):
        def render_GET(self, request: Any) -> Any:
            count(request)
            return super().render_GET(request)

    (tmp_path / "f.txt").write_bytes(b"file" * 10_000)
    client = clientOf(count)
    client.site.resource = Counted(str(tmp_path))
    for _ in range(2):
        assert client.get("/f.txt").body == b"file" * 10_000
    client.site.resource = Calls(count)
    assert client.get("/").text == "3"


def test_response_that_changed_nothing_is_not_held_up(clientOf: Clients) -> None:
    client = clientOf(count)
    client.get("/")
    client.site.resource.function = look
    for _ in range(3):
        assert client.get("/").text == "{'visits': 1}"


class ICounter(Interface):  # type: ignore[misc]
    count = Attribute("Visits.")


@implementer(ICounter)
class Counter:
    """Keeps what it has in the data of its session."""

    def __init__(self, session: Session) -> None:
        self._data = session.data

    @property
    def count(self) -> int:
        found: int = self._data.get("count", 0)
        return found

    @count.setter
    def count(self, value: int) -> None:
        self._data["count"] = value


registerAdapter(Counter, Session, ICounter)


def test_component_works_on_the_data(clientOf: Clients) -> None:
    def visit(request: Any) -> str:
        ICounter(request.getSession()).count += 1
        return f"{request.getSession(ICounter).count}"

    client = clientOf(visit)
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize("uid", ["", "../../etc/passwd", "0" * 64, "A" * 64, "x" * 5000])
def test_unknown_id_makes_a_new_session(clientOf: Clients, uid: str) -> None:
    client = clientOf(count)
    client.cookies["TWISTED_SESSION"] = uid
    assert client.get("/").text == "1"
    assert client.cookies["TWISTED_SESSION"] != uid
    assert client.get("/").text == "2"


class Short(Session):
    sessionTimeout = 0.5


def test_session_expires(clientOf: Clients) -> None:
    client = clientOf(count, sessionFactory=Short)
    client.get("/")
    client.wait(0.6)
    assert client.get("/").text == "1"
    assert client.site.counter == 2


def test_session_is_kept_alive_by_visits(clientOf: Clients) -> None:
    client = clientOf(look, sessionFactory=Short)
    client.get("/")
    for _ in range(4):
        client.wait(0.15)
        client.get("/")
    assert client.site.counter == 1


def test_time_of_one_session_can_be_changed(clientOf: Clients) -> None:
    def visit(request: Any) -> str:
        session = request.getSession()
        if request.method == b"POST":
            session.sessionTimeout = 60
            session._checkAgain(60)
        return f"{session.sessionTimeout}"

    client = clientOf(visit, sessionFactory=Short)
    client.post("/")
    client.wait(0.6)
    assert client.get("/").text == "60"


def test_expiry_is_told_once(clientOf: Clients) -> None:
    told: list[str] = []

    def visit(request: Any) -> str:
        session = request.getSession()
        if not session.expireCallbacks:
            session.notifyOnExpire(lambda: told.append(f"{session.uid in request.site.sessions}"))
        return count(request)

    client = clientOf(visit, sessionFactory=Short)
    for _ in range(3):
        client.get("/")
        client.wait(0.15)
    assert told == []
    client.wait(0.6)
    assert told == ["False"]
    assert client.site.sessions == {}


@pytest.mark.usefixtures("storedOnly")
def test_expiry_is_not_told_while_other_processes_see_the_visitor(clientOf: Clients) -> None:
    told: list[bool] = []

    def visit(request: Any) -> str:
        request.getSession().notifyOnExpire(lambda: told.append(True))
        return count(request)

    client = clientOf(visit, sessionFactory=Short)
    client.get("/")
    there = clientOf.another(client)
    there.site.resource.function = count
    for _ in range(4):
        client.wait(0.15)
        there.get("/")
    assert told == []
    client.wait(0.7)
    assert told == [True]


def logOut(request: Any) -> str:
    if request.method == b"POST":
        request.getSession().expire()
        return "bye"
    return count(request)


def test_ended_session_is_gone(clientOf: Clients) -> None:
    client = clientOf(logOut)
    client.get("/")
    client.post("/")
    assert client.get("/").text == "1"


@pytest.mark.usefixtures("storedOnly")
def test_session_ended_elsewhere_is_gone_and_told(clientOf: Clients) -> None:
    told: list[bool] = []

    def visit(request: Any) -> str:
        request.getSession().notifyOnExpire(lambda: told.append(True))
        return count(request)

    client = clientOf(visit)
    client.get("/")
    there = clientOf.another(client)
    there.site.resource.function = logOut
    there.post("/")
    assert client.get("/").text == "1"
    assert told == [True]


def test_session_ended_and_asked_for_again_is_another_one(clientOf: Clients) -> None:
    def visit(request: Any) -> str:
        first = request.getSession()
        first.data["a"] = 1
        first.expire()
        return f"{request.getSession() is first} {request.getSession().data}"

    assert clientOf(visit).get("/").text == "False {}"


def logIn(request: Any) -> str:
    session = request.getSession()
    if request.method == b"POST":
        session.data["user"] = "ann"
        assert request.renewSession() is session
    return f"{session.data.get('user')}"


def test_renewed_session_has_its_data_under_a_new_id_only(clientOf: Clients) -> None:
    client = clientOf(logIn)
    assert client.get("/").text == "None"
    planted = client.cookies["TWISTED_SESSION"]
    assert client.post("/").text == "ann"
    assert client.cookies["TWISTED_SESSION"] != planted
    assert client.get("/").text == "ann"
    client.cookies["TWISTED_SESSION"] = planted
    assert client.get("/").text == "None"


def test_session_can_be_renewed_when_it_is_new(clientOf: Clients) -> None:
    client = clientOf(logIn)
    assert len(client.post("/").headers.getRawHeaders("set-cookie", [])) == 1
    assert client.get("/").text == "ann"


@pytest.mark.usefixtures("storedOnly")
def test_requests_at_the_same_time_keep_each_others_changes(clientOf: Clients) -> None:
    async def visit(request: Any) -> str:
        name = request.path.decode()
        data = request.getSession().data
        await asyncio.sleep(0.02)
        if name != "/":
            data[name] = True
        return " ".join(sorted(data))

    async def both() -> None:
        here, there = client._client, other._client
        await asyncio.gather(
            *(one.get(f"/{path}{i}") for i in range(5) for path, one in ((1, here), (2, there)))
        )

    client = clientOf(visit)
    client.get("/")
    other = clientOf.another(client)
    client._run(both())
    # Its connections were made in the loop of the other one.
    client._run(other.site.sessionStore.close())
    expected = sorted(f"/{path}{i}" for i in range(5) for path in (1, 2))
    assert client.get("/").text.split() == expected


def test_requests_at_the_same_time_share_one_session(clientOf: Clients) -> None:
    seen: list[Session] = []

    async def visit(request: Any) -> str:
        seen.append(request.getSession())
        await asyncio.sleep(0.02)
        return "x"

    async def two() -> None:
        await asyncio.gather(client._client.get("/"), client._client.get("/"))

    client = clientOf(visit)
    client.get("/")
    seen.clear()
    client._run(two())
    assert len(seen) == 2
    assert seen[0] is seen[1]


@pytest.mark.usefixtures("storedOnly")
def test_nothing_is_left_in_the_process(clientOf: Clients) -> None:
    client = clientOf(count)
    client.get("/")
    client.get("/")
    client.wait()
    assert client.site.sessions == {}


def test_session_is_written_when_the_client_leaves(clientOf: Clients) -> None:
    async def visit(request: Any) -> str:
        session = request.getSession()
        if request.method == b"POST":
            request.write("begun")
            session.data["left"] = True
            await asyncio.sleep(60)
        return f"{session.data}"

    client = clientOf(visit)
    client.get("/")
    with client.stream("POST", "/") as response:
        response.disconnect()
    client.wait(0.05)
    assert client.get("/").text == "{'left': True}"


def test_session_can_be_loaded_where_it_is_needed(clientOf: Clients) -> None:
    async def visit(request: Any) -> str:
        session = await request.loadSession()
        assert session is request.getSession()
        assert (await request.loadSession(ICounter)).count == 0
        return count(request)

    client = clientOf(visit, preloadSessions=False)
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.usefixtures("storedOnly")
def test_session_that_was_not_loaded_is_refused(clientOf: Clients) -> None:
    def visit(request: Any) -> str:
        with pytest.raises(SessionNotLoaded, match="loadSession"):
            request.getSession()
        return "refused"

    client = clientOf(count, preloadSessions=False)
    client.get("/")
    client.site.resource.function = visit
    assert client.get("/").text == "refused"


def test_site_finds_a_session_outside_of_requests(clientOf: Clients) -> None:
    client = clientOf(count)
    client.get("/")

    async def change() -> None:
        session = await client.site.loadSession(client.cookies["TWISTED_SESSION"].encode())
        session.data["visits"] += 10
        await session.save()
        assert await client.site.loadSession(b"unknown") is None

    client._run(change())
    assert client.get("/").text == "12"


def test_site_below_another_has_its_own_sessions(clientOf: Clients, makeStore: Stores) -> None:
    root = Resource()
    root.putChild("below", Site(Calls(count), sessionStore=makeStore()))
    client = clientOf.of(Site(root))
    assert [client.get("/below/x").text for _ in range(2)] == ["1", "2"]
    inner: Any = root.children[b"below"]
    client._run(inner.settleSessions())
    if inner.sessionStore is not None:
        client._run(inner.sessionStore.close())


@pytest.mark.usefixtures("storedOnly")
def test_value_that_json_cannot_hold_is_a_mistake(
    clientOf: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    def visit(request: Any) -> str:
        request.getSession().data["when"] = object()
        return "x"

    with caplog.at_level(logging.ERROR):
        assert clientOf(visit).get("/").code == 500
    assert "session.data['when'] can't be kept" in caplog.text


class Broken(MemorySessionStore):
    """Fails when it is told to."""

    failing = ()

    async def load(self, uid: bytes) -> Any:
        return await self._unlessFailing("load", super().load(uid))

    async def save(self, *args: Any, **named: Any) -> bool:
        return bool(await self._unlessFailing("save", super().save(*args, **named)))

    async def rename(self, *args: Any) -> bool:
        return bool(await self._unlessFailing("rename", super().rename(*args)))

    async def delete(self, uid: bytes) -> None:
        await self._unlessFailing("delete", super().delete(uid))

    async def _unlessFailing(self, name: str, work: Any) -> Any:
        await asyncio.sleep(0)
        if name in self.failing:
            work.close()
            raise OSError("out of order")
        return await work


@pytest.mark.parametrize("render", [count, written, iterated, pulled], ids=lambda f: f.__name__)
def test_store_that_fails_is_a_503_and_changes_nothing(render: Any, caplog: pytest.LogCaptureFixture) -> None:
    store: Any = Broken()
    with TestClient(Site(Calls(render), sessionStore=store)) as client:
        assert client.get("/").text == "1"
        for operation in ("load", "save"):
            store.failing = (operation,)
            response = client.get("/")
            assert (response.code, response.header("Set-Cookie")) == (503, None)
        store.failing = ()
        client.cookies["other"] = "x"
        assert client.get("/").text == "2"
    assert caplog.text.count("The session store does not answer: OSError: out of order") == 2
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("operation", ["save", "rename"])
def test_login_that_cannot_be_written_leaves_the_old_session(operation: str) -> None:
    store: Any = Broken()
    with TestClient(Site(Calls(logIn), sessionStore=store)) as client:
        client.get("/")
        store.failing = (operation,)
        response = client.post("/")
        assert (response.code, response.header("Set-Cookie")) == (503, None)
        store.failing = ()
        assert client.get("/").text == "None"


def test_first_visit_that_cannot_be_written_leaves_nothing() -> None:
    store: Any = Broken()
    store.failing = ("save",)
    with TestClient(Site(Calls(count), sessionStore=store)) as client:
        response = client.get("/")
        assert (response.code, response.header("Set-Cookie")) == (503, None)
        client.wait()
        assert client.site.sessions == {}


def test_logout_that_cannot_be_written_is_not_claimed() -> None:
    store: Any = Broken()
    with TestClient(Site(Calls(logOut), sessionStore=store)) as client:
        client.get("/")
        store.failing = ("delete",)
        assert client.post("/").code == 503


def test_store_is_set_before_the_site_serves() -> None:
    site = Site(Resource())
    site.sessionStore = store = MemorySessionStore()
    assert site.sessionStore is store
    site.engineService()
    with pytest.raises(RuntimeError):
        site.sessionStore = None
