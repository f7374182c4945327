"""The limit server and the load generator, against each other."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import answers, load, native
from benchmarks.scenarios import HEAVY, LOADS, Scenario, by_name
from benchmarks.servers import SERVERS, Launcher, Running, running

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
LIMIT = next(server for server in SERVERS if server.name == "limit")


@pytest.fixture(scope="module")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's tests compile to: once for all of them."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture
def launcher(build_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """Compiles and writes into a folder of the tests' own."""
    for module in ("native", "servers", "load"):
        monkeypatch.setattr(f"benchmarks.{module}.BUILD", build_folder)
    return Launcher(Path("python"), None)


@pytest.fixture
def limit_port(launcher: Launcher) -> Iterator[int]:
    """A limit server that answers scenario `buy`."""
    with running(launcher, LIMIT, by_name("buy")) as started:
        yield started.port


@pytest.mark.parametrize("scenario", LOADS, ids=lambda scenario: scenario.name)
def test_generator_accepts_the_limits_answer(launcher: Launcher, scenario: Scenario) -> None:
    with running(launcher, LIMIT, scenario) as started:
        answers.check(started.port, scenario)
        effort = load.Effort(connections=3, seconds=10.0, warmup=0.02, requests=50)
        seen = load.run(HEAVY, started.port, scenario, effort, started.cpu_seconds)
    assert seen.answered == 50
    assert seen.cpu_seconds > 0
    assert 0 < seen.p50_us <= seen.p99_us


@pytest.mark.parametrize("changed", ["dynamic", "echo1k"])
def test_generator_refuses_another_status_or_length(limit_port: int, changed: str) -> None:
    effort = load.Effort(connections=1, seconds=0.05, warmup=0.0)
    with pytest.raises(load.LoadFailed, match="wrong or cut"):
        load.run(HEAVY, limit_port, by_name(changed), effort, time.monotonic)


@pytest.mark.parametrize("clock", [[0.0, 0.0], [2.0, 1.0]], ids=["stands", "goes back"])
def test_answers_without_processor_time_are_refused(limit_port: int, clock: list[float]) -> None:
    # As where those that are looked at have been replaced: by such figures nothing can be divided.
    effort = load.Effort(connections=1, seconds=0.05, warmup=0.0)
    with pytest.raises(load.LoadFailed, match="no processor time"):
        load.run(HEAVY, limit_port, by_name("buy"), effort, iter(clock).__next__)


def test_limit_copies_the_answer_it_is_given(launcher: Launcher) -> None:
    scenario = by_name("buy")
    given = scenario.typical_answer().replace(b"Server: Sennit", b"Server: Other")
    launcher.set_limit_answer(scenario, given)
    with running(launcher, LIMIT, scenario) as started:
        assert answers.ask(started.port, scenario.request(started.port)).raw == given


def test_process_that_a_server_replaces_is_looked_for(tmp_path: Path) -> None:
    script = "sleep 60 & echo $!; wait; sleep 60 & echo $!; wait"
    with subprocess.Popen(
        ["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        started = Running(LIMIT, 0, process, tmp_path / "log", 0.0)
        first = int(process.stdout.readline())
        assert started.members() == [process.pid, first]
        os.kill(first, signal.SIGKILL)
        second = int(process.stdout.readline())
        assert started.cpu_seconds() > 0
        members = started.members()
        started.end()
    assert members == [process.pid, second]


def test_compiler_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.c").write_text("int main(void) { return missing; }\n")
    monkeypatch.setattr(native, "NATIVE", tmp_path)
    monkeypatch.setattr(native, "BUILD", tmp_path)
    with pytest.raises(native.NoCompiler, match="missing"):
        native.build("broken")


def test_program_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "BUILD", tmp_path)
    first = native.build("limit").stat().st_mtime_ns
    assert native.build("limit").stat().st_mtime_ns == first
    assert subprocess.run([str(tmp_path / "limit")], capture_output=True, check=False).returncode == 2
