"""Form bodies and their limits."""

import contextlib
import time
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sennit.web._forms import Form, FormLimits, argsOf, formReader, readForm
from sennit.web._requestbodies import encodeBody
from sennit.web.error import Error

URLENCODED = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=b"


def read(body: bytes, kind: bytes, **limits: float) -> Form:
    form = parse(body, kind, **limits)
    assert form is not None
    return form


def parse(body: bytes, kind: bytes, **limits: float) -> Form | None:
    allowed = FormLimits(**{"maxFields": 100, "maxMemory": 10_000, "maxPartHeaderBytes": 1000, **limits})
    reader = formReader(kind, allowed)
    return None if reader is None else readForm(BytesIO(body), reader)


def part(name: str, content: bytes, more: bytes = b"", headers: bytes = b"") -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="' + name.encode() + b'"' + more + b"\r\n"
    return head + headers + b"\r\n" + content + b"\r\n"


def refused(body: bytes, kind: bytes, **limits: float) -> bytes:
    with pytest.raises(Error) as caught:
        parse(body, kind, **limits)
    return caught.value.status


@pytest.mark.parametrize("kind", [b"text/plain", b"application/json", b"", b"multipart/mixed; boundary=b"])
def test_other_types_are_no_forms(kind: bytes) -> None:
    assert parse(b"a=1", kind) is None


@pytest.mark.parametrize("kind", [URLENCODED, URLENCODED.upper(), URLENCODED + b"; charset=utf-8"])
def test_urlencoded_form_is_read(kind: bytes) -> None:
    assert read(b"a=1&a=2&b=%20", kind).fields == {b"a": [b"1", b"2"], b"b": [b" "]}


def test_urlencoded_form_leaves_content_at_start() -> None:
    content = BytesIO(b"a=1")
    content.read()
    reader = formReader(URLENCODED, FormLimits(9, 9, 9))
    assert reader is not None
    readForm(content, reader)
    assert content.read() == b"a=1"


def test_urlencoded_form_with_too_many_fields_is_refused() -> None:
    assert refused(b"a=1&" * 100, URLENCODED, maxFields=100) == b"413"
    assert len(read(b"&".join(b"%d=1" % n for n in range(100)), URLENCODED, maxFields=100).fields) == 100


def test_urlencoded_form_that_is_too_large_is_refused() -> None:
    assert refused(b"a=" + b"x" * 100, URLENCODED, maxMemory=101) == b"413"


def test_multipart_form_has_fields_and_files() -> None:
    body = (
        part("a", b"1")
        + part("f", b"\0\xff", b'; filename="x.png"', b"Content-Type: image/png\r\n")
        + b"--b--\r\n"
    )
    form = read(body, MULTIPART)
    (file,) = form.files["f"]
    assert form.fields == {b"a": [b"1"]}
    assert (file.filename, file.contentType, file.size, file.read()) == ("x.png", "image/png", 2, b"\0\xff")
    assert argsOf(form, 100) == {b"a": [b"1"], b"f": [b"\0\xff"]}


def test_multipart_form_of_client_is_read() -> None:
    content = encodeBody(form={"a": ["1", "2"], "ä": "ö"}, files={"f": ('q".txt', "text", "text/plain")})
    assert content.whole is not None
    form = read(content.whole, dict(content.fields)[b"Content-Type"])
    assert form.fields == {b"a": [b"1", b"2"], "ä".encode(): ["ö".encode()]}
    assert form.files["f"][0].filename == 'q".txt'


def test_multipart_part_without_name_is_dropped() -> None:
    body = b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + part("a", b"1") + b"--b--\r\n"
    assert read(body, MULTIPART).fields == {b"a": [b"1"]}


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_empty_body_is_no_form(kind: bytes) -> None:
    assert parse(b"", kind) is None


def test_multipart_form_ends_at_its_last_boundary() -> None:
    body = part("a", b"1") + b"--b--\r\n" + b"junk" * 50_000
    assert read(body, MULTIPART).fields == {b"a": [b"1"]}


@pytest.mark.parametrize(
    "body",
    [
        b"junk",
        b"--b\r\n",
        part("a", b"1"),
        b"--b\r\nno colon\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n",
    ],
)
def test_multipart_form_that_is_malformed_is_refused(body: bytes) -> None:
    assert refused(body, MULTIPART) == b"400"


@pytest.mark.parametrize(
    "kind", [b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data;="]
)
def test_multipart_form_without_boundary_is_refused(kind: bytes) -> None:
    assert refused(part("a", b"1") + b"--b--\r\n", kind) == b"400"


def test_multipart_form_cut_anywhere_is_refused() -> None:
    body = part("a", b"1" * 20) + part("f", b"2" * 20, b'; filename="x"') + b"--b--"
    for length in range(1, len(body)):
        assert refused(body[:length], MULTIPART) == b"400", length


def test_multipart_form_with_too_many_parts_is_refused() -> None:
    assert refused(part("a", b"1") * 101 + b"--b--", MULTIPART) == b"413"


def test_multipart_limit_counts_all_fields_together() -> None:
    assert refused(part("a", b"x" * 200) * 60 + b"--b--", MULTIPART) == b"413"


def test_multipart_files_do_not_count_as_memory_until_made_args() -> None:
    form = read(part("f", b"x" * 20_000, b'; filename="x"') + b"--b--", MULTIPART)
    assert form.files["f"][0].size == 20_000
    with pytest.raises(Error) as caught:
        argsOf(form, 10_000)
    assert caught.value.status == b"413"


@pytest.mark.parametrize(
    "headers",
    [b"X: " + b"y" * 2000 + b"\r\n", b"X: 1\r\n" * 100, (b"X: " + b"y" * 300 + b"\r\n") * 2],
)
def test_multipart_part_with_long_headers_is_refused(headers: bytes) -> None:
    body = part("a", b"1", headers=headers) + b"--b--"
    assert refused(body, MULTIPART, maxPartHeaderBytes=400) == b"400"


@pytest.mark.parametrize("filling", [b"\r" * 2_000_000, b"\r\n" * 1_000_000, b"\r\n--" * 500_000])
def test_multipart_search_for_boundary_is_linear(filling: bytes) -> None:
    body = part("f", filling, b'; filename="x"') + b"--b--"
    began = time.perf_counter()
    form = read(body, MULTIPART)
    assert time.perf_counter() - began < 5
    assert form.files["f"][0].size == len(filling)


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_multipart_form_raises_nothing_but_error(junk: bytes) -> None:
    for body in (junk, part("a", junk), b"--b\r\n" + junk + b"\r\n\r\n1\r\n--b--"):
        with contextlib.suppress(Error):
            parse(body, MULTIPART)
