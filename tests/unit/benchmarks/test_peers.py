"""Which peers must be installed, and what is told when that fails."""

import pytest

from benchmarks.peers import REQUIREMENTS, is_satisfied, last_error, version_key


@pytest.mark.parametrize(
    ("version", "met"),
    [("1.2", True), ("1.10.1", True), ("1.1.9", False), ("2.0b1", False), (None, False)],
)
def test_requirement_is_compared_with_what_is_installed(version: str | None, met: bool) -> None:
    installed = {} if version is None else {"name": version}
    assert is_satisfied("Name>=1.2,<2", installed) is met


def test_requirement_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="name>=version"):
        is_satisfied("name==1", {"name": "1"})


def test_every_requirement_of_a_peer_is_understood() -> None:
    for requirements in REQUIREMENTS.values():
        assert not any(is_satisfied(requirement, {}) for requirement in requirements)


def test_versions_are_compared_as_numbers() -> None:
    assert version_key("0.10") > version_key("0.9.9")
    assert version_key("unreleased") == ()


def test_most_telling_error_line_is_shown() -> None:
    printed = """\
      error: subprocess-exited-with-error
      bjoern/server.c:3:10: fatal error: ev.h: No such file or directory
      error: command 'gcc' failed with exit code 1
    ERROR: Failed building wheel for bjoern
    note: This error originates from a subprocess
    error: subprocess-exited-with-error
    ERROR: Failed to build installable wheels
    """
    assert last_error(printed) == "bjoern/server.c:3:10: fatal error: ev.h: No such file or directory"
    assert last_error("Killed\n") == "Killed"
    assert last_error("") == "it printed nothing"
