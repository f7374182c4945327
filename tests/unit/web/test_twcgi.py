"""CGI programs: what they are told, what becomes of what they print, how they end."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sennit.python import log
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import Response, TestClient
from sennit.web.twcgi import CGIDirectory, CGIScript, FilteredScript


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    root = Resource()
    root.putChild("cgi", CGIDirectory(tmp_path))
    with TestClient(Site(root)) as client:
        yield client


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The texts of the events that are logged."""
    texts: list[str] = []

    def observe(event: dict[str, Any]) -> None:
        texts.append(str(log.textFromEventDict(event)))

    log.addObserver(observe)
    yield texts
    log.removeObserver(observe)


def script(directory: Path, body: str, name: str = "a.cgi", interpreter: str = "/bin/sh") -> Path:
    path = directory / name
    path.write_text(f"#!{interpreter}\n{body}\n")
    path.chmod(0o755)
    return path


def printing(directory: Path, output: bytes) -> None:
    (directory / "output").write_bytes(output)
    script(directory, "exec cat output")


def answer(directory: Path, client: TestClient, output: bytes) -> Response:
    printing(directory, output)
    return client.get("/cgi/a.cgi")


def environment(directory: Path, client: TestClient, *arguments: Any, **options: Any) -> dict[str, str]:
    script(directory, "printf 'Content-Type: text/plain\\n\\n'; exec env")
    lines = client.request(*arguments, **options).text.splitlines()
    return dict(line.partition("=")[::2] for line in lines)


class TestEnvironment:
    def test_meta_variables(self, tmp_path: Path, client: TestClient) -> None:
        found = environment(
            tmp_path,
            client,
            "GET",
            "/cgi/a.cgi/x%20y/z?q=1&r=2",
            headers={"Host": "example.org:81", "X-A": "b"},
        )
        expected = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "/cgi/a.cgi",
            "SCRIPT_FILENAME": str(tmp_path / "a.cgi"),
            "PATH_INFO": "/x y/z",
            "QUERY_STRING": "q=1&r=2",
            "REQUEST_URI": "/cgi/a.cgi/x%20y/z?q=1&r=2",
            "SERVER_NAME": "example.org",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "example.org:81",
            "HTTP_X_A": "b",
            "PATH": os.environ["PATH"],
        }
        assert {name: found.get(name) for name in expected} == expected
        assert found["SERVER_SOFTWARE"].startswith("Sennit/")

    def test_nothing_without_a_body_or_a_path_behind(self, tmp_path: Path, client: TestClient) -> None:
        found = environment(tmp_path, client, "GET", "/cgi/a.cgi")
        assert not {"PATH_INFO", "CONTENT_LENGTH", "CONTENT_TYPE"} & found.keys()

    def test_body_is_described(self, tmp_path: Path, client: TestClient) -> None:
        found = environment(tmp_path, client, "POST", "/cgi/a.cgi", form={"a": "b"})
        assert found["CONTENT_LENGTH"] == "3"
        assert found["CONTENT_TYPE"] == "application/x-www-form-urlencoded"
        assert "HTTP_CONTENT_LENGTH" not in found

    def test_headers_that_would_mislead_are_left_out(
        self, tmp_path: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_X_REAL", "the server's")
        headers = {"Proxy": "evil", "X_Real": "evil", "Authorization": "Basic x", "Cookie": ["a=1", "b=2"]}
        found = environment(tmp_path, client, "GET", "/cgi/a.cgi", headers=headers)
        assert not {"HTTP_PROXY", "HTTP_X_REAL", "HTTP_AUTHORIZATION"} & found.keys()
        assert found["HTTP_COOKIE"] == "a=1; b=2"

    def test_credentials_are_passed_if_wanted(self, tmp_path: Path) -> None:
        resource = CGIScript(script(tmp_path, "printf '\\n\\n'"))
        resource.passCredentials = True
        path = script(tmp_path, "printf 'X: y\\n\\n'; echo $HTTP_AUTHORIZATION")
        resource = CGIScript(path)
        resource.passCredentials = True
        with TestClient(Site(resource)) as client:
            assert client.get("/", headers={"Authorization": "Basic x"}).text == "Basic x\n"

    @pytest.mark.parametrize(
        ("query", "words"),
        [("a+b%20c", "[a] [b c]"), ("a=b", ""), ("-s", ""), ("a+-s", ""), ("%2Ds", ""), ("", "")],
    )
    def test_words_of_a_query_are_arguments(
        self, tmp_path: Path, client: TestClient, query: str, words: str
    ) -> None:
        script(tmp_path, "printf 'X: y\\n\\n'; for word; do printf '[%s] ' \"$word\"; done")
        assert client.get(f"/cgi/a.cgi?{query}").text.strip() == words

    def test_null_byte_is_a_bad_request(self, tmp_path: Path, client: TestClient) -> None:
        printing(tmp_path, b"X: y\n\n")
        assert client.get("/cgi/a.cgi/a%00b").code == 400
        assert client.get("/cgi/a.cgi?a%00b").code == 400

    def test_it_runs_in_its_directory(self, tmp_path: Path, client: TestClient) -> None:
        (tmp_path / "deep").mkdir()
        script(tmp_path / "deep", "printf 'X: y\\n\\n'; pwd")
        assert client.get("/cgi/deep/a.cgi").text == f"{(tmp_path / 'deep').resolve()}\n"


class TestResponse:
    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    def test_headers_and_body(self, tmp_path: Path, client: TestClient, end: bytes) -> None:
        head = end.join([b"Content-Type: text/plain", b"X-A: b", b"X-A: c", b"Set-Cookie: d=e", b"", b""])
        response = answer(tmp_path, client, head + b"hello\n\nyou")
        assert (response.code, response.body) == (200, b"hello\n\nyou")
        assert response.header("Content-Type") == "text/plain"
        assert response.headers.getRawHeaders("X-A") == ["b", "c"]
        assert response.header("Set-Cookie") == "d=e"

    def test_no_type_is_made_up(self, tmp_path: Path, client: TestClient) -> None:
        assert answer(tmp_path, client, b"X: y\n\nhello").header("Content-Type") is None

    @pytest.mark.parametrize(
        ("head", "code", "reason"),
        [
            (b"Status: 418 Short and stout", 418, b"Short and stout"),
            (b"status: 299", 299, b"Unknown Status"),
            (b"Location: /there", 302, b"Found"),
            (b"Location: https://example.org/\nStatus: 301 Gone for good", 301, b"Gone for good"),
            (b"Status: 200 OK\nLocation: /there", 200, b"OK"),
        ],
    )
    def test_status(self, tmp_path: Path, client: TestClient, head: bytes, code: int, reason: bytes) -> None:
        response = answer(tmp_path, client, head + b"\n\n")
        assert (response.code, response.reason) == (code, reason)

    def test_fields_of_the_server_cannot_be_set(self, tmp_path: Path, client: TestClient) -> None:
        response = answer(
            tmp_path,
            client,
            b"Server: me\nDate: never\nTransfer-Encoding: gzip\nConnection: x\nX: y\n\nhello",
        )
        assert response.text == "hello"
        assert str(response.header("Server")).startswith("Sennit/")
        assert response.header("Transfer-Encoding") == "chunked"
        assert response.header("Connection") is None

    @pytest.mark.parametrize(
        "output",
        [
            b"",
            b"no headers\n",
            b"no colon\n\nhello",
            b"\n\nhello",
            b"Bad Name: x\n\n",
            b": x\n\n",
            b"Status: teapot\n\n",
            b"Status: 100 Continue\n\n",
            b"Status: 200 a\rb\n\n",
            b"X: " + b"y" * 70_000,
        ],
    )
    def test_what_is_no_response_is_500_and_logged(
        self, tmp_path: Path, client: TestClient, logged: list[str], output: bytes
    ) -> None:
        assert answer(tmp_path, client, output).code == 500
        assert any("a.cgi: " in text for text in logged)

    def test_no_header_is_injected(self, tmp_path: Path, client: TestClient) -> None:
        response = answer(tmp_path, client, b"X: y\rSet-Cookie: a=b\n\nhello")
        assert response.header("Set-Cookie") is None

    def test_length_of_its_own_is_kept(self, tmp_path: Path, client: TestClient) -> None:
        response = answer(tmp_path, client, b"Content-Length: 5\n\nhello")
        assert (response.header("Content-Length"), response.text) == ("5", "hello")

    def test_large_body_is_streamed(self, tmp_path: Path, client: TestClient) -> None:
        script(tmp_path, "printf 'X: y\\n\\n'; head -c 3000000 /dev/zero")
        assert len(client.get("/cgi/a.cgi").body) == 3_000_000

    def test_pieces_come_as_they_are_printed(self, tmp_path: Path, client: TestClient) -> None:
        script(tmp_path, "printf 'X: y\\n\\none'; while [ ! -e go ]; do sleep 0.01; done; printf two")
        with client.stream("GET", "/cgi/a.cgi") as response:
            pieces = response.pieces()
            assert next(pieces) == b"one"
            (tmp_path / "go").touch()
            assert b"".join(pieces) == b"two"


class TestBody:
    @pytest.mark.parametrize("chunked", [False, True])
    @pytest.mark.parametrize("size", [0, 5, 1_000_000])
    def test_body_is_its_input(self, tmp_path: Path, client: TestClient, size: int, chunked: bool) -> None:
        script(tmp_path, "printf 'X: y\\n\\n'; echo $CONTENT_LENGTH; exec wc -c")
        body = b"x" * size
        response = client.post(
            "/cgi/a.cgi", body=iter([body[: size // 2], body[size // 2 :]]) if chunked else body
        )
        assert response.text.split() == ([str(size)] if size or not chunked else []) + [str(size)]

    def test_body_comes_while_it_is_sent(self, tmp_path: Path) -> None:
        script(tmp_path, "printf 'X: y\\n\\n'; head -c 3 > got; cat")
        got = tmp_path / "got"

        async def send() -> bytes:
            async with Site(CGIDirectory(tmp_path)).start() as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
                writer.write(b"PUT /a.cgi HTTP/1.0\r\nContent-Length: 6\r\n\r\nabc")
                while not (got.exists() and got.read_text() == "abc"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                writer.write(b"def")
                answer = await reader.read()
                writer.close()
                return answer

        answer = asyncio.run(asyncio.wait_for(send(), 10))
        assert answer.endswith(b"\r\n\r\ndef")

    def test_client_that_leaves_while_it_sends_ends_the_program(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        script(tmp_path, "echo $$ > pid; exec cat")
        pid = tmp_path / "pid"

        async def send() -> None:
            async with Site(CGIDirectory(tmp_path)).start() as port:
                _, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
                writer.write(b"PUT /a.cgi HTTP/1.0\r\nContent-Length: 6\r\n\r\nabc")
                while not (pid.exists() and pid.read_text()):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                writer.close()
                while Path(f"/proc/{pid.read_text().strip()}").exists():  # noqa: ASYNC110, ASYNC240
                    await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(send(), 10))
        gc.collect()
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    def test_body_that_is_not_read_does_no_harm(self, tmp_path: Path, client: TestClient) -> None:
        printing(tmp_path, b"X: y\n\nhello")
        assert client.post("/cgi/a.cgi", body=b"x" * 1_000_000).text == "hello"

    def test_body_over_the_limit_is_413(self, tmp_path: Path) -> None:
        script(tmp_path, "cat; printf 'X: y\\n\\nhello'")
        with TestClient(Site(CGIDirectory(tmp_path), maxBody=10)) as client:
            assert client.post("/a.cgi", body=iter([b"x" * 11])).code == 413
            assert client.post("/a.cgi", body=b"x" * 11).code == 413


class TestEnd:
    def wait_until_gone(self, client: TestClient, pid: int) -> float:
        started = time.monotonic()
        while Path(f"/proc/{pid}").exists():
            client.wait(0.01)
            assert time.monotonic() - started < 10
        return time.monotonic() - started

    def test_it_is_ended_with_its_children_when_the_client_leaves(
        self, tmp_path: Path, client: TestClient
    ) -> None:
        script(tmp_path, "sleep 60 & echo $! > child; printf 'X: y\\n\\n'; echo $$; wait")
        with client.stream("GET", "/cgi/a.cgi") as response:
            pid = int(next(response.pieces()))
        self.wait_until_gone(client, pid)
        self.wait_until_gone(client, int((tmp_path / "child").read_text()))

    def test_one_that_will_not_end_is_killed(
        self, tmp_path: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sennit.web._cgiprocess._TERM_GRACE", 0.2)
        script(tmp_path, "trap '' TERM; printf 'X: y\\n\\n'; echo $$; while :; do sleep 0.05; done")
        with client.stream("GET", "/cgi/a.cgi") as response:
            pid = int(next(response.pieces()))
        assert self.wait_until_gone(client, pid) > 0.1

    def test_errors_and_status_are_logged(
        self, tmp_path: Path, client: TestClient, logged: list[str]
    ) -> None:
        script(tmp_path, "printf 'one\\ntwo' >&2; printf 'X: y\\n\\n'; exit 3")
        assert client.get("/cgi/a.cgi").code == 200
        client.wait(0.05)
        assert [text.partition("a.cgi")[2] for text in logged[-3:]] == [
            ": one",
            ": two",
            " ended with status 3",
        ]

    def test_too_many_are_503(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(CGIScript, "maxProcesses", 1)
        script(tmp_path, "printf 'X: y\\n\\nz'; exec sleep 60", "slow.cgi")
        printing(tmp_path, b"X: y\n\nhello")
        with TestClient(Site(CGIDirectory(tmp_path))) as client:
            with client.stream("GET", "/slow.cgi") as response:
                next(response.pieces())
                assert client.get("/a.cgi").code == 503
            client.wait(0.05)
            assert client.get("/a.cgi").code == 200


class TestResources:
    def test_program_that_cannot_be_started_is_500(self, tmp_path: Path, client: TestClient) -> None:
        (tmp_path / "a.cgi").write_text("not executable")
        assert client.get("/cgi/a.cgi").code == 500

    def test_missing_program_is_404(self, tmp_path: Path) -> None:
        with TestClient(Site(CGIScript(tmp_path / "none.cgi"))) as client:
            assert client.get("/").code == 404

    @pytest.mark.parametrize(
        "path", ["/cgi", "/cgi/", "/cgi/none", "/cgi/..%2Fb.cgi", "/cgi/%ff", "/cgi/link.cgi"]
    )
    def test_directory_has_only_what_is_in_it(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "in").mkdir()
        script(tmp_path, "printf 'X: y\\n\\n'", "b.cgi")
        (tmp_path / "in" / "link.cgi").symlink_to(tmp_path / "b.cgi")
        root = Resource()
        root.putChild("cgi", CGIDirectory(tmp_path / "in"))
        with TestClient(Site(root)) as client:
            assert client.get(path).code == 404

    def test_filter_gets_the_file(self, tmp_path: Path) -> None:
        class Python(FilteredScript):
            filter = sys.executable

        (tmp_path / "page.py").write_text("import sys; print('X: y\\n\\n', sys.argv[1:])")
        with TestClient(Site(Python(tmp_path / "page.py"))) as client:
            assert client.get("/?word").text.strip() == "['word']"

    def test_program_may_change_the_environment(self, tmp_path: Path) -> None:
        class Named(CGIScript):
            def runProcess(self, env: dict[str, str], request: Any, qargs: Any = ()) -> Any:
                return super().runProcess({**env, "OWNER": "Ada"}, request, qargs)

        path = script(tmp_path, "printf 'X: y\\n\\n'; echo $OWNER")
        with TestClient(Site(Named(path))) as client:
            assert client.get("/").text == "Ada\n"
