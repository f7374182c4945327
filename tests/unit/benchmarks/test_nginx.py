"""nginx's configuration, and the files that all servers serve."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import files, nginx
from benchmarks.scenarios import LOADS
from benchmarks.servers import NGINX, SERVERS


def test_files_are_written_as_the_scenarios_expect_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FOLDER", tmp_path / "files")
    files.prepare()
    found = {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()}
    wanted = {s.path.rpartition("/")[2]: s.body for s in LOADS if s.program in ("static", "gzip")}
    assert found == wanted
    (tmp_path / "files" / "1k.html").write_bytes(b"cut")
    files.prepare()
    assert (tmp_path / "files" / "1k.html").stat().st_size == 1024


def test_nginx_is_configured_for_all_its_programs() -> None:
    server = next(server for server in SERVERS if server.name == NGINX)
    assert server.programs == set(nginx.LOCATIONS)
    text = nginx.configuration("static", 8123)
    assert "listen 127.0.0.1:8123 " in text
    assert text.count("{") == text.count("}")
    assert "open_file_cache" not in text
    behind = nginx.configuration("proxy", 8123, 8124)
    assert "server 127.0.0.1:8124; keepalive 64;" in behind
    assert behind.count("{") == behind.count("}")
    with pytest.raises(KeyError):
        nginx.configuration("buy", 8123)


@pytest.mark.skipif(nginx.find() is None, reason="nginx is not installed")
def test_nginx_takes_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx, "BUILD", tmp_path)
    for program in nginx.LOCATIONS:
        path = nginx.write_configuration(program, 8123, 8124)
        command = [nginx.find() or "", "-t", "-e", "stderr", "-c", str(path)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        assert outcome.returncode == 0, outcome.stderr
