"""The wrapper that asks for a login: challenges, avatars, errors, logouts; Basic and Digest, as clients see
them."""

import asyncio
import subprocess
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sennit.cred._interfaces import ICredentialFactory
from sennit.cred.checkers import (
    ANONYMOUS,
    AllowAnonymousAccess,
    HtpasswdFile,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from sennit.cred.credentials import IUsernamePassword, UsernamePassword
from sennit.cred.error import LoginDenied, LoginFailed, Unauthorized, UnauthorizedLogin
from sennit.cred.portal import IRealm, Portal
from sennit.internet.defer import Deferred, fail, succeed
from sennit.web import error, pages
from sennit.web.guard import BasicCredentialFactory, DigestCredentialFactory, HTTPAuthSessionWrapper
from sennit.web.iweb import IResource
from sennit.web.resource import Resource
from sennit.web.server import NOT_DONE_YET, Site
from sennit.web.testing import BrokenResponse, Response, TestClient
from tests.conftest import FindClient


class Avatar(Resource):
    """Tells who it is for, and which path was asked for."""

    isLeaf = True

    def __init__(self, name: Any) -> None:
        super().__init__()
        self.name = name

    def render_GET(self, request: Any) -> str:
        return f"{self.name!r} {request.prepath} {request.postpath}"


@implementer(IRealm)
class Realm:
    """Gives avatars, as `make` says, and remembers who logs in and out."""

    def __init__(self, make: Callable[[Any], Any] = Avatar) -> None:
        self.make = make
        self.log: list[Any] = []

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        assert mind is None
        if IResource not in interfaces:
            raise NotImplementedError
        self.log.append(avatarId)
        return IResource, self.make(avatarId), lambda: self.log.append("out")


class Later(Realm):
    """As a realm, but async: `wrap` makes something awaitable of a coroutine."""

    def __init__(self, wrap: Callable[[Any], Any] = lambda coroutine: coroutine) -> None:
        super().__init__()
        self.wrap = wrap

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        async def give() -> Any:
            await asyncio.sleep(0.001)
            return Realm.requestAvatar(self, avatarId, mind, *interfaces)

        return self.wrap(give())


BASIC = BasicCredentialFactory("members")
CHECKERS = (InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret"),)


def wrapperOf(realm: Any = None, factories: Any = (BASIC,), checkers: Any = CHECKERS) -> Any:
    return HTTPAuthSessionWrapper(Portal(realm or Realm(), checkers), factories)


def clientOf(*arguments: Any, **options: Any) -> TestClient:
    root = Resource()
    root.putChild("members", wrapperOf(*arguments, **options))
    return TestClient(Site(root))


def basic(text: bytes | str = b"joe:secret") -> dict[str, bytes]:
    data = text.encode() if isinstance(text, str) else text
    return {"Authorization": b"Basic " + b64encode(data)}


JOE = basic()


class TestAvatar:
    @pytest.mark.parametrize("makeRealm", [Realm, Later, lambda: Later(Deferred.fromCoroutine)])
    @pytest.mark.parametrize(
        ("path", "places"),
        [
            ("/members", "[b'members'] []"),
            ("/members/", "[b'members'] [b'']"),
            ("/members/a/b", "[b'members'] [b'a', b'b']"),
        ],
    )
    def test_answers_for_the_rest_of_the_path(self, makeRealm: Any, path: str, places: str) -> None:
        with clientOf(makeRealm()) as client:
            response = client.get(path, headers=JOE)
        assert (response.code, response.text) == (200, f"b'joe' {places}")

    def test_may_stand_at_the_root(self) -> None:
        with TestClient(Site(wrapperOf())) as client:
            assert client.get("/a", headers=JOE).text == "b'joe' [] [b'a']"
            assert client.get("/a").code == 401

    def test_may_have_children(self) -> None:
        def make(name: Any) -> Resource:
            top = Resource()
            top.putChild("a", Avatar(name))
            return top

        with clientOf(Realm(make)) as client:
            assert client.get("/members/a", headers=JOE).code == 200
            assert client.get("/members/b", headers=JOE).code == 404

    @pytest.mark.parametrize("path", ["/members", "/members/a"])
    @pytest.mark.parametrize("makeRealm", [Realm, Later])
    def test_is_asked_once_for_head(self, path: str, makeRealm: Any) -> None:
        realm = makeRealm()
        with clientOf(realm) as client:
            response = client.head(path, headers=JOE)
        assert (response.code, response.body) == (200, b"")
        assert realm.log == [b"joe", "out"]

    @pytest.mark.parametrize("makeRealm", [Realm, Later])
    def test_that_knows_get_alone_is_asked_by_one_login(self, makeRealm: Any) -> None:
        class Plain(Avatar):
            def render(self, request: Any) -> str:
                if request.method != b"GET":
                    raise error.UnsupportedMethod([b"GET"])
                return "got"

        realm = makeRealm()
        realm.make = Plain
        with clientOf(realm) as client:
            assert client.head("/members", headers=JOE).code == 200
        assert realm.log == [b"joe", "out"]

    def test_refuses_methods_for_itself(self) -> None:
        with clientOf() as client:
            response = client.post("/members", headers=JOE)
        assert (response.code, response.header("Allow")) == (405, "GET, HEAD")

    def test_may_render_later(self) -> None:
        class Slow(Avatar):
            async def render_GET(self, request: Any) -> str:  # type: ignore[override]
                await asyncio.sleep(0.001)
                return "late"

        with clientOf(Later()) as client:
            client.site.resource.children[b"members"]._portal.realm.make = Slow
            assert client.get("/members", headers=JOE).text == "late"

    def test_gets_the_body(self) -> None:
        class Echo(Resource):
            isLeaf = True

            def render_POST(self, request: Any) -> bytes:
                content: bytes = request.content.read()
                return content

        with clientOf(Realm(lambda name: Echo())) as client:
            assert client.post("/members", headers=JOE, body=b"x" * 100).body == b"x" * 100

    def test_upload_of_a_stranger_is_refused_before_it_is_sent(self) -> None:
        wrapper = wrapperOf()
        wrapper.streamsBody = True
        sent: list[int] = []

        def body() -> Any:
            for number in range(1000):
                sent.append(number)
                yield b"x" * 100_000

        with TestClient(Site(wrapper)) as client, client.stream("POST", "/", body=body()) as response:
            assert response.code == 401
        assert len(sent) < 1000


class TestRefusal:
    @pytest.mark.parametrize("path", ["/members", "/members/", "/members/a/b"])
    def test_is_401_with_a_challenge(self, path: str) -> None:
        with clientOf() as client:
            response = client.get(path)
        assert response.code == 401
        assert response.headers.getRawHeaders("WWW-Authenticate") == ['basic realm="members"']
        assert "Unauthorized" in response.text

    def test_has_no_body_for_head(self) -> None:
        with clientOf() as client:
            response = client.head("/members")
        assert (response.code, response.body) == (401, b"")
        assert response.header("WWW-Authenticate") == 'basic realm="members"'

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
    def test_is_for_every_method(self, method: str) -> None:
        with clientOf() as client:
            assert client.request(method, "/members").code == 401

    @pytest.mark.parametrize(
        "header",
        [
            b"Basic " + b64encode(b"joe:guess"),
            b"Basic " + b64encode(b"ann:secret"),
            b"Basic " + b64encode(b"joe"),
            b"Basic %%%",
            b"Basic",
            b"Basic \xff",
            b"Bearer " + b64encode(b"joe:secret"),
            b"",
            b64encode(b"joe:secret"),
        ],
    )
    def test_is_for_other_credentials(self, header: bytes) -> None:
        realm = Realm()
        with clientOf(realm) as client:
            assert client.get("/members", headers={"Authorization": header}).code == 401
        assert realm.log == []

    def test_is_for_two_credentials(self) -> None:
        with clientOf() as client:
            twice = [("Authorization", JOE["Authorization"])] * 2
            assert client.get("/members", headers=twice).code == 401

    def test_quotes_what_is_in_a_realm(self) -> None:
        with clientOf(factories=[BasicCredentialFactory('a "b" \\ c\r\nX: y')]) as client:
            response = client.get("/members")
        assert (response.header("WWW-Authenticate") or "").startswith(r'basic realm="a \"b\" \\ c')
        assert response.header("X") is None

    def test_offers_every_scheme(self) -> None:
        factories = [
            DigestCredentialFactory("SHA-256", "members"),
            DigestCredentialFactory("MD5", "x"),
            BASIC,
        ]
        with clientOf(factories=factories) as client:
            offers = client.get("/members").headers.getRawHeaders("WWW-Authenticate")
        assert [offer.partition(" ")[0] for offer in offers or []] == ["digest", "digest", "basic"]

    def test_page_can_be_replaced(self) -> None:
        with clientOf() as client:
            client.site.errorPages[401] = pages.errorPage(401, "Members only", "")
            response = client.get("/members")
            assert "Members only" in response.text
            assert response.header("WWW-Authenticate") == 'basic realm="members"'

    @pytest.mark.parametrize("kind", [LoginDenied, Unauthorized, LoginFailed])
    @pytest.mark.parametrize("wrap", [fail, None])
    def test_is_what_a_realm_can_decide(self, kind: type[Exception], wrap: Any) -> None:
        class Strict(Realm):
            def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
                if wrap is None:
                    raise kind("not you")
                return wrap(kind("not you"))

        with clientOf(Strict()) as client:
            assert client.get("/members", headers=JOE).code == 401


class TestErrors:
    @pytest.mark.parametrize("path", ["/members", "/members/a"])
    @pytest.mark.parametrize("wrap", [fail, None])
    def test_of_a_checker_are_logged_and_answered_with_500(self, path: str, wrap: Any, caplog: Any) -> None:
        class Broken:
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: Any) -> Any:
                if wrap is None:
                    raise RuntimeError("the table is gone")
                return wrap(RuntimeError("the table is gone"))

        with clientOf(checkers=[Broken()]) as client:
            response = client.get(path, headers=JOE)
        assert response.code == 500
        assert "the table is gone" not in response.text
        assert "the table is gone" in caplog.text

    def test_with_a_code_are_answered_with_it(self) -> None:
        class Busy(Realm):
            async def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
                await asyncio.sleep(0)
                raise error.Error(503, "later")

        with clientOf(Busy()) as client:
            assert client.get("/members", headers=JOE).code == 503
            assert client.get("/members/a", headers=JOE).code == 503

    def test_of_an_avatar_are_its_own(self, caplog: Any) -> None:
        class Broken(Avatar):
            def render_GET(self, request: Any) -> str:
                raise RuntimeError("broken avatar")

        with clientOf(Realm(Broken)) as client:
            assert client.get("/members", headers=JOE).code == 500
        assert "broken avatar" in caplog.text

    def test_of_a_factory_are_errors(self, caplog: Any) -> None:
        class Broken(BasicCredentialFactory):
            def decode(self, response: Any, request: Any) -> Any:
                raise RuntimeError("broken factory")

        with clientOf(factories=[Broken("members")]) as client:
            assert client.get("/members", headers=JOE).code == 500
        assert "broken factory" in caplog.text


class TestAnonymous:
    def test_visitor_is_let_in_if_a_checker_does(self) -> None:
        with clientOf(checkers=[AllowAnonymousAccess(), *CHECKERS]) as client:
            assert client.get("/members").text == f"{ANONYMOUS!r} [b'members'] []"
            assert client.get("/members", headers=JOE).text == "b'joe' [b'members'] []"

    def test_visitor_with_wrong_password_is_not(self) -> None:
        with clientOf(checkers=[AllowAnonymousAccess(), *CHECKERS]) as client:
            assert client.get("/members", headers=basic("joe:guess")).code == 401


class TestLogout:
    def test_is_called_when_the_response_is_finished(self) -> None:
        realm = Realm()
        with clientOf(realm) as client:
            client.get("/members/a", headers=JOE)
            assert realm.log == [b"joe", "out"]
            client.get("/members/a", headers=JOE)
        assert realm.log == [b"joe", "out"] * 2

    def test_is_called_when_the_response_fails(self, caplog: Any) -> None:
        class Broken(Avatar):
            def render_GET(self, request: Any) -> str:
                request.write(b"x")
                raise RuntimeError("midway")

        realm = Realm(Broken)
        with clientOf(realm) as client, pytest.raises(BrokenResponse):
            client.get("/members", headers=JOE)
        assert realm.log == [b"joe", "out"]

    def test_is_called_when_the_client_leaves(self) -> None:
        class Endless(Avatar):
            def render_GET(self, request: Any) -> Any:
                request.write(b"x")
                return NOT_DONE_YET

        realm = Realm(Endless)
        with clientOf(realm) as client:
            with client.stream("GET", "/members", headers=JOE) as response:
                next(response.pieces())
                assert realm.log == [b"joe"]
                response.disconnect()
            assert realm.log == [b"joe", "out"]

    @pytest.mark.parametrize("path", ["/members", "/members/a"])
    def test_is_called_when_the_client_left_during_the_login(self, path: str) -> None:
        class Stubborn(Realm):
            async def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    pass
                return Realm.requestAvatar(self, avatarId, mind, *interfaces)

        realm = Stubborn()
        with clientOf(realm) as client:
            client._client.timeout = 0.05
            with pytest.raises(TimeoutError):
                client.get(path, headers=JOE)
            client.wait()
        assert realm.log == [b"joe", "out"]

    def test_may_be_async(self) -> None:
        class Polite(Realm):
            def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
                async def logout() -> None:
                    await asyncio.sleep(0.001)
                    self.log.append("gone")

                return IResource, Avatar(avatarId), logout

        realm = Polite()
        with clientOf(realm) as client:
            assert client.get("/members", headers=JOE).code == 200
            client.wait(0.01)
        assert realm.log == ["gone"]

    @pytest.mark.parametrize("wrap", [fail, None])
    def test_that_fails_is_logged_and_hurts_nobody(self, wrap: Any, caplog: Any) -> None:
        class Rude(Realm):
            def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
                def logout() -> Any:
                    if wrap is None:
                        raise RuntimeError("slammed door")
                    return wrap(RuntimeError("slammed door"))

                return IResource, Avatar(avatarId), logout

        with clientOf(Rude()) as client:
            assert client.get("/members", headers=JOE).code == 200
        assert "slammed door" in caplog.text

    def test_is_not_called_for_those_who_were_refused(self) -> None:
        realm = Realm()
        with clientOf(realm) as client:
            client.get("/members", headers=basic("joe:guess"))
        assert realm.log == []


class TestBasic:
    def test_provides_its_interface(self) -> None:
        assert verifyObject(ICredentialFactory, BASIC)
        assert verifyObject(ICredentialFactory, DigestCredentialFactory("md5", "members"))

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            (b"am9lOnNlY3JldA==", (b"joe", b"secret")),
            (b"am9lOnNlY3JldA", (b"joe", b"secret")),
            (b"am9lOnNlY3JldA====", (b"joe", b"secret")),
            ("am9lOnNlOmNyZXQ=", (b"joe", b"se:cret")),
            (b"Og==", (b"", b"")),
        ],
    )
    def test_reads_name_and_password(self, text: Any, shown: tuple[bytes, bytes]) -> None:
        read = BASIC.decode(text, None)
        assert isinstance(read, UsernamePassword)
        assert (read.username, read.password) == shown

    @pytest.mark.parametrize("text", [b"", b"am9l", b"a", b"am9l OnNl", b"\xe9", "é"])
    def test_refuses_what_is_none(self, text: Any) -> None:
        with pytest.raises(LoginFailed):
            BASIC.decode(text, None)

    def test_takes_text_in_utf8(self) -> None:
        with clientOf(checkers=[InMemoryUsernamePasswordDatabaseDontUse(jörg="grün")]) as client:
            assert client.get("/members", headers=basic("jörg:grün")).code == 200

    def test_goes_with_htpasswd(self, tmp_path: Any) -> None:
        import bcrypt

        path = tmp_path / "htpasswd"
        path.write_bytes(b"joe:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(4)))
        with clientOf(checkers=[HtpasswdFile(path)]) as client:
            for target in ("/members", "/members/a", "/members/a"):
                assert client.get(target, headers=JOE).code == 200
            assert client.get("/members/a", headers=basic("joe:guess")).code == 401


class Token:
    """A scheme of a program's own, with text where it likes."""

    scheme = "Token"

    def getChallenge(self, request: Any) -> dict[str, Any]:
        return {"realm": "machines"}

    def decode(self, response: bytes, request: Any) -> Any:
        if response != b"0123":
            raise UnauthorizedLogin
        return UsernamePassword("joe", "secret")


def test_scheme_of_ones_own_can_be_offered() -> None:
    with clientOf(factories=[BASIC, Token()]) as client:
        offers = client.get("/members").headers.getRawHeaders("WWW-Authenticate")
        assert offers == ['basic realm="members"', 'token realm="machines"']
        assert client.get("/members", headers={"Authorization": "TOKEN  0123"}).code == 200
        assert client.get("/members", headers={"Authorization": "Token 4567"}).code == 401


class TestDigest:
    """With curl, which does the sums its own way; the sums by themselves are in tests/unit/cred."""

    def answer(self, challenge: str, target: str, count: int = 1) -> dict[str, str]:
        """What a client answers to a challenge of this server."""
        from tests.unit.cred.test_digest import answerTo

        pairs = [part.partition("=") for part in challenge.removeprefix("digest ").split(", ")]
        parameters = {name: value.strip('"').encode() for name, _, value in pairs}
        fields = answerTo(parameters, uri=target, nc=f"{count:08x}")
        return {"Authorization": "Digest " + fields.decode()}

    def client(self) -> TestClient:
        return clientOf(factories=[DigestCredentialFactory("MD5", "members")])

    def challenge(self, response: Response) -> str:
        assert response.code == 401
        return response.header("WWW-Authenticate") or ""

    def test_algorithm_and_stale_are_not_quoted(self) -> None:
        with self.client() as client:
            challenge = self.challenge(client.get("/members"))
        assert "algorithm=MD5," in challenge
        assert 'qop="auth"' in challenge
        assert "stale" not in challenge

    def test_right_answer_is_let_in_again_and_again(self) -> None:
        with self.client() as client:
            challenge = self.challenge(client.get("/members"))
            for count in (1, 2, 3):
                response = client.get("/members/a", headers=self.answer(challenge, "/members/a", count))
                assert response.code == 200

    @pytest.mark.parametrize("algorithms", [["SHA-256", "MD5"], ["MD5", "SHA-256"]])
    @pytest.mark.parametrize("chosen", [0, 1])
    def test_any_challenge_can_be_answered(self, algorithms: list[str], chosen: int) -> None:
        with clientOf(factories=[DigestCredentialFactory(name, "members") for name in algorithms]) as client:
            challenges = client.get("/members").headers.getRawHeaders("WWW-Authenticate") or []
            headers = self.answer(challenges[chosen], "/members")
            assert client.get("/members", headers=headers).code == 200

    def test_replay_is_refused_as_stale(self) -> None:
        with self.client() as client:
            headers = self.answer(self.challenge(client.get("/members")), "/members")
            assert client.get("/members", headers=headers).code == 200
            assert "stale=true" in self.challenge(client.get("/members", headers=headers))
            assert "stale" not in self.challenge(client.get("/members"))

    def test_old_challenge_is_refused_as_stale(self) -> None:
        factory = DigestCredentialFactory("MD5", "members")
        with clientOf(factories=[factory]) as client:
            headers = self.answer(self.challenge(client.get("/members")), "/members")
            factory.digest.CHALLENGE_LIFETIME_SECS = -1
            fresh = self.challenge(client.get("/members", headers=headers))
            assert "stale=true" in fresh
            factory.digest.CHALLENGE_LIFETIME_SECS = 900
            assert client.get("/members", headers=self.answer(fresh, "/members")).code == 200

    def test_answer_opens_no_other_page_and_no_other_method(self) -> None:
        with self.client() as client:
            headers = self.answer(self.challenge(client.get("/members")), "/members")
            assert client.get("/members?a", headers=headers).code == 401
            assert client.get("/members/a", headers=headers).code == 401
            assert client.head("/members", headers=headers).code == 401
            assert client.get("/members", headers=headers).code == 200

    def test_answer_of_another_client_is_stale(self) -> None:
        with self.client() as client:
            headers = self.answer(self.challenge(client.get("/members")), "/members")
            other = TestClient(client.site, peer=("10.9.9.9", 1))
            with other:
                assert "stale=true" in self.challenge(other.get("/members", headers=headers))

    def test_client_of_a_unix_socket_can_log_in(self) -> None:
        with TestClient(self.client().site, peer="/run/x.sock", host="/run/x.sock") as client:
            headers = self.answer(self.challenge(client.get("/members")), "/members")
            assert client.get("/members", headers=headers).code == 200

    @pytest.mark.parametrize("algorithms", [["MD5"], ["SHA-256"], ["sha-256", "md5"], [b"md5", b"sha-256"]])
    @pytest.mark.parametrize("password", ["secret", "guess"])
    def test_real_client_logs_in(self, algorithms: list[Any], password: str, find_client: FindClient) -> None:
        curl = find_client("curl")
        realm = Realm()
        factories = [DigestCredentialFactory(algorithm, 'a "b" \\ c') for algorithm in algorithms]
        root = Resource()
        root.putChild("members", wrapperOf(realm, factories))

        async def main() -> str:
            async with Site(root).start() as port:
                url = f"http://127.0.0.1:{port.getHost().port}/members/a?b=c"
                command = [curl, "-sS", "--max-time", "20", "-w", "|%{http_code}", "--digest"]
                done = await asyncio.to_thread(
                    subprocess.run,
                    [*command, "-u", f"joe:{password}", url, url],
                    capture_output=True,
                    text=True,
                    timeout=30,
                    check=False,
                )
                return done.stdout + done.stderr

        output = asyncio.run(main())
        if password == "secret":
            assert output == "b'joe' [b'members'] [b'a']|200" * 2
            assert realm.log == [b"joe", "out"] * 2
        else:
            assert output.count("|401") == 2
            assert realm.log == []


def test_login_that_takes_time_does_not_hold_up_others() -> None:
    waiting: Deferred[Any] = Deferred()

    class Slow:
        credentialInterfaces = (IUsernamePassword,)

        def requestAvatarId(self, credentials: Any) -> Any:
            return waiting if credentials.password == b"slow" else succeed(b"quick")

    with clientOf(checkers=[Slow()]) as client:
        client._client.timeout = 0.02
        with pytest.raises(TimeoutError):
            client.get("/members/a", headers=basic("joe:slow"))
        assert client.get("/members/a", headers=basic("joe:quick")).code == 200
    assert waiting.called
