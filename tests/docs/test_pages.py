"""Every program in the documentation runs, and answers as the page says."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import FindClient
from ..programs.network import Network, network_with_free
from ..programs.processes import Process
from .pages import PAGES, ROOT, Section, sections

PORT = 8880
ALL = [section for page in PAGES for section in sections(page)]
SERVING = [section for section in ALL if section.serves]
ENDING = [section for section in ALL if section.program and not section.serves]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with network_with_free(PORT) as network:
        if network is None:
            pytest.fail(f"port {PORT} is taken, and this system lends no network to have it free in")
        yield network


@pytest.mark.parametrize("section", SERVING, ids=str)
def test_program_answers_as_shown(
    section: Section, tmp_path: Path, network: Network, find_client: FindClient
) -> None:
    program = tmp_path / "program.py"
    program.write_text(section.program)
    # Programs with Twisted's names are what `sennit run` is for.
    start = ["-m", "sennit", "run"] if "from twisted" in section.program else ["-W", "error"]
    start = ["-m", *section.command] if section.command else [*start, str(program)]
    with Process(sys.executable, *start, network=network, directory=tmp_path) as process:
        process.wait_for_port(PORT)
        for session in section.sessions:
            assert session.command[0] == "curl", "a console block shows curl; other commands are sh blocks"
            result = subprocess.run(
                network.command(
                    find_client("curl"), "--silent", "--show-error", "--max-time", "20", *session.command[1:]
                ),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                cwd=tmp_path,
                check=False,
            )
            assert session.matches(result.stdout), f"{' '.join(session.command)} printed:\n{result.stdout}"
        status, _ = process.end()
        # Only the reactor ends a program in order when it is told to; asyncio.run leaves signals alone.
        assert status == (0 if "reactor.run()" in section.program or section.command else -signal.SIGTERM)


@pytest.mark.parametrize("section", ENDING, ids=str)
def test_program_runs_to_its_end(section: Section, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(section.program)
    result = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_every_session_has_a_program_that_serves() -> None:
    assert [str(section) for section in ALL if section.sessions and not section.serves] == []


def test_seeds_program_stands_in_the_readme() -> None:
    assert (ROOT / "examples" / "custom_response_codes.py").read_text() in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "docs" in page.parts], ids=lambda page: page.stem)
def test_page_can_be_reached_from_the_index(page: Path) -> None:
    index = ROOT / "docs" / "index.md"
    assert page == index or f"({page.relative_to(index.parent)})" in index.read_text()
