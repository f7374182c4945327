"""The scripts that `make` is made of."""

import subprocess
import sys
from pathlib import Path

import pytest

from .processes import ROOT


def run(*command: str, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=110, check=False)


def test_step_is_one_line_when_all_is_well() -> None:
    result = run("scripts/step", "greet", "sh", "-c", "echo hello; echo world >&2")
    assert result.returncode == 0
    assert result.stdout.split() == ["ok", "greet", "0", "s"]
    assert result.stderr == ""


def test_step_shows_the_last_line_when_asked() -> None:
    result = run("scripts/step", "--last-line", "greet", "sh", "-c", "echo hello; echo world")
    assert result.stdout.splitlines()[1:] == ["world"]


def test_step_that_fails_shows_everything_and_passes_the_status_on() -> None:
    result = run("scripts/step", "greet", "sh", "-c", "echo hello; echo world >&2; exit 3")
    assert result.returncode == 3
    assert result.stdout.splitlines()[:2] == ["hello", "world"]
    assert "FAILED  greet" in result.stdout


@pytest.mark.parametrize(
    ("extras", "more"),
    [([], set()), (["uvloop"], {"uvloop"}), (["dev"], {"pytest", "httpx", "mypy", "ruff", "uvloop"})],
)
def test_requirements_are_those_of_the_package_and_the_extras(extras: list[str], more: set[str]) -> None:
    result = run(sys.executable, "scripts/requirements", *extras)
    names = {line.partition(">=")[0] for line in result.stdout.splitlines()}
    assert names >= {"maturin", "zope.interface", "click", "multipart"} | more
    assert more or names == {"maturin", "zope.interface", "click", "multipart"}
    assert len(result.stdout.splitlines()) == len(names)


@pytest.mark.slow
def test_short_soak_finds_nothing() -> None:
    result = run(sys.executable, "scripts/soak", "5")
    assert result.returncode == 0, result.stdout + result.stderr
