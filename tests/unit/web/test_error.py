"""Exceptions of the web room."""

from http import HTTPStatus

import pytest

from sennit.web import error


def test_error_takes_int_and_knows_phrase() -> None:
    raised = error.Error(404)
    assert (raised.status, raised.message, raised.response) == (b"404", b"Not Found", None)
    assert str(raised) == "404 Not Found"


@pytest.mark.parametrize("code", [b"404", "404", HTTPStatus.NOT_FOUND])
def test_error_takes_other_forms_of_code(code: bytes | str | int) -> None:
    assert error.Error(code).status == b"404"


@pytest.mark.parametrize("code", [99, 1000, b"4044", b"40", b"abc", "", b"+40", -404])
def test_error_refuses_what_is_no_code(code: bytes | str | int) -> None:
    with pytest.raises(ValueError, match="not a status code"):
        error.Error(code)


def test_error_takes_str_message_and_response() -> None:
    raised = error.Error(600, "nö", "body")
    assert (raised.message, raised.response) == ("nö".encode(), b"body")
    assert str(raised) == "600 nö"


def test_error_of_unknown_code_has_no_message() -> None:
    assert error.Error(599).message is None
    assert str(error.Error(599)) == "599"


def test_unsupported_method_takes_str_and_bytes() -> None:
    assert error.UnsupportedMethod(["GET", b"PUT"]).allowedMethods == (b"GET", b"PUT")


@pytest.mark.parametrize("methods", ["GET", b"GET", None, 5])
def test_unsupported_method_refuses_what_is_no_sequence(methods: object) -> None:
    with pytest.raises(TypeError):
        error.UnsupportedMethod(methods)  # type: ignore[arg-type]


def test_page_redirect_keeps_location() -> None:
    raised = error.PageRedirect(302, location="/x")
    assert raised.location == b"/x"
    assert raised.message == b"Found to /x"


@pytest.mark.parametrize("name", ["NoResource", "ErrorPage", "ForbiddenResource"])
def test_old_pages_are_found_at_both_paths(name: str) -> None:
    from sennit.web import resource

    assert getattr(error, name) is getattr(resource, name)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        error.Nothing  # type: ignore[attr-defined]
