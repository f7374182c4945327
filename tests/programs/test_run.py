"""`sennit run`: a program sees what it would see under `python`."""

import json
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import pytest

import sennit

from .processes import SENNIT_RUN, Process

# Prints, as JSON, all that a program can see of how it was started.
SHOW = """
import json, sys, __main__
print(json.dumps({
    "name": __name__, "file": __file__, "argv": sys.argv, "path0": sys.path[0], "package": __package__,
    "main": __main__.__dict__ is globals(), "spec": repr(__spec__), "doc": __doc__, "cached": __cached__,
    "loader": type(__loader__).__name__, "annotations": "__annotations__" in globals(),
}))
"""


def execute(*command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)


def run(program: str, *arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Write `program` to a file in `directory` and give it to `sennit run`."""
    (directory / "program.py").write_text(textwrap.dedent(program))
    return execute(*SENNIT_RUN, "program.py", *arguments, directory=directory)


@pytest.mark.parametrize("path", ["show.py", "deep/show.py", "link.py"])
def test_program_sees_what_it_sees_under_python(tmp_path: Path, path: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "show.py").write_text(SHOW)
    (tmp_path / "deep" / "show.py").write_text(SHOW)
    (tmp_path / "link.py").symlink_to(tmp_path / "deep" / "show.py")
    arguments = (path, "--port", "-v", "--help", "--", "x y")
    python = execute(sys.executable, *arguments, directory=tmp_path)
    ours = execute(*SENNIT_RUN, *arguments, directory=tmp_path)
    assert json.loads(ours.stdout) == json.loads(python.stdout)


def test_program_imports_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("greeting = 'hello'")
    assert run("import neighbour; print(neighbour.greeting)", directory=tmp_path).stdout == "hello\n"


def test_program_imports_twisteds_names(tmp_path: Path) -> None:
    result = run(
        """
        import twisted.web.server, sennit.web.server
        from twisted.internet import reactor
        import sennit.internet
        print(twisted.web.server is sennit.web.server, reactor is sennit.internet.reactor)
        """,
        directory=tmp_path,
    )
    assert result.stdout == "True True\n"


@pytest.mark.parametrize(
    "statement",
    ["import twisted.words.protocols.irc", "from twisted.web import absent", "from twisted import absent"],
)
def test_missing_names_are_told_clearly(tmp_path: Path, statement: str) -> None:
    result = run(statement, directory=tmp_path)
    assert result.returncode == 1
    assert "Sennit has no counterpart of twisted." in result.stderr


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("", 0),
        ("raise SystemExit", 0),
        ("raise SystemExit(7)", 7),
        ("raise SystemExit('gone')", 1),
        ("1 / 0", 1),
    ],
)
def test_exit_status_is_passed_on(tmp_path: Path, statement: str, status: int) -> None:
    assert run(statement, directory=tmp_path).returncode == status


def test_text_of_an_exit_is_printed(tmp_path: Path) -> None:
    assert run("import sys; sys.exit('gone')", directory=tmp_path).stderr == "gone\n"


def test_traceback_has_the_programs_frames_only(tmp_path: Path) -> None:
    program = "def fail():\n    1 / 0\n\nfail()\n"
    (tmp_path / "program.py").write_text(program)
    python = execute(sys.executable, "program.py", directory=tmp_path)
    ours = run(program, directory=tmp_path)
    assert ours.stderr == python.stderr
    assert "ZeroDivisionError" in ours.stderr


def test_syntax_error_looks_as_under_python(tmp_path: Path) -> None:
    ours = run("def", directory=tmp_path)
    python = execute(sys.executable, "program.py", directory=tmp_path)
    assert ours.stderr == python.stderr
    assert ours.returncode == 1


def test_threads_and_exit_functions_run_as_under_python(tmp_path: Path) -> None:
    result = run(
        """
        import atexit, threading, time
        greeting = "hello"
        atexit.register(lambda: print(greeting, "at exit"))
        threading.Thread(target=lambda: (time.sleep(0.1), print(greeting, "from a thread"))).start()
        """,
        directory=tmp_path,
    )
    assert result.stdout == "hello from a thread\nhello at exit\n"


def test_start_prints_a_url_that_works(tmp_path: Path) -> None:
    program = """
        from twisted.internet import reactor
        from twisted.web.resource import Resource
        from twisted.web.server import Site

        class Page(Resource):
            isLeaf = True

            def render_GET(self, request):
                return "here"

        reactor.listenTCP(0, Site(Page()), interface="127.0.0.1")
        reactor.run()
        """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    with Process(*SENNIT_RUN, "program.py", directory=tmp_path) as process:
        process.wait_for_output("http://")
        url = re.search(r"http://127\.0\.0\.1:\d+/", process.output())
        assert url is not None
        assert httpx.get(url[0]).text == "here"
        assert process.end(signal.SIGTERM)[0] == 0


def test_log_of_the_programs_own_takes_over(tmp_path: Path) -> None:
    result = run(
        """
        import logging, sys
        logging.getLogger("sennit.web").info("before")
        logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="own: %(message)s")
        logging.getLogger("sennit.web").info("after")
        """,
        directory=tmp_path,
    )
    assert result.stdout == "own: after\n"
    assert result.stderr.endswith("before\n")
    assert "after" not in result.stderr


def test_file_that_is_not_there(tmp_path: Path) -> None:
    result = execute(*SENNIT_RUN, "nonesuch.py", directory=tmp_path)
    assert result.returncode == 2
    assert "nonesuch.py" in result.stderr


def test_file_after_dashes_is_run_alike(tmp_path: Path) -> None:
    (tmp_path / "-x.py").write_text("import sys; print(sys.argv)")
    result = execute(*SENNIT_RUN, "--", "-x.py", "--help", directory=tmp_path)
    assert result.stdout == "['-x.py', '--help']\n"


def test_help_names_the_commands(tmp_path: Path) -> None:
    result = execute(sys.executable, "-m", "sennit", "--help", directory=tmp_path)
    assert result.returncode == 0
    assert "run" in result.stdout


def test_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    result = execute(sys.executable, "-m", "sennit", "fly", directory=tmp_path)
    assert result.returncode == 2
    assert "fly" in result.stderr


def test_version(tmp_path: Path) -> None:
    result = execute(sys.executable, "-m", "sennit", "--version", directory=tmp_path)
    assert result.stdout == f"sennit {sennit.__version__}\n"


def test_installed_command_is_this_one(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("sennit")
    result = execute(str(command), "--version", directory=tmp_path)
    assert result.stdout == f"sennit {sennit.__version__}\n"
