"""Resources by host."""

from typing import Any

import pytest

from sennit.internet.address import IPv4Address
from sennit.web.pages import notFound
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import Response, TestClient
from sennit.web.vhost import NameVirtualHost, VHostMonsterResource, VirtualHostCollection
from tests.unit.web.doubles import Calls, clientOf


def named(name: str) -> Resource:
    """A leaf that tells its name and the rest of the path."""
    return Calls(lambda request: f"{name}:{b'/'.join(request.postpath).decode()}")


class Tree(Resource):
    """A tree with an index and a page, that tells its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.putChild("", Calls(lambda request: name))
        self.putChild("page", Calls(lambda request: f"{name} page"))


def asked(hosts: NameVirtualHost, host: str, target: str = "/") -> Response:
    with TestClient(Site(hosts)) as client:
        return client.get(target, headers={"Host": host})


def withHosts(*names: bytes | str) -> NameVirtualHost:
    hosts = NameVirtualHost()
    for number, name in enumerate(names):
        hosts.addHost(name, named(str(number)))
    return hosts


@pytest.mark.parametrize(
    "name", ["example.org", b"example.org", "Example.ORG", b"example.org:8080", "example.org."]
)
@pytest.mark.parametrize(
    "host", ["example.org", "EXAMPLE.org", "example.org:80", "example.org:8080", "example.org."]
)
def test_host_is_found_whatever_its_type_case_and_port(name: bytes | str, host: str) -> None:
    assert asked(withHosts(name), host, "/a/b").text == "0:a/b"


def test_hosts_are_kept_apart() -> None:
    hosts = withHosts("a.example", b"b.example")
    assert asked(hosts, "b.example").text == "1:"
    assert asked(hosts, "a.example").text == "0:"


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8000"])
def test_ipv6_address_is_a_host(host: str) -> None:
    assert asked(withHosts("[::1]", "[::2]"), host).text == "0:"


def test_international_name_is_what_browsers_send() -> None:
    assert asked(withHosts("b\u00fccher.example"), "xn--bcher-kva.example").text == "0:"


def test_name_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError):
        NameVirtualHost().addHost(5, notFound())  # type: ignore[arg-type]


@pytest.mark.parametrize(("target", "text"), [("/", "tree"), ("/page", "tree page")])
def test_tree_is_walked_from_its_root(target: str, text: str) -> None:
    hosts = NameVirtualHost()
    hosts.addHost("a", Tree("tree"))
    assert asked(hosts, "a", target).text == text


def test_hosts_below_a_path() -> None:
    hosts = withHosts("a")
    root = Resource()
    root.putChild("below", hosts)
    with TestClient(Site(root), headers={"Host": "a"}) as client:
        assert client.get("/below/x/y").text == "0:x/y"
        assert client.get("/below").text == "0:"


def test_unknown_host_gets_the_default() -> None:
    hosts = withHosts("a")
    hosts.default = Tree("default")
    assert asked(hosts, "b").text == "default"
    assert asked(hosts, "a").text == "0:"


@pytest.mark.parametrize("target", ["/", "/a/b"])
def test_unknown_host_without_default_is_a_404(target: str) -> None:
    response = asked(withHosts("a"), "unknown.example", target)
    assert response.code == 404
    assert "unknown.example" in response.text


def askedWith(hosts: NameVirtualHost, host: bytes | None) -> Response:
    """The answer to a Host that the engine refuses, but a resource in between may set."""

    def render(request: Any) -> Any:
        request.requestHeaders.setRawHeaders(b"host", [] if host is None else [host])
        return hosts.render(request)

    return clientOf(render).get("/")


def test_page_for_an_unknown_host_is_escaped() -> None:
    response = askedWith(NameVirtualHost(), b"<script>alert(1)</script>\xff" + b"x" * 1000)
    assert response.code == 404
    assert b"<script" not in response.body
    assert b"&lt;script&gt;" in response.body
    assert len(response.body) < 1000
    assert response.header("X-Content-Type-Options") == "nosniff"


def test_request_without_host_gets_the_default_or_a_404() -> None:
    hosts = withHosts("a")
    assert askedWith(hosts, None).code == 404
    hosts.default = Calls(lambda request: "default")
    assert askedWith(hosts, None).text == "default"


def test_removed_host_is_gone() -> None:
    hosts = withHosts("a", "b")
    hosts.removeHost(b"A:80")
    assert asked(hosts, "a").code == 404
    with pytest.raises(KeyError):
        hosts.removeHost("a")


def test_own_children_come_first() -> None:
    hosts = withHosts("a")
    hosts.putChild("same", named("everywhere"))
    assert asked(hosts, "a", "/same").text == "everywhere:"


def test_child_of_a_host_may_be_awaited() -> None:
    class Later(Resource):
        async def getChild(self, path: bytes, request: Any) -> Resource:
            return named(path.decode())

    hosts = NameVirtualHost()
    hosts.addHost("a", Later())
    assert asked(hosts, "a", "/x").text == "x:"


def test_collection_shows_and_changes_hosts() -> None:
    hosts = withHosts("a")
    collection = hosts.getStaticEntity("Virtual Hosts")
    assert isinstance(collection, VirtualHostCollection)
    assert collection.listStaticNames() == [b"a"]
    assert dict(collection.listStaticEntities()) == hosts.hosts
    collection.reallyPutEntity("B", named("b"))
    assert collection.getStaticEntity(b"b") is hosts.hosts[b"b"]
    collection.delEntity("b")
    assert collection.getStaticEntity("b") is None
    assert [name for name, _ in hosts.listStaticEntities()] == [b"Virtual Hosts"]
    assert hosts.getStaticEntity("other") is None


class Asked(Resource):
    """Answers every path with what the request says of its address."""

    isLeaf = True

    def render(self, request: Any) -> str:
        host = request.getHost()
        seen = [
            request.path,
            request.uri,
            b"/".join(request.prepath),
            b"/".join(request.postpath),
            request.getHeader(b"host"),
            request.prePathURL(),
        ]
        assert isinstance(host, IPv4Address)
        text = [part.decode() for part in seen]
        return " ".join([*text, host.host, str(host.port), str(request.isSecure())])


def monsterSite() -> Site:
    root = Resource()
    root.putChild("vhost", VHostMonsterResource())
    root.putChild("a", Asked())
    root.putChild("", Calls(lambda request: "index"))
    below = Resource()
    below.putChild("vhost", VHostMonsterResource())
    root.putChild("below", below)
    return Site(root)


@pytest.mark.parametrize("before", ["/vhost", "/below/vhost"])
@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/http/x.org/a", "/a /a a  x.org http://x.org/a x.org 80 False"),
        (
            "/http/x.org:81/a/b%20c?q=/1",
            "/a/b%20c /a/b%20c?q=/1 a b c x.org:81 http://x.org:81/a x.org 81 False",
        ),
        ("/https/x.org:443/a/", "/a/ /a/ a  x.org https://x.org/a x.org 443 True"),
    ],
)
def test_monster_answers_as_the_host_it_is_told(before: str, target: str, text: str) -> None:
    with TestClient(monsterSite()) as client:
        assert client.get(before + target).text == text


def test_monster_over_tls_can_be_plain() -> None:
    with TestClient(monsterSite(), secure=True, host=("127.0.0.1", 443)) as client:
        assert client.get("/vhost/http/x.org/a").text == "/a /a a  x.org http://x.org/a x.org 80 False"


@pytest.mark.parametrize("target", ["/vhost/http/x.org/", "/vhost/http/x.org", "/vhost/http/x.org?q"])
def test_monster_without_a_path_is_the_index(target: str) -> None:
    with TestClient(monsterSite()) as client:
        assert client.get(target).text == "index"


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/",
        "/ftp/x.org/a",
        "/http",
        "/http/",
        "/http//a",
        "/http/x.org:0/a",
        "/http/x.org:99999/a",
        "/http/x.org:y/a",
        "/http/x%0D%0Ay:z/a",
        "/http/a%2Fb/a",
        "/http/user@host/a",
        "/http/x.org/vhost/http/y.org/a",
    ],
)
def test_monster_refuses_what_is_no_host(rest: str) -> None:
    with TestClient(monsterSite()) as client:
        assert client.get("/vhost" + rest).code == 404


def test_monster_reaches_name_virtual_hosts() -> None:
    hosts = withHosts("x.org")
    hosts.putChild("vhost", VHostMonsterResource())
    assert asked(hosts, "proxy", "/vhost/http/X.org:8080/p/q").text == "0:p/q"


def test_monster_takes_ipv6_addresses() -> None:
    hosts = withHosts("[::1]")
    hosts.putChild("vhost", VHostMonsterResource())
    assert asked(hosts, "proxy", "/vhost/https/[::1]:444/p").text == "0:p"
