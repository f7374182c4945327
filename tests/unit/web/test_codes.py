"""Status codes and their phrases."""

from http import HTTPStatus

import pytest

from sennit.web import _codes

# In the standard library's table, but with another phrase or not registered any more in the same form.
STDLIB_PHRASES_WE_DIFFER_FROM = {413, 414, 416, 418, 422}


@pytest.mark.parametrize("status", [s for s in HTTPStatus if s not in STDLIB_PHRASES_WE_DIFFER_FROM])
def test_responses_has_registered_phrase(status: HTTPStatus) -> None:
    assert _codes.RESPONSES[status].decode("ascii") == status.phrase


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        (413, b"Content Too Large"),
        (414, b"URI Too Long"),
        (416, b"Range Not Satisfiable"),
        (418, b"I'm a teapot"),
        (422, b"Unprocessable Content"),
        (429, b"Too Many Requests"),
        (451, b"Unavailable For Legal Reasons"),
        (511, b"Network Authentication Required"),
    ],
)
def test_responses_has_phrase_of_rfc_9110(code: int, phrase: bytes) -> None:
    assert _codes.RESPONSES[code] == phrase


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SWITCHING", 101),
        ("MULTIPLE_CHOICE", 300),
        ("NOT_ALLOWED", 405),
        ("PROXY_AUTH_REQUIRED", 407),
        ("REQUEST_ENTITY_TOO_LARGE", 413),
        ("REQUEST_URI_TOO_LONG", 414),
        ("REQUESTED_RANGE_NOT_SATISFIABLE", 416),
        ("INSUFFICIENT_STORAGE_SPACE", 507),
        ("METHOD_NOT_ALLOWED", 405),
        ("CONTENT_TOO_LARGE", 413),
    ],
)
def test_codes_has_both_names(name: str, code: int) -> None:
    assert getattr(_codes, name) == code


def test_codes_exports_every_constant() -> None:
    constants = {name for name in vars(_codes) if name.isupper() and not name.startswith("_")}
    assert set(_codes.__all__) == constants


def test_http_exports_codes_and_tools() -> None:
    from sennit.web import http

    assert (http.PAYMENT_REQUIRED, http.RESPONSES[402], http.NO_BODY_CODES) == (
        402,
        b"Payment Required",
        (204, 304),
    )
    assert http.responses is http.RESPONSES
    assert all(hasattr(http, name) for name in http.__all__)
