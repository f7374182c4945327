"""Programs as the old tutorial teaches them run under `sennit run` without a change.

The directory `tutorial` has one for each lesson of "Twisted Web in 60 seconds": names of Twisted, bytes
everywhere, endpoints and Deferreds.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from .network import free_port
from .processes import SENNIT_RUN, Process

PROGRAMS = Path(__file__).parent / "tutorial"

Start = Callable[..., tuple[str, Process]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program by its name, in a directory of its own; gives its URL and its process."""
    with ExitStack() as stack:

        def start(name: str, *arguments: str) -> tuple[str, Process]:
            port = free_port()
            path = str(PROGRAMS / f"{name}.py")
            process = stack.enter_context(
                Process(*SENNIT_RUN, path, str(port), *arguments, directory=tmp_path)
            )
            process.wait_for_port(port)
            return f"http://127.0.0.1:{port}", process

        yield start


def test_static_content(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    base, _ = start("static_content")
    assert httpx.get(f"{base}/a.txt").text == "hello"
    assert "a.txt" in httpx.get(f"{base}/").text


def test_generating_content(start: Start) -> None:
    base, _ = start("generating_content")
    assert re.fullmatch(r"<p>\w+ \w+ .*\d{4}</p>", httpx.get(base).text)


def test_static_dispatch(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    base, _ = start("static_dispatch")
    assert httpx.get(f"{base}/here/a.txt").text == "hello"
    assert httpx.get(f"{base}/fixed").text == "fixed"
    assert httpx.get(f"{base}/").status_code == 404


def test_dynamic_dispatch(start: Start) -> None:
    base, _ = start("dynamic_dispatch")
    assert httpx.get(f"{base}/12").text == "144"
    assert httpx.get(f"{base}/dozen").status_code == 500


@pytest.mark.parametrize(("path", "code"), [("12", 200), ("dozen", 404), ("old", 404)])
def test_error_handling(start: Start, path: str, code: int) -> None:
    base, _ = start("error_handling")
    assert httpx.get(f"{base}/{path}").status_code == code


def test_custom_codes(start: Start) -> None:
    base, _ = start("custom_codes")
    answer = httpx.get(f"{base}/coffee")
    assert (answer.status_code, answer.reason_phrase) == (418, "Short and stout")
    assert "No coffee" in answer.text


def test_handling_posts(start: Start) -> None:
    base, _ = start("handling_posts")
    assert "<form" in httpx.get(f"{base}/form").text
    assert httpx.post(f"{base}/form", data={"word": "<ü>"}).text == "<p>You said: &lt;ü&gt;</p>"


def test_other_bodies(start: Start) -> None:
    base, _ = start("other_bodies")
    assert httpx.post(f"{base}/body", content=b"\x00x").content == b"2 bytes: \x00x"


def test_rpy_scripts(start: Start, tmp_path: Path) -> None:
    (tmp_path / "counter.rpy").write_text(
        "cache()\n"
        "from twisted.web.resource import Resource\n"
        "class Counter(Resource):\n"
        "    isLeaf = True\n"
        "    visits = 0\n"
        "    def render_GET(self, request):\n"
        "        self.visits += 1\n"
        "        return b'%d' % self.visits\n"
        "resource = Counter()\n"
    )
    base, _ = start("rpy_scripts", str(tmp_path))
    assert [httpx.get(f"{base}/counter{ext}").text for ext in (".rpy", "", ".rpy")] == ["1", "2", "3"]


def test_asynchronous_responses(start: Start) -> None:
    base, _ = start("asynchronous")
    assert httpx.get(base).text == "<p>Sorry to keep you waiting.</p>"


def test_asynchronous_responses_with_deferreds(start: Start) -> None:
    base, _ = start("asynchronous_deferred")
    assert httpx.get(base).text == "<p>After a while.</p>"


def test_interrupted_responses(start: Start) -> None:
    base, process = start("interrupted")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(base, timeout=0.1)
    process.wait_for_output("interrupted by Connection")


def test_logging_errors(start: Start) -> None:
    base, process = start("logging_errors")
    assert httpx.get(base).text == ""
    output = process.wait_for_output("ValueError: this is what went wrong")
    assert re.search(r"\d\d\+\d{4} \[-\] the answer could not be made\n\tTraceback", output)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(base, timeout=0.01)
    process.wait_for_output("the client left")


def test_access_logging(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    base, process = start("access_logging", str(log))
    httpx.get(f"{base}/", headers={"X-Forwarded-For": "192.0.2.7, 10.0.0.1", "User-Agent": "me"})
    process.end()
    assert re.fullmatch(
        r'"192\.0\.2\.7" - - \[.*\+0000\] "GET / HTTP/1\.1" 200 5 "-" "me"\n', log.read_text()
    )


def test_wsgi(start: Start) -> None:
    base, _ = start("wsgi")
    assert httpx.get(f"{base}/a/b").text == "Hello from WSGI, /a/b"


def test_http_authentication(start: Start, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("jay:secret\nann:other\n")
    for name in ("jay", "ann"):
        (tmp_path / "pages" / name).mkdir(parents=True)
        (tmp_path / "pages" / name / "index.html").write_text(f"pages of {name}")
    base, _ = start("authentication")
    assert httpx.get(f"{base}/").status_code == 401
    assert httpx.get(f"{base}/", auth=httpx.DigestAuth("jay", "secret")).text == "pages of jay"
    assert httpx.get(f"{base}/", auth=httpx.DigestAuth("ann", "other")).text == "pages of ann"
    assert httpx.get(f"{base}/", auth=httpx.DigestAuth("ann", "secret")).status_code == 401


def test_session_basics(start: Start) -> None:
    base, _ = start("session_basics")
    with httpx.Client(base_url=base) as client:
        first, second = (client.get("/show").text for _ in range(2))
        assert first == second
        assert re.fullmatch("Your session id is: [0-9a-f]{64}", first)
        client.get("/expire")
        assert client.get("/show").text != first


def test_storing_objects_in_the_session(start: Start) -> None:
    base, _ = start("session_store")
    with httpx.Client(base_url=base) as client:
        assert [client.get("/").text for _ in range(2)] == ["Visit #1 for you!", "Visit #2 for you!"]


def test_session_endings(start: Start) -> None:
    base, process = start("session_endings")
    assert httpx.get(f"{base}/logger").status_code == 200
    process.wait_for_output("has expired.")


def test_structured_logging(start: Start) -> None:
    base, process = start("structured_logging")
    assert httpx.get(f"{base}/pear").text == "done"
    output = process.wait_for_output("#info] printed")
    assert re.search(r"\d\d\+\d{4} \[__main__\.Shop#info\] Ada was asked for b'/pear'\n", output)
    assert "[__main__.Shop#critical] no price\n\tTraceback" in output
    assert "not shown" not in output


def test_modules_are_at_their_places(tmp_path: Path) -> None:
    with Process(*SENNIT_RUN, str(PROGRAMS / "imports.py"), directory=tmp_path) as process:
        assert process.wait() == 0, process.output()
        assert process.output() == "all of them\n"
