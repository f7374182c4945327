"""`sennit web`: a site made of options."""

import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from .network import free_port
from .processes import Process

WEB = (sys.executable, "-m", "sennit", "web")

Start = Callable[..., tuple[str, Process]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `sennit web` with options on a free port, in a directory of its own; gives URL and process."""
    with ExitStack() as stack:

        def start(*options: str) -> tuple[str, Process]:
            port = free_port()
            process = stack.enter_context(
                Process(*WEB, f"--listen=tcp:{port}:interface=127.0.0.1", *options, directory=tmp_path)
            )
            process.wait_for_port(port)
            return f"http://127.0.0.1:{port}", process

        yield start


def refused(directory: Path, *options: str) -> tuple[int, str]:
    """The exit status and the complaint."""
    result = subprocess.run(
        [*WEB, *options], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )
    return result.returncode, result.stderr


def test_demo_page_without_anything_else(start: Start) -> None:
    base, process = start()
    process.wait_for_output(f"{base}/")
    assert "Sennit works" in httpx.get(f"{base}/any/where").text
    status, seconds = process.end(signal.SIGINT)
    assert status == 0
    assert seconds < 1


def test_directory_with_scripts(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.rpy").write_text(
        "from twisted.web.static import Data\nresource = Data(b'made', 'text/plain')"
    )
    (tmp_path / "c.cgi").write_text("#!/bin/sh\nprintf 'X: y\\n\\nprinted'")
    (tmp_path / "c.cgi").chmod(0o755)
    base, _ = start("--path=.")
    answers = [httpx.get(f"{base}/{name}").text for name in ("a.txt", "b.rpy", "c.cgi")]
    assert answers == ["hello", "made", "printed"]
    assert "a.txt" in httpx.get(f"{base}/").text


def test_options_for_files(start: Start, tmp_path: Path) -> None:
    (tmp_path / "start.page").write_text("start")
    (tmp_path / "b.upper").write_text("hello")
    (tmp_path / "own.py").write_text(
        "from twisted.web.static import Data\n"
        "def upper(path, registry):\n"
        "    return Data(open(path).read().upper(), 'text/plain')\n"
    )
    base, _ = start(
        "--path=.",
        "--index=start.page",
        "--processor=.upper=own.upper",
        "--mime-type=text/x-page",
        "--ignore-ext=.upper",
    )
    answer = httpx.get(f"{base}/")
    assert answer.text == "start"
    assert answer.headers["Content-Type"].startswith("text/x-page")
    assert httpx.get(f"{base}/b").text == httpx.get(f"{base}/b.upper").text == "HELLO"


def test_any_extension_may_be_left_out(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    base, _ = start("--path=.", "--allow-ignore-ext")
    assert httpx.get(f"{base}/a").text == "hello"


def test_wsgi_application(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        textwrap.dedent(
            """
            def application(environ, start_response):
                start_response("200 OK", [])
                return [environ["PATH_INFO"].encode()]
            """
        )
    )
    base, _ = start("--wsgi=shop.application")
    assert httpx.get(f"{base}/a/b").text == "/a/b"


def test_class(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        textwrap.dedent(
            """
            from twisted.web.resource import Resource

            class Root(Resource):
                isLeaf = True
                def render_GET(self, request):
                    return b"of a class"
            """
        )
    )
    base, _ = start("--class", "shop.Root")
    assert httpx.get(base).text == "of a class"


def test_resource_script_is_run_for_each_request(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "a.rpy"
    script.write_text("from sennit.web.demo import Test\nresource = Test()")
    base, _ = start(f"--resource-script={script}")
    assert "Sennit works" in httpx.get(base).text


def test_access_log_and_headers(start: Start, tmp_path: Path) -> None:
    base, process = start("--logfile=access.log", "--add-header=X-A: b", "--add-header", "X-A:c")
    assert httpx.get(base).headers.get_list("X-A") == ["b", "c"]
    process.end()
    assert re.search(r'"GET / HTTP/1\.1" 200 \d+', (tmp_path / "access.log").read_text())


def test_access_log_is_printed_without_a_file(start: Start) -> None:
    base, process = start()
    httpx.get(f"{base}/some/where")
    process.wait_for_output('"GET /some/where HTTP/1.1" 200')


def test_tracebacks_are_shown_if_wanted(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.rpy").write_text("1 / 0")
    for options, shown in (((), False), (("--display-tracebacks",), True)):
        base, _ = start("--path=.", *options)
        assert ("ZeroDivisionError" in httpx.get(f"{base}/a.rpy").text) is shown


def test_users_have_pages(start: Start) -> None:
    base, _ = start("--user")
    assert "<h1>Users</h1>" in httpx.get(f"{base}/").text
    assert httpx.get(f"{base}/nobody/").status_code == 404


def test_two_places(start: Start) -> None:
    port = free_port()
    start(f"--port={port}")
    assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--wsgi=none.application",), "No such WSGI application: 'none.application'"),
        (("--class=os.none",), "No such class: 'os.none'"),
        (("--index=x",), "needs --path"),
        (("--wsgi=os.path", "--ignore-ext=.x"), "needs --path"),
        (("--path=.", "--class=os.path"), "only one of"),
        (("--path=.", "--processor=upper"), ".EXT=NAME"),
        (("--path=none",), "does not exist"),
        (("--listen=pigeon:1",), "Unknown endpoint type"),
        (("--port=99999",), "up to 65535"),
        (("--add-header=x",), "Name: value"),
        (("--add-header=a b: c",), "a b"),
        (("--https=443",), "No such option"),
    ],
)
def test_nonsense_is_a_usage_error(tmp_path: Path, options: tuple[str, ...], complaint: str) -> None:
    status, error = refused(tmp_path, *options)
    assert status == 2
    assert complaint in error
    assert "Traceback" not in error


def test_port_that_is_taken_is_one_line(start: Start, tmp_path: Path) -> None:
    base, _ = start()
    status, error = refused(tmp_path, f"--listen=tcp:{base.rpartition(':')[2]}:interface=127.0.0.1")
    assert status == 1
    assert len(error.splitlines()) == 1
    assert error.startswith("sennit: ")


def test_mistake_of_the_program_is_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import nothing_of_this_name")
    status, error = refused(tmp_path, "--wsgi=shop.application")
    assert status == 1
    assert "nothing_of_this_name" in error
