"""Settings from the command line, the environment and files."""

from pathlib import Path
from typing import Any

import pytest

from sennit.serving.settings import SettingError, Settings
from sennit.serving.sources import add_file_to_environment, gather


def settings(
    directory: Path, environ: dict[str, str] | None = None, config: str | None = None, **options: Any
) -> Settings:
    return gather("program:site", options, environ or {}, config, directory)


def refusal(directory: Path, environ: dict[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(SettingError) as refused:
        settings(directory, environ, **options)
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_defaults_without_any_source(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found.workers, found.backlog, found.access_log, found.port) == (1, 2048, True, None)
    assert found.given == frozenset()


def test_command_line_goes_before_environment_and_that_before_file(tmp_path: Path) -> None:
    (tmp_path / "sennit.toml").write_text('workers = 2\nlog-level = "debug"\nbacklog = 5\n')
    found = settings(tmp_path, {"SENNIT_WORKERS": "3", "SENNIT_BACKLOG": "6"}, workers="4")
    assert (found.workers, found.backlog, found.log_level) == (4, 6, "debug")


def test_pyproject_is_read_if_there_is_no_file_of_our_own(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.sennit]\ntarget = "other:app"\nport = 81\n')
    found = gather(None, {}, {}, None, tmp_path)
    assert (found.target, found.port) == ("other:app", 81)
    (tmp_path / "sennit.toml").write_text("port = 82\n")
    assert settings(tmp_path).port == 82


@pytest.mark.parametrize(
    ("environ", "name", "value"),
    [
        ({"WEB_CONCURRENCY": "5"}, "workers", 5),
        ({"WEB_CONCURRENCY": "5", "SENNIT_WORKERS": "6"}, "workers", 6),
        ({"FORWARDED_ALLOW_IPS": "10.0.0.1, *"}, "forwarded_allow_ips", ("10.0.0.1", "*")),
        ({"PORT": "5000"}, "host", "0.0.0.0"),
        ({"PORT": "5000"}, "port", 5000),
        ({"PORT": "5000", "SENNIT_HOST": "::1"}, "port", None),
        ({"SENNIT_RELOAD": "off"}, "reload", False),
        ({"SENNIT_MAX_RSS": "2GiB"}, "max_rss", 2 << 30),
        ({"SENNIT_MAX_RSS": "500M"}, "max_rss", 500 << 20),
        ({"SENNIT_ACCESS_LOG": "0"}, "access_log", False),
    ],
)
def test_environment(tmp_path: Path, environ: dict[str, str], name: str, value: object) -> None:
    assert getattr(settings(tmp_path, environ), name) == value


def test_another_kind_of_place_replaces_one_of_a_lower_source(tmp_path: Path) -> None:
    found = settings(tmp_path, {"SENNIT_HOST": "::", "SENNIT_PORT": "81"}, uds="socket")
    assert (found.uds, found.host, found.port) == ("socket", None, None)


def test_port_leaves_the_host_of_a_lower_source(tmp_path: Path) -> None:
    found = settings(tmp_path, {"SENNIT_HOST": "::"}, port="81")
    assert (found.host, found.port) == ("::", 81)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"port": "x"}, "--port: a whole number from 0 to 65535 was expected, not 'x'"),
        ({"workers": "0"}, "--workers: a whole number from 1 on was expected, not '0'"),
        ({"timeout_keep_alive": "-1"}, "--timeout-keep-alive: a number of seconds"),
        ({"max_rss": "12Q"}, "--max-rss: a size such as 500M"),
        ({"interface": "cgi"}, "--interface: one of auto, site"),
        ({"uds": "x", "port": "1"}, "--uds contradict each other"),
        ({"bind": ("x:1",), "fd": "3"}, "--bind contradict each other"),
        ({"reload_dir": ("x",)}, "--reload-dir is of no use without --reload"),
        ({"max_requests_jitter": "3"}, "--max-requests-jitter is of no use without --max-requests"),
        ({"preload": True, "reload": True}, "--preload and --reload contradict each other"),
        ({"access_log": False, "access_log_file": "x"}, "--access-log-file and --no-access-log contradict"),
    ],
)
def test_refusals_name_the_option(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    assert text in refusal(tmp_path, **options)


def test_refusal_names_the_variable(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"WEB_CONCURRENCY": "many"}).startswith("WEB_CONCURRENCY: a whole number")


def test_unknown_key_of_a_file_is_refused_with_a_proposal(tmp_path: Path) -> None:
    (tmp_path / "sennit.toml").write_text("wrokers = 2\n")
    assert refusal(tmp_path) == "sennit.toml: wrokers is no setting; did you mean workers?"


def test_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"--config: can't read .*: No such file"):
        settings(tmp_path, config=str(tmp_path / "absent.toml"))


def test_limits_may_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "sennit.toml").write_text("[limit]\nmaxBody = 5\nmaxHeaders = 10\n")
    assert settings(tmp_path).limit == ("maxBody=5", "maxHeaders=10")


def test_target_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no TARGET"):
        gather(None, {}, {}, None, tmp_path)


def test_misspelt_variable_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings(tmp_path, {"SENNIT_WORKER": "3", "SENNIT_SECRET_OF_MINE": "x"})
    assert caplog.messages == ["SENNIT_WORKER is no setting; SENNIT_WORKERS is"]


def test_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("THERE_BEFORE", "kept")
    monkeypatch.delenv("ADDED", raising=False)
    monkeypatch.delenv("QUOTED", raising=False)
    file = tmp_path / "env"
    file.write_text("# comment\n\nexport ADDED = one two\nQUOTED='x=y '\nTHERE_BEFORE=changed\n")
    add_file_to_environment(str(file))
    assert [os.environ[name] for name in ("ADDED", "QUOTED", "THERE_BEFORE")] == ["one two", "x=y ", "kept"]
    monkeypatch.delenv("ADDED")
    monkeypatch.delenv("QUOTED")
    file.write_text("nonsense\n")
    with pytest.raises(SettingError, match=r"--env-file: line 1 of .* is not NAME=VALUE"):
        add_file_to_environment(str(file))
