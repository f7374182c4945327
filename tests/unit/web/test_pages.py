"""Error pages: their forms, and that they escape."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sennit.web import pages
from sennit.web._negotiate import HTML, PROBLEM, TEXT, preferredForm
from sennit.web._oldpages import ErrorPage, ForbiddenResource, NoResource
from sennit.web.resource import Resource
from tests.unit.web.doubles import RequestDouble

EVIL = "<script>alert('x')</script>&"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, HTML),
        (b"*/*", HTML),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        (b"application/json", PROBLEM),
        (b"application/problem+json", PROBLEM),
        (b"Application/JSON, */*;q=0.1", PROBLEM),
        (b"text/plain", TEXT),
        (b"text/plain;q=0.9, text/html;q=0.5", TEXT),
        (b"text/*", HTML),
        (b"text/html;q=0, */*", PROBLEM),
        (b"application/json;q=0.5, text/html;q=0.6", HTML),
        (b"image/png", HTML),
        (b"application/json;q=x", HTML),
        (b"application/json;q=7", HTML),
        (b"", HTML),
        (b"x" * 1000 + b",text/plain", TEXT),
    ],
)
def test_form_follows_accept(accept: bytes | None, form: bytes) -> None:
    assert preferredForm(accept) == form


def shown(page: Resource, **headers: Any) -> tuple[RequestDouble, bytes]:
    request: Any = RequestDouble(**headers)
    body: Any = page.render(request)
    return request, body


def test_html_page_has_code_title_and_texts() -> None:
    request, body = shown(pages.errorPage(402, "Pay", "Swipe your card"))
    assert request.code == 402
    assert request.answerHeaders[b"Content-Type"] == b"text/html; charset=utf-8"
    assert b"<title>402 - Pay</title>" in body
    assert b"<h1>Pay</h1>" in body
    assert b"<p>Swipe your card</p>" in body


@pytest.mark.parametrize("accept", [b"text/html", b"text/plain", b"application/json"])
def test_every_form_forbids_sniffing_and_varies(accept: bytes) -> None:
    request, _ = shown(pages.notFound(), accept=accept)
    assert request.answerHeaders[b"X-Content-Type-Options"] == b"nosniff"
    assert request.answerHeaders[b"Vary"] == b"Accept"


def test_html_page_escapes() -> None:
    _, body = shown(pages.errorPage(404, EVIL, EVIL))
    assert b"<script" not in body
    assert b"&lt;script&gt;" in body


def test_html_page_is_rendered_once() -> None:
    page = pages.notFound()
    assert shown(page)[1] is shown(page)[1]


def test_problem_page_is_problem_details() -> None:
    request, body = shown(pages.errorPage(404, "Not here", EVIL), accept=b"application/json")
    assert request.answerHeaders[b"Content-Type"] == b"application/problem+json"
    assert json.loads(body) == {"type": "about:blank", "title": "Not here", "status": 404, "detail": EVIL}


def test_text_page_is_plain() -> None:
    request, body = shown(pages.errorPage(404, "Not here", "Gone ö"), accept=b"text/plain")
    assert request.answerHeaders[b"Content-Type"] == b"text/plain; charset=utf-8"
    assert body == "404 - Not here\n\nGone ö\n".encode()


@pytest.mark.parametrize(
    ("accept", "end"), [(b"text/plain", b"x\n"), (b"text/html", b"</h1>\n</body>\n</html>\n")]
)
def test_page_without_detail_leaves_it_out(accept: bytes, end: bytes) -> None:
    _, body = shown(pages.errorPage(404, "x", ""), accept=accept)
    assert body.endswith(end)


@pytest.mark.parametrize(("make", "code"), [(pages.notFound, 404), (pages.forbidden, 403)])
def test_shortcuts_have_their_codes(make: Any, code: int) -> None:
    assert shown(make())[0].code == code


def test_page_answers_below_itself_except_static_children() -> None:
    page, child, request = pages.notFound(), Resource(), RequestDouble()
    page.putChild("a", child)
    assert page.getChildWithDefault(b"a", request) is child  # type: ignore[arg-type]
    assert page.getChildWithDefault(b"b", request) is page  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [404, None, 0])
def test_site_replaces_page_by_resource(key: int | None) -> None:
    class Own(Resource):
        def render(self, request: Any) -> bytes:
            return b"own"

    request: Any = RequestDouble()
    request.site = SimpleNamespace(errorPages={key: Own()})
    assert pages.notFound().render(request) == b"own"
    assert request.code == 404


def test_site_replaces_page_by_function() -> None:
    request: Any = RequestDouble()
    request.site = SimpleNamespace(errorPages={404: lambda *told: told[1:]})
    assert pages.notFound("brief", "detail").render(request) == (404, "brief", "detail")


def test_site_pages_that_name_each_other_end() -> None:
    request: Any = RequestDouble()
    request.site = SimpleNamespace(
        errorPages={404: pages.errorPage(410, "gone", ""), 410: pages.errorPage(404, "lost", "")}
    )
    body: Any = pages.notFound().render(request)
    assert b"<h1>gone</h1>" in body


@pytest.mark.parametrize(("make", "code"), [(NoResource, 404), (ForbiddenResource, 403)])
def test_old_page_warns_and_works(make: Any, code: int) -> None:
    with pytest.warns(DeprecationWarning, match=r"sennit\.web\.pages") as caught:
        page = make("<b>")
    assert caught[0].filename == __file__
    request, body = shown(page)
    assert request.code == code
    assert b"<p>&lt;b&gt;</p>" in body


def test_old_page_takes_template_and_escapes_into_it() -> None:
    class Own(ErrorPage):
        template = "%(code)s %(brief)s %(detail)s"

    with pytest.warns(DeprecationWarning, match="Own"):
        page = Own(404, "<i>", "d")
    assert shown(page)[1] == b"404 &lt;i&gt; d"
