"""The examples of the lessons, as a reader runs them, asked over HTTP; each test is a claim of a lesson."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .network import free_port
from .processes import EXAMPLES, PYTHON, Example, Process


@pytest.fixture(scope="module")
def example(request: pytest.FixtureRequest) -> Iterator[Example]:
    """The example that a class of tests names in its attribute `program`, running for all of them."""
    with Example(request.param) as example:
        yield example


def of(name: str) -> pytest.MarkDecorator:
    """The tests of a class ask this example."""
    return pytest.mark.parametrize("example", [name], indirect=True, ids=[""])


def wait_for(condition: object, seconds: float = 5) -> None:
    """Return once `condition()` is true."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@of("static_content.py")
class TestStaticContent:
    def test_file_is_sent_as_it_is(self, example: Example) -> None:
        answer = httpx.get(f"{example.base}/static_content.py")
        assert answer.content == (EXAMPLES / "static_content.py").read_bytes()
        assert answer.headers["Content-Type"].startswith("text/x-python")

    def test_directory_is_listed(self, example: Example) -> None:
        answer = httpx.get(f"{example.base}/")
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "static_content.py" in answer.text
        assert httpx.get(f"{example.base}/scripts").headers["Location"] == "/scripts/"

    def test_known_file_is_not_sent_again(self, example: Example) -> None:
        first = httpx.get(f"{example.base}/static_content.py")
        second = httpx.get(
            f"{example.base}/static_content.py", headers={"If-None-Match": first.headers["ETag"]}
        )
        assert (second.status_code, second.content) == (304, b"")

    def test_nothing_outside_is_sent(self, example: Example) -> None:
        assert httpx.get(f"{example.base}/%2e%2e/README.md").status_code == 404


@of("generated_page.py")
class TestGeneratedPage:
    def test_page_is_made_anew(self, example: Example) -> None:
        first, second = httpx.get(example.base), httpx.get(example.base)
        assert first.text != second.text
        assert first.headers["Cache-Control"] == "no-store"

    def test_what_the_client_sent_is_escaped(self, example: Example) -> None:
        answer = httpx.get(example.base, headers={"User-Agent": "<b>me</b>"})
        assert "You use &lt;b&gt;me&lt;/b&gt;." in answer.text


@of("static_dispatch.py")
class TestStaticDispatch:
    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("/", "The front page\n"),
            ("/fruit", "All the fruit: apple, pear\n"),
            ("/fruit/apple", "An apple\n"),
            ("/fruit/pear", "A pear\n"),
            ("/src/static_dispatch.py", (EXAMPLES / "static_dispatch.py").read_text()),
        ],
    )
    def test_each_place_has_its_page(self, example: Example, path: str, text: str) -> None:
        assert httpx.get(example.base + path).text == text

    @pytest.mark.parametrize("path", ["/fruit/plum", "/fruit/", "/vegetables"])
    def test_other_places_are_not_found(self, example: Example, path: str) -> None:
        assert httpx.get(example.base + path).status_code == 404


@of("guest_book.py")
class TestGuestBook:
    def test_line_is_added_and_escaped(self, example: Example) -> None:
        answer = httpx.post(f"{example.base}/", data={"line": "<Ada> was here"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        assert "<li>&lt;Ada&gt; was here</li>" in httpx.get(f"{example.base}/").text

    @pytest.mark.parametrize("form", [{}, {"line": ""}, {"line": "x" * 81}, {"name": "x"}])
    def test_form_without_a_line_is_400(self, example: Example, form: dict[str, str]) -> None:
        assert httpx.post(f"{example.base}/", data=form).status_code == 400

    def test_multipart_is_read_too(self, example: Example) -> None:
        httpx.post(f"{example.base}/", files={"line": (None, "in parts")})
        assert "<li>in parts</li>" in httpx.get(f"{example.base}/").text

    def test_large_form_is_413(self, example: Example) -> None:
        assert httpx.post(f"{example.base}/", data={"line": "x" * 10_001}).status_code == 413


@of("notes.py")
class TestNotes:
    def test_note_is_put_read_and_deleted(self, example: Example) -> None:
        url = f"{example.base}/milk"
        codes = [httpx.put(url, json={"text": text}).status_code for text in ("Buy milk", "Buy two")]
        assert codes == [201, 204]
        assert httpx.get(url).json() == {"text": "Buy two"}
        assert httpx.delete(url).status_code == 204
        assert httpx.get(url).status_code == httpx.delete(url).status_code == 404

    def test_what_is_no_json_is_refused(self, example: Example) -> None:
        url = f"{example.base}/other"
        assert httpx.put(url, content="{", headers={"Content-Type": "application/json"}).status_code == 400
        assert httpx.put(url, content="{}", headers={"Content-Type": "text/plain"}).status_code == 415


@of("rpy_scripts.py")
class TestScripts:
    def test_script_is_run_for_each_request(self, example: Example) -> None:
        first, second = (httpx.get(f"{example.base}/hello.rpy").text for _ in range(2))
        assert first != second
        assert first.startswith("Hello at ")

    def test_cached_resource_remembers(self, example: Example) -> None:
        assert [httpx.get(f"{example.base}/counter.rpy").text for _ in range(3)] == [
            "Visit 1\n",
            "Visit 2\n",
            "Visit 3\n",
        ]

    def test_extension_may_be_left_out(self, example: Example) -> None:
        assert httpx.get(f"{example.base}/hello").text.startswith("Hello at ")

    def test_script_that_writes(self, example: Example) -> None:
        assert httpx.get(f"{example.base}/echo.epy?a=1&a=2").text == "a = 1, 2\n"


@of("deferreds.py")
class TestDeferreds:
    @pytest.mark.parametrize(
        ("path", "text"),
        [("returned", "HERE IT IS.\n"), ("awaited", "Here it is.\n"), ("written", "Here it is.\n")],
    )
    def test_result_is_the_response(self, example: Example, path: str, text: str) -> None:
        assert httpx.get(f"{example.base}/{path}").text == text

    @pytest.mark.parametrize("path", ["returned", "awaited", "written"])
    def test_failure_is_404(self, example: Example, path: str) -> None:
        assert httpx.get(f"{example.base}/{path}?fail").status_code == 404


@of("interrupted.py")
class TestInterrupted:
    def test_program_is_told_of_clients_that_leave(self, example: Example) -> None:
        for path in ("coroutine", "deferred"):
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(f"{example.base}/{path}", timeout=0.1)
        expected = "coroutine: cancelled\ndeferred: the client left\n"
        wait_for(lambda: httpx.get(f"{example.base}/events").text == expected)


@of("logging_errors.py")
class TestLoggingErrors:
    def test_exception_is_a_500_and_a_traceback_in_the_log(self, example: Example) -> None:
        answer = httpx.get(f"{example.base}/broken")
        assert answer.status_code == 500
        assert "pear" not in answer.text
        output = example.wait_for_output("KeyError: 'pear'")
        assert "Traceback" in output
        assert "in price" in output

    def test_caught_exception_is_logged_too(self, example: Example) -> None:
        answer = httpx.get(f"{example.base}/backup")
        assert (answer.status_code, answer.text) == (200, "Ask at the counter.\n")
        example.wait_for_output("ERROR shop: no price, from 127.0.0.1")


class TestAccessLog:
    def test_lines_are_written(self, tmp_path: Path) -> None:
        port, log = free_port(), tmp_path / "access.log"
        with Process(*PYTHON, str(EXAMPLES / "access_log.py"), str(port), str(log)) as process:
            errors_only = re.findall(r"http://\S+", process.wait_for_output("errors only"))[0]
            base = f"http://127.0.0.1:{port}"
            for url in (f"{base}/", f"{base}/nowhere", f"{errors_only}/", f"{errors_only}/else"):
                httpx.get(url, headers={"User-Agent": "me"})
            process.end()
        lines = sorted(log.read_text().splitlines())
        assert len(lines) == 3
        date = r"\[\d\d/\w+/\d{4}:[\d:]{8} \+0000\]"
        assert re.fullmatch(rf'"127\.0\.0\.1" - - {date} "GET / HTTP/1\.1" 200 6 "-" "me"', lines[0])
        assert re.fullmatch(rf'"127\.0\.0\.1" - - {date} "GET /nowhere HTTP/1\.1" 404 \d+ "-" "me"', lines[1])
        assert re.fullmatch(rf"{date} 404 GET b'/else'", lines[2])


@of("wsgi_application.py")
class TestWSGI:
    def test_application_stands_beside_resources(self, example: Example) -> None:
        answer = httpx.post(f"{example.base}/app/some/where", content=b"x" * 1000)
        assert answer.text == "POST /some/where\n1000 bytes\n"
        assert httpx.get(f"{example.base}/").text == "Not the application's\n"


@of("authentication.py")
class TestAuthentication:
    @pytest.mark.parametrize("scheme", [httpx.BasicAuth, httpx.DigestAuth])
    def test_each_user_has_a_page(self, example: Example, scheme: type[httpx.Auth]) -> None:
        for user, password in (("ada", "engine"), ("grace", "nanosecond")):
            answer = httpx.get(example.base, auth=scheme(user, password))  # type: ignore[call-arg]
            assert answer.text == f"The desk of {user}\n"

    @pytest.mark.parametrize("scheme", [httpx.BasicAuth, httpx.DigestAuth])
    def test_wrong_password_is_401(self, example: Example, scheme: type[httpx.Auth]) -> None:
        answer = httpx.get(example.base, auth=scheme("ada", "nanosecond"))  # type: ignore[call-arg]
        assert answer.status_code == 401

    def test_challenges_are_for_both_schemes(self, example: Example) -> None:
        answer = httpx.get(example.base)
        assert answer.status_code == 401
        schemes = [value.split()[0].lower() for value in answer.headers.get_list("WWW-Authenticate")]
        assert schemes == ["digest", "basic"]


@of("session_basics.py")
class TestSessionBasics:
    def test_visitors_have_sessions_of_their_own(self, example: Example) -> None:
        with httpx.Client(base_url=example.base) as ada, httpx.Client(base_url=example.base) as grace:
            first, second, other = ada.get("/"), ada.get("/"), grace.get("/")
        assert first.text.split()[0] == second.text.split()[0] != other.text.split()[0]
        assert "HttpOnly" in first.headers["Set-Cookie"]
        assert "Set-Cookie" not in second.headers

    def test_session_is_ended(self, example: Example) -> None:
        with httpx.Client(base_url=example.base) as client:
            before = client.get("/").text.split()[0]
            client.get("/leave")
            assert client.get("/").text.split()[0] != before


@of("session_objects.py")
class TestSessionObjects:
    def test_basket_is_kept_for_each_visitor(self, example: Example) -> None:
        with httpx.Client(base_url=example.base) as ada, httpx.Client(base_url=example.base) as grace:
            assert [ada.post("/", data={"thing": thing}).text for thing in ("apple", "pear")] == [
                "1\n",
                "2\n",
            ]
            assert ada.get("/").text == "You have: apple, pear\n"
            assert grace.get("/").text == "You have: nothing\n"


@of("session_endings.py")
class TestSessionEndings:
    def test_session_ends_after_the_last_visit(self, example: Example) -> None:
        with httpx.Client(base_url=example.base) as client:
            assert client.get("/").text == "Welcome\n"
            for _ in range(5):  # longer than a session lasts: visits keep it alive
                time.sleep(0.15)
                assert client.get("/").text == "Welcome back\n"
            wait_for(lambda: client.get("/ended").text == "1\n")
            assert client.get("/").text == "Welcome\n"
