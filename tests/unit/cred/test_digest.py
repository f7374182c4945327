"""Digests: challenges, what is taken as an answer to one, the sums themselves, and replays."""

import hashlib
import time
from typing import Any

import pytest

from sennit.cred._digest import UsedNonces, parseFields
from sennit.cred.credentials import DigestCredentialFactory, DigestedCredentials
from sennit.cred.error import LoginFailed, StaleNonce

MUFASA = b"Circle of Life"

# The example of RFC 7616 section 3.9.1.
RFC_FIELDS = {
    "username": b"Mufasa",
    "realm": b"http-auth@example.org",
    "uri": b"/dir/index.html",
    "nonce": b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": b"00000001",
    "cnonce": b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": b"auth",
}
RFC_RESPONSES = {
    b"MD5": b"8ca523f5e9506fed4657c9700eebdbec",
    b"SHA-256": b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


def answerTo(challenge: dict[str, bytes], password: str = "secret", **changed: Any) -> bytes:
    """A client's answer to a challenge; `changed` fields, None for none, are signed as they are."""
    values: dict[str, str] = {key: value.decode() for key, value in challenge.items() if key != "stale"}
    values |= {"username": "joe", "uri": "/a", "nc": "00000001", "cnonce": "c", "qop": "auth"}
    values |= {key: value for key, value in changed.items() if value is not None}
    kind = {"md5": "md5", "sha": "sha1", "sha-256": "sha256"}[values["algorithm"].lower()]

    def hashed(*parts: str) -> str:
        return hashlib.new(kind, ":".join(parts).encode()).hexdigest()

    ha1 = hashed(values["username"], values["realm"], password)
    ha2 = hashed("GET", values["uri"])
    middle = (values["nonce"], values["nc"], values["cnonce"], values["qop"])
    values.setdefault("response", hashed(ha1, *middle, ha2))
    return ", ".join(
        f'{key}="{value}"' for key, value in values.items() if key not in changed or changed[key] is not None
    ).encode()


def decoded(factory: DigestCredentialFactory, response: bytes, **options: Any) -> DigestedCredentials:
    return factory.decode(response, b"GET", options.pop("host", "10.0.0.1"), **options)


@pytest.fixture
def factory() -> DigestCredentialFactory:
    return DigestCredentialFactory("SHA-256", "members")


class TestSums:
    @pytest.mark.parametrize("algorithm", RFC_RESPONSES)
    def test_are_those_of_the_rfc(self, algorithm: bytes) -> None:
        fields = {**RFC_FIELDS, "algorithm": algorithm, "response": RFC_RESPONSES[algorithm]}
        shown = DigestedCredentials(b"Mufasa", b"GET", b"http-auth@example.org", fields)
        assert shown.checkPassword(MUFASA)
        assert not shown.checkPassword(b"circle of life")

    def test_hash_of_the_password_is_enough(self) -> None:
        fields = {**RFC_FIELDS, "algorithm": b"MD5", "response": RFC_RESPONSES[b"MD5"].upper()}
        shown = DigestedCredentials(b"Mufasa", b"GET", b"http-auth@example.org", fields)
        stored = hashlib.md5(b"Mufasa:http-auth@example.org:" + MUFASA).hexdigest()
        assert shown.checkHash(stored)
        assert shown.checkHash(stored.upper().encode())
        assert not shown.checkHash(hashlib.md5(b"other").hexdigest())

    @pytest.mark.parametrize("changed", ["method", "realm", "uri", "nonce", "nc", "cnonce", "response"])
    def test_cover_every_field(self, changed: str) -> None:
        fields = {**RFC_FIELDS, "algorithm": b"MD5", "response": RFC_RESPONSES[b"MD5"]}
        others = {"method": b"GET", "realm": b"http-auth@example.org"}
        (others if changed in others else fields)[changed] = b"x"
        shown = DigestedCredentials(b"Mufasa", others["method"], others["realm"], fields)
        assert not shown.checkPassword(MUFASA)


class TestFields:
    @pytest.mark.parametrize(
        ("text", "fields"),
        [
            (b'A="x, y=z", b=c', {"a": b"x, y=z", "b": b"c"}),
            (rb'a="\"\\x\y"', {"a": b'"\\xy'}),
            (b' a = "" ,, b=/x?y=z , ', {"a": b"", "b": b"/x?y=z"}),
            (b"", {}),
        ],
    )
    def test_are_read(self, text: bytes, fields: dict[str, bytes]) -> None:
        assert parseFields(text) == fields

    @pytest.mark.parametrize(
        "text", [b"a", b'a="x', b"a=x b=y", b"a=x, A=y", b'="x"', b'a="x"y', b"a=", b"\xff=x"]
    )
    def test_malformed_are_refused(self, text: bytes) -> None:
        with pytest.raises(LoginFailed):
            parseFields(text)

    def test_long_ones_take_no_long_time(self) -> None:
        with pytest.raises(LoginFailed):
            parseFields(b'a="' + b"\\x" * 500_000)


class TestChallenge:
    def test_says_what_is_wanted(self, factory: DigestCredentialFactory) -> None:
        challenge = factory.getChallenge("10.0.0.1")
        assert sorted(challenge) == ["algorithm", "nonce", "opaque", "qop", "realm"]
        assert (challenge["algorithm"], challenge["qop"], challenge["realm"]) == (
            b"SHA-256",
            b"auth",
            b"members",
        )

    def test_is_another_each_time(self, factory: DigestCredentialFactory) -> None:
        nonces = {factory.getChallenge("10.0.0.1")["nonce"] for _ in range(10)}
        assert len(nonces) == 10

    def test_says_that_the_last_one_was_stale(self, factory: DigestCredentialFactory) -> None:
        assert factory.getChallenge("10.0.0.1", stale=True)["stale"] == b"true"

    def test_algorithm_must_be_known(self) -> None:
        with pytest.raises(ValueError, match="crc32"):
            DigestCredentialFactory("crc32", "members")


class TestAnswer:
    @pytest.mark.parametrize("algorithm", ["md5", b"MD5", "SHA-256", b"sha"])
    @pytest.mark.parametrize("realm", ["members", b"members"])
    def test_right_one_is_taken(self, algorithm: Any, realm: Any) -> None:
        factory = DigestCredentialFactory(algorithm, realm)
        shown = decoded(factory, answerTo(factory.getChallenge(b"10.0.0.1")))
        assert shown.username == b"joe"
        assert shown.checkPassword("secret")

    def test_wrong_password_is_not(self, factory: DigestCredentialFactory) -> None:
        shown = decoded(factory, answerTo(factory.getChallenge("10.0.0.1"), "guess"))
        assert not shown.checkPassword(b"secret")

    @pytest.mark.parametrize("uri", [b"/a", "/a", "http://host/a"])
    def test_may_be_for_the_uri_in_either_form(self, factory: DigestCredentialFactory, uri: Any) -> None:
        for signed in ("/a", "http://host/a"):
            decoded(factory, answerTo(factory.getChallenge("10.0.0.1"), uri=signed), uri=uri)

    @pytest.mark.parametrize("uri", [b"/b", b"/a?b", b"*", b"http://host/"])
    def test_is_not_taken_for_another_uri(self, factory: DigestCredentialFactory, uri: bytes) -> None:
        with pytest.raises(LoginFailed, match="URI"):
            decoded(factory, answerTo(factory.getChallenge("10.0.0.1")), uri=uri)

    @pytest.mark.parametrize(
        "name", ["username", "realm", "nonce", "opaque", "uri", "response", "qop", "nc", "cnonce"]
    )
    def test_must_have_every_field(self, factory: DigestCredentialFactory, name: str) -> None:
        with pytest.raises(LoginFailed, match=name):
            decoded(factory, answerTo(factory.getChallenge("10.0.0.1"), **dict[str, Any]({name: None})))

    @pytest.mark.parametrize(
        "changed",
        [{"realm": "others"}, {"algorithm": "md5"}, {"qop": "auth-int"}, {"nc": "1"}, {"nc": "0000000g"}],
        ids=str,
    )
    def test_must_be_what_was_asked_for(
        self, factory: DigestCredentialFactory, changed: dict[str, str]
    ) -> None:
        with pytest.raises(LoginFailed):
            decoded(factory, answerTo(factory.getChallenge("10.0.0.1"), **changed))

    def test_name_may_be_in_the_extended_form(self, factory: DigestCredentialFactory) -> None:
        answer = answerTo(factory.getChallenge("10.0.0.1"), "secret", username="jörg")
        extended = answer.replace('username="jörg"'.encode(), b"username*=UTF-8''j%C3%B6rg")
        assert extended != answer
        shown = decoded(factory, extended)
        assert shown.username == "jörg".encode()
        assert shown.checkPassword(b"secret")

    @pytest.mark.parametrize("name", [b"latin1''joe", b"UTF-8'joe", b'"joe", username="joe"'])
    def test_name_must_be_clear(self, factory: DigestCredentialFactory, name: bytes) -> None:
        answer = answerTo(factory.getChallenge("10.0.0.1")).replace(b'username="joe"', b"username*=" + name)
        with pytest.raises(LoginFailed, match="username"):
            decoded(factory, answer)


class TestStaleness:
    def later(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + seconds)

    def test_challenge_is_good_for_its_lifetime(
        self, factory: DigestCredentialFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = answerTo(factory.getChallenge("10.0.0.1"))
        self.later(monkeypatch, factory.CHALLENGE_LIFETIME_SECS - 5)
        assert decoded(factory, answer).checkPassword(b"secret")
        self.later(monkeypatch, 10)
        with pytest.raises(StaleNonce):
            decoded(factory, answer)

    def test_challenge_is_good_for_its_client_only(self, factory: DigestCredentialFactory) -> None:
        with pytest.raises(StaleNonce):
            decoded(factory, answerTo(factory.getChallenge("10.0.0.1")), host="10.0.0.2")

    @pytest.mark.parametrize("name", ["nonce", "opaque"])
    @pytest.mark.parametrize("value", ["x", "5-", "\xff-\xff"])
    def test_made_up_challenge_is_stale(
        self, factory: DigestCredentialFactory, name: str, value: str
    ) -> None:
        with pytest.raises(StaleNonce):
            decoded(factory, answerTo(factory.getChallenge("10.0.0.1"), **{name: value}))

    def test_time_can_not_be_changed(self, factory: DigestCredentialFactory) -> None:
        challenge = factory.getChallenge("10.0.0.1")
        issued, _, seal = challenge["opaque"].decode().partition("-")
        with pytest.raises(StaleNonce):
            decoded(factory, answerTo(challenge, opaque=f"{int(issued, 16) + 1:x}-{seal}"))

    def test_challenge_of_another_factory_is_stale_unless_the_key_is_shared(
        self, factory: DigestCredentialFactory
    ) -> None:
        other = DigestCredentialFactory("SHA-256", "members")
        answer = answerTo(other.getChallenge("10.0.0.1"))
        with pytest.raises(StaleNonce):
            decoded(factory, answer)
        factory.privateKey = other.privateKey
        assert decoded(factory, answer).checkPassword(b"secret")


class TestReplay:
    def test_is_refused_and_told(self, factory: DigestCredentialFactory) -> None:
        answer = answerTo(factory.getChallenge("10.0.0.1"))
        replays: list[int] = []
        assert decoded(factory, answer, onReplay=lambda: replays.append(1)).checkPassword(b"secret")
        assert replays == []
        assert not decoded(factory, answer, onReplay=lambda: replays.append(2)).checkPassword(b"secret")
        assert replays == [2]

    def test_same_credentials_can_be_checked_twice(self, factory: DigestCredentialFactory) -> None:
        shown = decoded(factory, answerTo(factory.getChallenge("10.0.0.1")))
        assert shown.checkPassword(b"secret")
        assert shown.checkPassword(b"secret")

    def test_wrong_answer_uses_nothing_up(self, factory: DigestCredentialFactory) -> None:
        challenge = factory.getChallenge("10.0.0.1")
        assert not decoded(factory, answerTo(challenge, "guess")).checkPassword(b"secret")
        assert decoded(factory, answerTo(challenge)).checkPassword(b"secret")

    def test_next_count_is_taken(self, factory: DigestCredentialFactory) -> None:
        challenge = factory.getChallenge("10.0.0.1")
        for count in ("00000001", "00000002", "0000000a"):
            assert decoded(factory, answerTo(challenge, nc=count)).checkPassword(b"secret")

    def test_is_refused_even_if_checking_takes_longer_than_the_lifetime(
        self, factory: DigestCredentialFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = answerTo(factory.getChallenge("10.0.0.1"))
        first, second = decoded(factory, answer), decoded(factory, answer)
        assert first.checkPassword(b"secret")
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 10_000)
        assert not second.checkPassword(b"secret")


class TestUsedNonces:
    def test_counts_may_come_in_any_order_once(self) -> None:
        used = UsedNonces()
        order = [3, 1, 2, 300, 299, 45, 1000, 745]
        assert [used.claim(b"n", 5, count, 0) for count in order] == [True] * len(order)
        assert [used.claim(b"n", 5, count, 0) for count in order] == [False] * len(order)

    def test_counts_too_far_back_are_refused(self) -> None:
        used = UsedNonces()
        assert used.claim(b"n", 5, 1000, 0)
        assert not used.claim(b"n", 5, 1000 - UsedNonces.WINDOW, 0)
        assert used.claim(b"n", 5, 1001 - UsedNonces.WINDOW, 0)

    def test_largest_count_is_taken(self) -> None:
        used = UsedNonces()
        assert used.claim(b"n", 5, 1, 0)
        assert used.claim(b"n", 5, 0xFFFFFFFF, 0)
        assert not used.claim(b"n", 5, 1, 0)

    def test_count_of_nothing_is_refused(self) -> None:
        used = UsedNonces()
        assert not used.claim(b"n", 5, 0, 0)
        assert used.claim(b"n", 5, 1, 0)
        assert not used.claim(b"n", 5, 0, 0)

    def test_nonces_are_independent(self) -> None:
        used = UsedNonces()
        assert used.claim(b"n", 5, 1, 0)
        assert used.claim(b"m", 5, 1, 0)

    def test_memory_is_bounded_and_what_is_forgotten_is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(UsedNonces, "CAPACITY", 3)
        used = UsedNonces()
        for number in range(1, 6):
            assert used.claim(b"%d" % number, number, 1, 0)
        assert len(used._nonces) == 3
        assert not used.claim(b"1", 1, 1, 0)
        assert not used.claim(b"2", 2, 2, 0)
        assert used.claim(b"3", 3, 2, 0)

    def test_old_ones_are_forgotten_and_refused(self) -> None:
        used = UsedNonces()
        for number in range(1, 6):
            assert used.claim(b"%d" % number, number, 1, 0)
        assert used.claim(b"9", 9, 1, 5)
        assert list(used._nonces) == [b"5", b"9"]
        assert not used.claim(b"4", 4, 2, 5)
