"""Compressed responses: which are, how, and what their heads say."""

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sennit import _engine
from sennit.web.iweb import IRequestEncoder, IRequestEncoderFactory, IResource
from sennit.web.resource import EncodingResourceWrapper, Resource
from sennit.web.server import (
    NOT_DONE_YET,
    Answer,
    BrotliEncoderFactory,
    EncoderFactory,
    GzipEncoderFactory,
    Request,
    Site,
    ZstdEncoderFactory,
    standardEncoders,
)
from sennit.web.static import Data, File
from sennit.web.testing import Response, TestClient
from tests.codings import CODINGS, Decoder, decoded
from tests.unit.web.doubles import Calls

BODY = json.dumps([{"id": number, "name": "a name"} for number in range(300)]).encode()


def typed(contentType: str, result: Any = BODY, **fields: str) -> Calls:
    """A resource that answers with `result` and fields (`cache_control="..."`)."""

    def render(request: Request) -> Any:
        request.setHeader("Content-Type", contentType)
        for name, value in fields.items():
            request.setHeader(name.replace("_", "-"), value)
        return result

    return Calls(render)


def asked(
    resource: Any,
    accept: str | None = "gzip",
    *,
    method: str = "GET",
    target: str = "/",
    encoders: Any = None,
    **fields: str,
) -> Response:
    """What a site with the standard encoders answers."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if accept is not None:
        headers["Accept-Encoding"] = accept
    site = Site(resource, encoders=standardEncoders() if encoders is None else encoders)
    with TestClient(site) as client:
        return client.request(method, target, headers=headers)


def field(response: Response, name: str) -> str | None:
    """All values of a field, joined."""
    values = response.headers.getRawHeaders(name)
    return None if values is None else ", ".join(values)


# The choice


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, br;q=0.8, zstd;q=0", "gzip"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "br"),
        ("x-gzip", "gzip"),
        ("identity", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("deflate", None),
        ("gzip;q=0", None),
        ("", None),
        (None, None),
    ],
)
def test_site_codes_with_what_the_client_likes_best(accept: str | None, coding: str | None) -> None:
    response = asked(typed("application/json"), accept)
    assert field(response, "content-encoding") == coding
    assert field(response, "vary") == "Accept-Encoding"
    assert field(response, "content-length") == str(len(response.body))
    if coding is None:
        assert response.body == BODY


def test_several_accept_encoding_fields_are_one_list() -> None:
    with TestClient(Site(typed("text/plain"), encoders=standardEncoders())) as client:
        response = client.get("/", headers=[("Accept-Encoding", "zstd;q=0.1"), ("Accept-Encoding", "gzip")])
    assert field(response, "content-encoding") == "gzip"


def test_request_headers_that_the_program_changed_count() -> None:
    def render(request: Request) -> bytes:
        request.requestHeaders.removeHeader("accept-encoding")
        return BODY

    assert field(asked(Calls(render)), "content-encoding") is None


@pytest.mark.parametrize(
    "contentType",
    [
        "text/html",
        "Text/Plain; charset=utf-8",
        "application/problem+json",
        "image/svg+xml",
        "application/wasm",
    ],
)
def test_text_of_any_kind_is_coded(contentType: str) -> None:
    assert field(asked(typed(contentType)), "content-encoding") == "gzip"


@pytest.mark.parametrize(
    "contentType", ["image/png", "video/mp4", "application/zip", "font/woff2", "application/octet-stream"]
)
def test_what_is_compressed_by_itself_is_left(contentType: str) -> None:
    response = asked(typed(contentType))
    assert response.body == BODY
    assert field(response, "vary") is None


def test_default_content_type_counts() -> None:
    assert field(asked(Calls(lambda request: BODY)), "content-encoding") == "gzip"


def test_body_without_a_type_is_left() -> None:
    def render(request: Request) -> bytes:
        request.defaultContentType = None
        return BODY

    assert asked(Calls(render)).body == BODY


def test_small_body_is_left() -> None:
    response = asked(typed("text/plain", b"a" * 999))
    assert response.body == b"a" * 999
    assert field(response, "vary") is None
    assert field(asked(typed("text/plain", b"a" * 1000)), "content-encoding") == "gzip"


def test_body_that_would_not_become_smaller_is_left() -> None:
    noise = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(1000))
    response = asked(typed("text/plain", noise))
    assert response.body == noise
    assert field(response, "vary") == "Accept-Encoding"


def test_client_that_refuses_identity_gets_a_coding_where_there_would_be_none() -> None:
    response = asked(typed("image/png", b"tiny"), "gzip, identity;q=0")
    assert field(response, "content-encoding") == "gzip"
    assert field(response, "vary") == "Accept-Encoding"
    assert decoded("gzip", response.body) == b"tiny"


def test_client_that_refuses_everything_gets_the_body_as_it_is() -> None:
    assert asked(typed("text/plain"), "*;q=0").body == BODY


@pytest.mark.parametrize(
    "fields",
    [
        {"content_encoding": "br"},
        {"cache_control": "public, No-Transform"},
        {"content_digest": "sha-256=:AA==:"},
        {"repr_digest": "sha-256=:AA==:"},
        {"content_md5": "AA=="},
    ],
)
def test_response_that_must_stay_as_it_is_does(fields: dict[str, str]) -> None:
    assert asked(typed("text/plain", **fields)).body == BODY


@pytest.mark.parametrize("code", [200, 201, 404, 418, 500, 999])
def test_all_codes_with_a_body_are_coded(code: int) -> None:
    def render(request: Request) -> bytes:
        request.setResponseCode(code)
        return BODY

    assert decoded("gzip", asked(Calls(render)).body) == BODY


@pytest.mark.parametrize("code", [204, 205, 304])
def test_codes_without_a_body_are_not(code: int) -> None:
    def render(request: Request) -> bytes:
        request.setResponseCode(code)
        return BODY

    response = asked(Calls(render))
    assert response.body == b""
    assert field(response, "content-encoding") is None


def test_empty_body_is_not_coded() -> None:
    response = asked(typed("text/plain", b""), "gzip, identity;q=0")
    assert field(response, "content-encoding") is None
    assert field(response, "content-length") == "0"


# The head


def test_vary_is_added_to_what_the_program_varies_by() -> None:
    assert field(asked(typed("text/plain", vary="Cookie")), "vary") == "Cookie, Accept-Encoding"
    assert field(asked(typed("text/plain", vary="a, accept-encoding")), "vary") == "a, accept-encoding"
    assert field(asked(typed("text/plain", vary="*")), "vary") == "*"


def test_strong_entity_tag_becomes_weak() -> None:
    assert field(asked(typed("text/plain", etag='"a"')), "etag") == 'W/"a"'
    assert field(asked(typed("text/plain", etag='W/"a"')), "etag") == 'W/"a"'
    assert field(asked(typed("text/plain", etag='"a"'), "identity"), "etag") == '"a"'


def tagged(request: Request) -> bytes:
    return b"" if request.setETag(b'"a"') else BODY


def test_weak_tag_that_the_client_has_is_answered_with_itself() -> None:
    response = asked(Calls(tagged), if_none_match='W/"a"')
    assert (response.code, field(response, "etag"), field(response, "vary")) == (
        304,
        'W/"a"',
        "Accept-Encoding",
    )


def test_strong_tag_that_the_client_has_is_answered_with_itself() -> None:
    response = asked(Calls(tagged), if_none_match='"a"')
    assert (response.code, field(response, "etag"), field(response, "vary")) == (
        304,
        '"a"',
        "Accept-Encoding",
    )


@pytest.mark.parametrize("accept", ["gzip", "identity"])
def test_head_has_the_fields_of_get(accept: str) -> None:
    resource = typed("text/plain", etag='"a"')
    got, head = asked(resource, accept), asked(resource, accept, method="HEAD")
    assert head.body == b""
    for name in ("content-encoding", "content-length", "etag", "vary", "content-type"):
        assert field(head, name) == field(got, name)


def test_head_tells_no_length_that_nobody_knows() -> None:
    def render(request: Request) -> int:
        request.setHeader("Content-Length", str(len(BODY)))
        if request.method == b"GET":
            request.write(BODY)
        request.finish()
        return NOT_DONE_YET

    for method in ("GET", "HEAD"):
        response = asked(Calls(render), method=method)
        assert field(response, "content-encoding") == "gzip"
        assert field(response, "content-length") is None


# Ways to answer


def written(request: Request) -> int:
    for start in range(0, len(BODY), 100):
        request.write(BODY[start : start + 100])
    request.finish()
    return NOT_DONE_YET


def writtenWithLength(request: Request) -> int:
    request.setHeader("Content-Length", str(len(BODY)))
    return written(request)


def iterated(request: Request) -> Iterator[bytes]:
    for start in range(0, len(BODY), 100):
        yield BODY[start : start + 100]


async def awaited(request: Request) -> bytes:
    return BODY


WAYS: dict[str, Callable[[Request], Any]] = {
    "bytes": lambda request: BODY,
    "str": lambda request: BODY.decode(),
    "Answer": lambda request: Answer(200, [("Content-Type", "text/html")], BODY),
    "write": written,
    "write with a length": writtenWithLength,
    "iterator": iterated,
    "coroutine": awaited,
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("way", WAYS)
def test_body_comes_through_whatever_the_way(way: str, coding: str) -> None:
    response = asked(Calls(WAYS[way]), coding)
    assert field(response, "content-encoding") == coding
    assert decoded(coding, response.body) == BODY
    assert len(response.body) < len(BODY) / 2


@pytest.mark.parametrize("coding", CODINGS)
def test_large_whole_body_is_coded_in_slices(coding: str) -> None:
    body = BODY * 100
    for result in (body, body.decode(), Answer(200, [("Content-Type", "text/plain")], body)):
        response = asked(typed("text/plain", result), coding)
        assert field(response, "transfer-encoding") == "chunked"
        assert decoded(coding, response.body) == body


def test_request_class_with_its_own_write_is_asked() -> None:
    pieces: list[bytes] = []

    class Watching(Request):
        def write(self, data: bytes | str) -> None:
            pieces.append(data if isinstance(data, bytes) else data.encode())
            super().write(data)

    site = Site(Calls(lambda request: BODY), requestFactory=Watching, encoders=standardEncoders())
    with TestClient(site) as client:
        response = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert decoded("gzip", response.body) == BODY
    assert b"".join(pieces) == BODY


def test_error_page_after_a_failure_is_coded_like_any_page() -> None:
    def render(request: Request) -> bytes:
        raise RuntimeError("for the test")

    response = asked(Calls(render), "gzip, identity;q=0")
    assert response.code == 500
    assert b"500" in decoded("gzip", response.body)


def test_length_sent_is_that_of_the_coded_body() -> None:
    lengths = []

    def render(request: Request) -> bytes:
        request.notifyFinish().addCallback(lambda _: lengths.append(request.sentLength))
        return BODY

    response = asked(Calls(render))
    assert lengths == [len(response.body)]


def test_answer_is_coded_once_for_each_coding_and_level() -> None:
    factory = BrotliEncoderFactory()
    factory.compressLevel = 11
    answer = Answer(200, [("Content-Type", "text/plain")], BODY * 6)
    with TestClient(Site(Calls(lambda request: answer), encoders=[factory, GzipEncoderFactory()])) as client:

        def timed(coding: str) -> tuple[float, bytes]:
            begin = time.perf_counter()
            body = client.get("/", headers={"Accept-Encoding": coding}).body
            return time.perf_counter() - begin, body

        (first, body), (second, again) = timed("br"), timed("br")
        assert body == again
        assert second < first / 3
        assert decoded("gzip", timed("gzip")[1]) == BODY * 6
        sizes = []
        for level in (1, 3, 5, 7, 1):
            factory.compressLevel = level
            sizes.append(len(timed("br")[1]))
        assert sizes[0] == sizes[4] > sizes[3] >= len(body)


# Files


def test_file_is_coded_and_its_ranges_are_not(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_bytes(BODY)
    response = asked(File(str(tmp_path)), target="/a.txt")
    assert decoded("gzip", response.body) == BODY
    assert field(response, "accept-ranges") is None
    assert (field(response, "etag") or "").startswith('W/"')
    part = asked(File(str(tmp_path)), target="/a.txt", range="bytes=0-1999")
    assert (part.code, part.body) == (206, BODY[:2000])
    assert field(part, "vary") == "Accept-Encoding"
    assert field(asked(File(str(tmp_path)), target="/a.txt", method="HEAD"), "content-encoding") == "gzip"


def test_file_that_the_kernel_would_send_is_coded(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_bytes(BODY * 100)
    root = File(str(tmp_path))
    response = asked(root, target="/a.txt")
    assert field(response, "transfer-encoding") == "chunked"
    assert decoded("gzip", response.body) == BODY * 100
    head = asked(root, target="/a.txt", method="HEAD")
    assert (field(head, "content-encoding"), field(head, "content-length")) == ("gzip", None)
    part = asked(root, target="/a.txt", range="bytes=5-1000004")
    assert (part.code, part.body) == (206, (BODY * 100)[5:1000005])
    with TestClient(Site(EncodingResourceWrapper(root, [Reversing()], children=True))) as client:
        reverse = client.get("/a.txt", headers={"Accept-Encoding": "reverse"})
    assert reverse.body == (BODY * 100)[::-1]


def test_compressed_sibling_is_sent_as_it_is(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_bytes(BODY)
    (tmp_path / "a.txt.gz").write_bytes(zlib.compress(BODY, 9, 31))
    response = asked(File(str(tmp_path)), target="/a.txt")
    assert response.body == zlib.compress(BODY, 9, 31)
    assert field(response, "content-encoding") == "gzip"


def test_small_file_that_is_sent_often_is_read_anew_when_it_changes(tmp_path: Any) -> None:
    page = tmp_path / "a.txt"
    page.write_bytes(BODY)
    with TestClient(Site(File(str(tmp_path)), encoders=standardEncoders())) as client:
        for body in (BODY, BODY, BODY[::-1] * 2, BODY[::-1] * 2):
            page.write_bytes(body)
            for coding in ("gzip", "identity"):
                response = client.get("/a.txt", headers={"Accept-Encoding": coding})
                coded = field(response, "content-encoding") == "gzip"
                assert coded == (coding == "gzip")
                assert (decoded("gzip", response.body) if coded else response.body) == body


# Options


def test_level_is_that_of_the_factory() -> None:
    fast, small = GzipEncoderFactory(), GzipEncoderFactory()
    fast.compressLevel, small.compressLevel = 1, 9
    sizes = [len(asked(typed("text/plain"), encoders=[factory]).body) for factory in (fast, small)]
    assert sizes[0] > sizes[1]


def test_level_may_be_that_of_a_subclass() -> None:
    class Stored(GzipEncoderFactory):
        compressLevel = 0
        minimumSize = 0

    response = asked(typed("text/plain", "a\n" * 10), "gzip, identity;q=0", encoders=[Stored()])
    assert len(response.body) > 20
    assert decoded("gzip", response.body) == b"a\n" * 10


def test_minimum_size_and_types_are_those_of_the_factory() -> None:
    factory = GzipEncoderFactory()
    factory.minimumSize = 10
    factory.contentTypes = ["image/*", b"application/json"]
    tested = {
        name: field(asked(typed(name, b"a" * 100), encoders=[factory]), "content-encoding")
        for name in ("image/png", "application/json", "text/plain")
    }
    assert tested == {"image/png": "gzip", "application/json": "gzip", "text/plain": None}
    assert field(asked(typed("image/png", b"a" * 9), encoders=[factory]), "content-encoding") is None


def test_factory_that_is_spoiled_later_leaves_the_response_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    factory = GzipEncoderFactory()
    site = Site(typed("text/plain"), encoders=[factory])
    factory.compressLevel = 99
    with TestClient(site) as client:
        assert client.get("/", headers={"Accept-Encoding": "gzip"}).body == BODY
    assert "coding a response" in caplog.text


@pytest.mark.parametrize("level", [-1, 10, 99, "6", None])
def test_site_refuses_a_level_that_there_is_not(level: Any) -> None:
    factory = GzipEncoderFactory()
    factory.compressLevel = level
    with pytest.raises(ValueError, match="from 0 to 9"):
        Site(Resource(), encoders=[factory])


def test_site_refuses_encoders_that_are_not_the_engines() -> None:
    with pytest.raises(TypeError, match="EncodingResourceWrapper"):
        Site(Resource(), encoders=[Reversing()])


def test_encoders_of_a_site_can_be_changed_while_it_serves() -> None:
    site = Site(typed("text/plain"))
    assert site.encoders is None
    with TestClient(site) as client:
        codings = []
        for encoders in (None, [GzipEncoderFactory()], [], None):
            site.encoders = encoders
            codings.append(field(client.get("/", headers={"Accept-Encoding": "gzip"}), "content-encoding"))
    assert codings == [None, "gzip", None, None]


# The wrapper


def wrapped(
    original: Any, encoders: Any = None, accept: str = "gzip", target: str = "/", **options: Any
) -> Response:
    with TestClient(Site(EncodingResourceWrapper(original, encoders, **options))) as client:
        return client.get(target, headers={"Accept-Encoding": accept})


def test_wrapper_codes_what_its_resource_answers() -> None:
    assert decoded("gzip", wrapped(typed("text/plain"), [GzipEncoderFactory()]).body) == BODY
    assert field(wrapped(typed("text/plain"), [GzipEncoderFactory()], "br"), "vary") == "Accept-Encoding"


def test_wrapper_has_the_standard_encoders_by_default() -> None:
    assert field(wrapped(typed("text/plain"), accept="gzip, br, zstd"), "content-encoding") == "zstd"


def test_clients_weights_go_before_the_order_of_the_encoders() -> None:
    encoders = [GzipEncoderFactory(), BrotliEncoderFactory()]
    assert field(wrapped(typed("text/plain"), encoders, "gzip;q=0.5, br"), "content-encoding") == "br"
    assert field(wrapped(typed("text/plain"), encoders, "gzip, br"), "content-encoding") == "gzip"


def test_wrapper_codes_children_only_if_told_to() -> None:
    root = Resource()
    root.putChild("a", typed("text/plain"))
    assert wrapped(root, target="/a").body == BODY
    assert field(wrapped(root, target="/a", children=True), "content-encoding") == "gzip"


def test_wrapper_without_encoders_keeps_the_sites_away() -> None:
    root = Resource()
    root.putChild("plain", EncodingResourceWrapper(typed("text/plain"), []))
    assert asked(root, target="/plain").body == BODY


def test_wrapper_is_what_its_resource_is() -> None:
    original = typed("text/plain")
    original.maxBody = 7
    wrapper = EncodingResourceWrapper(original)
    assert wrapper.isLeaf == original.isLeaf
    assert wrapper.maxBody == 7
    assert wrapper.children is original.children
    assert IResource.providedBy(wrapper)
    child = Data(b"", "text/plain")
    wrapper.putChild("child", child)
    assert original.getStaticEntity("child") is child


class Reversing:
    """A program's own encoder: the body backwards."""

    def encoderForRequest(self, request: Request) -> Any:
        if not (request.getHeader("accept-encoding") or "").startswith("reverse"):
            return None
        request.setHeader("Content-Encoding", "reverse")
        return Reverser()


class Reverser:
    def __init__(self) -> None:
        self.data = b""

    def encode(self, data: bytes) -> bytes:
        self.data += data
        return b""

    def finish(self) -> bytes:
        return self.data[::-1]


@pytest.mark.parametrize("way", WAYS)
def test_programs_own_encoder_is_used(way: str) -> None:
    response = wrapped(Calls(WAYS[way]), [GzipEncoderFactory(), Reversing()], "reverse")
    assert response.body == BODY[::-1]
    assert field(response, "content-encoding") == "reverse"
    assert field(response, "content-length") in (None, str(len(BODY)))


def test_programs_own_encoder_goes_before_those_of_the_site() -> None:
    site = Site(EncodingResourceWrapper(typed("text/plain"), [Reversing()]), encoders=standardEncoders())
    with TestClient(site) as client:
        response = client.get("/", headers={"Accept-Encoding": "reverse, gzip"})
    assert response.body == BODY[::-1]


def test_engines_encoders_stand_in_where_the_programs_own_has_none() -> None:
    response = wrapped(typed("text/plain"), [Reversing(), GzipEncoderFactory()], "gzip")
    assert decoded("gzip", response.body) == BODY


def test_failing_encoder_costs_its_response(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Reverser):
        def encode(self, data: bytes) -> bytes:
            raise RuntimeError("for the test")

    class Factory:
        def encoderForRequest(self, request: Request) -> Any:
            request.setHeader("Content-Encoding", "failing")
            return Failing()

    response = wrapped(typed("text/plain"), [Factory()])
    assert (response.code, field(response, "content-encoding")) == (500, None)
    assert b"500" in response.body
    assert "for the test" in caplog.text


def test_overridden_get_encoder_decides() -> None:
    class Mine(EncodingResourceWrapper):
        def getEncoder(self, request: Request) -> Any:
            factory = BrotliEncoderFactory() if b"br" in request.uri else GzipEncoderFactory()
            return factory.encoderForRequest(request)

    with TestClient(Site(Mine(typed("text/plain"), []))) as client:
        codings = [
            field(client.get(target, headers={"Accept-Encoding": "gzip, br"}), "content-encoding")
            for target in ("/", "/?br")
        ]
    assert codings == ["gzip", "br"]


def test_overridden_encoder_for_request_decides() -> None:
    class Sometimes(GzipEncoderFactory):
        def encoderForRequest(self, request: Request) -> Any:
            return None if b"plain" in request.uri else super().encoderForRequest(request)

    assert wrapped(typed("text/plain"), [Sometimes()], target="/?plain").body == BODY
    assert decoded("gzip", wrapped(typed("text/plain"), [Sometimes()]).body) == BODY


# By hand


@pytest.mark.parametrize("factory", [GzipEncoderFactory(), BrotliEncoderFactory(), ZstdEncoderFactory()])
def test_factories_and_encoders_provide_their_interfaces(factory: EncoderFactory) -> None:
    assert IRequestEncoderFactory.providedBy(factory)
    found: list[Any] = []

    def render(request: Request) -> bytes:
        found.append(factory.encoderForRequest(request))
        return b""

    asked(Calls(render), factory.coding, encoders=[])
    assert IRequestEncoder.providedBy(found[0])
    found.clear()
    asked(Calls(render), "other", encoders=[])
    assert found == [None]


def test_encoder_used_by_hand_sets_the_headers() -> None:
    def render(request: Request) -> bytes:
        request.setHeader("Content-Length", str(len(BODY)))
        encoder = GzipEncoderFactory().encoderForRequest(request)
        coded: bytes = encoder.encode(BODY[:1000]) + encoder.encode(BODY[1000:]) + encoder.finish()
        return coded

    response = asked(Calls(render), encoders=[])
    assert field(response, "content-encoding") == "gzip"
    assert field(response, "content-length") == str(len(response.body))
    assert decoded("gzip", response.body) == BODY


@pytest.mark.parametrize("coding", CODINGS)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), level=st.integers(1, 9))
def test_whatever_goes_in_comes_out(coding: str, data: st.DataObject, level: int) -> None:
    piece = st.one_of(st.binary(max_size=400), st.binary(max_size=5).map(lambda text: text * 300))
    pieces = data.draw(st.lists(st.tuples(piece, st.booleans()), max_size=12))
    encoder, decoder = _engine.Encoder(coding, level), Decoder(coding)
    taken = seen = b""
    for text, flushes in pieces:
        taken += text
        seen += decoder.feed(encoder.encode(text))
        if flushes:
            seen += decoder.feed(encoder.flush())
            assert seen == taken
    seen += decoder.feed(encoder.finish())
    assert decoder.isComplete()
    assert seen == taken


def test_encoder_is_of_no_use_after_its_end() -> None:
    encoder = _engine.Encoder("gzip", 6)
    encoder.finish()
    for call in (encoder.flush, encoder.finish, lambda: encoder.encode(b"a")):
        with pytest.raises(ValueError, match="finished"):
            call()


@pytest.mark.parametrize(
    ("coding", "level"), [("deflate", 6), ("gzip", 10), ("br", 12), ("zstd", 0), ("", 1)]
)
def test_encoder_of_another_coding_or_level_is_refused(coding: str, level: int) -> None:
    with pytest.raises(ValueError):
        _engine.Encoder(coding, level)
