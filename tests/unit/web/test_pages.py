"""Error pages: their forms, and that they escape."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sennit.web import pages
from sennit.web._negotiate import HTML, PROBLEM, TEXT, preferredForm
from sennit.web._oldpages import ErrorPage, ForbiddenResource, NoResource
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import Response, TestClient
from tests.unit.web.doubles import Calls, RequestDouble, answered

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


def shown(page: Any, accept: str | None = None, **site: Any) -> Response:
    """The page as a client gets it, from a site with attributes."""
    root = Site(page)
    vars(root).update(site)
    with TestClient(root) as client:
        return client.get("/", headers={} if accept is None else {"Accept": accept})


def test_html_page_has_code_title_and_texts() -> None:
    response = shown(pages.errorPage(402, "Pay", "Swipe your card"))
    assert response.code == 402
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert "<title>402 - Pay</title>" in response.text
    assert "<h1>Pay</h1>" in response.text
    assert "<p>Swipe your card</p>" in response.text


@pytest.mark.parametrize("accept", ["text/html", "text/plain", "application/json"])
def test_every_form_forbids_sniffing_and_varies(accept: str) -> None:
    response = shown(pages.notFound(), accept)
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert response.header("Vary") == "Accept"


def test_html_page_escapes() -> None:
    body = shown(pages.errorPage(404, EVIL, EVIL)).text
    assert "<script" not in body
    assert "&lt;script&gt;" in body


@pytest.mark.parametrize("accept", [None, b"text/html", b"text/html, */*;q=0.1", b"text/html," + b"x" * 1000])
def test_html_page_is_rendered_once(accept: bytes | None) -> None:
    request: Any = RequestDouble() if accept is None else RequestDouble(accept=accept)
    page: Any = pages.notFound()
    first = page.render(RequestDouble())
    assert [page.render(request) for _ in range(2)] == [first, first]


def test_page_keeps_forms_apart_for_any_number_of_clients() -> None:
    page = pages.notFound()
    for number in range(100):
        for form in ("text/html", "text/plain", "application/problem+json"):
            request: Any = RequestDouble(accept=f"{form}, x/{number}".encode())
            answer: Any = page.render(request)
            first: Any = page.render(RequestDouble(accept=form.encode()))  # type: ignore[arg-type]
            assert answer is first
    assert len(page._answers) < 50  # type: ignore[attr-defined]
    assert len({shown(page, form).body for form in ("text/html", "text/plain", "application/json")}) == 3


def test_problem_page_is_problem_details() -> None:
    response = shown(pages.errorPage(404, "Not here", EVIL), "application/json")
    assert response.header("Content-Type") == "application/problem+json"
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": "Not here",
        "status": 404,
        "detail": EVIL,
    }


def test_text_page_is_plain() -> None:
    response = shown(pages.errorPage(404, "Not here", "Gone ö"), "text/plain")
    assert response.header("Content-Type") == "text/plain; charset=utf-8"
    assert response.body == "404 - Not here\n\nGone ö\n".encode()


@pytest.mark.parametrize(
    ("accept", "end"), [("text/plain", b"x\n"), ("text/html", b"</h1>\n</body>\n</html>\n")]
)
def test_page_without_detail_leaves_it_out(accept: str, end: bytes) -> None:
    assert shown(pages.errorPage(404, "x", ""), accept).body.endswith(end)


@pytest.mark.parametrize(("make", "code"), [(pages.notFound, 404), (pages.forbidden, 403)])
def test_shortcuts_have_their_codes(make: Any, code: int) -> None:
    assert shown(make()).code == code


def test_page_leaves_cookies_and_headers_of_the_program() -> None:
    page = pages.notFound()

    def render(request: Any) -> Any:
        request.addCookie("a", "b")
        request.setHeader("X-Own", "1")
        request.setHeader("Vary", "Cookie")
        return page.render(request)

    response = answered(render)
    assert (response.code, response.header("Set-Cookie"), response.header("X-Own")) == (404, "a=b", "1")
    assert response.header("Vary") == "Accept"


def test_page_answers_below_itself_except_static_children() -> None:
    page, child, request = pages.notFound(), Resource(), RequestDouble()
    page.putChild("a", child)
    assert page.getChildWithDefault(b"a", request) is child  # type: ignore[arg-type]
    assert page.getChildWithDefault(b"b", request) is page  # type: ignore[arg-type]


def test_child_below_a_page_is_served() -> None:
    root, page = Resource(), pages.notFound()
    root.putChild("gone", page)
    page.putChild("not-quite", Calls(lambda request: "here"))
    with TestClient(Site(root)) as client:
        assert client.get("/gone/not-quite").text == "here"
        assert [client.get(path).code for path in ("/gone", "/gone/x", "/gone/x/y")] == [404] * 3


def test_nothing_can_be_put_below_the_page_of_unknown_children() -> None:
    request: Any = RequestDouble()
    page: Any = Resource().getChild(b"a", request)
    with pytest.raises(RuntimeError, match=r"pages\.notFound"):
        page.putChild("b", Calls(lambda request: "leaked"))
    with TestClient(Site(Resource())) as client:
        assert client.get("/a/b").code == 404


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
    errorPages = {404: pages.errorPage(410, "gone", ""), 410: pages.errorPage(404, "lost", "")}
    assert "<h1>gone</h1>" in shown(pages.notFound(), errorPages=errorPages).text


def test_page_without_a_replacement_for_its_code_shows_itself() -> None:
    errorPages = {410: pages.errorPage(404, "lost", "")}
    assert "<h1>here</h1>" in shown(pages.errorPage(404, "here", ""), errorPages=errorPages).text


@pytest.mark.parametrize(("make", "code"), [(NoResource, 404), (ForbiddenResource, 403)])
def test_old_page_warns_and_works(make: Any, code: int) -> None:
    with pytest.warns(DeprecationWarning, match=r"sennit\.web\.pages") as caught:
        page = make("<b>")
    assert caught[0].filename == __file__
    response = shown(page)
    assert response.code == code
    assert "<p>&lt;b&gt;</p>" in response.text


def test_old_page_takes_template_and_escapes_into_it() -> None:
    class Own(ErrorPage):
        template = "%(code)s %(brief)s %(detail)s"

    with pytest.warns(DeprecationWarning, match="Own"):
        page = Own(404, "<i>", "d")
    assert shown(page).body == b"404 &lt;i&gt; d"
