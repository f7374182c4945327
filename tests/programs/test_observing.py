"""`sennit serve --metrics`: counters of all workers, and the server's health."""

import os
import re
import signal
from pathlib import Path

import httpx

from .network import free_port
from .served import Served, wait_until


def counted(url: str) -> int:
    found = re.search(r'responses_total\{method="GET",code="200"\} (\d+)', httpx.get(f"{url}/metrics").text)
    return int(found[1]) if found else 0


def test_workers_are_counted_together_and_their_counts_outlive_them(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Served(tmp_path, "--workers", "2", "--metrics", str(port)) as served:
        served.wait_until_up()
        for _ in range(20):
            served.pid_that_answers()
        assert counted(url) == 20
        wait_until(lambda: "sennit_processes 2\n" in httpx.get(f"{url}/metrics").text)
        killed = served.children()[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in served.children() and len(served.children()) == 2)
        assert counted(url) == 20
        assert httpx.get(f"{url}/health/ready").json() == {"status": "ok"}
        assert served.end()[0] == 0


def test_one_process_counts_as_well(tmp_path: Path) -> None:
    port = free_port()
    with Served(tmp_path, "--metrics", f"127.0.0.1:{port}") as served:
        served.wait_until_up()
        served.pid_that_answers()
        assert counted(f"http://127.0.0.1:{port}") == 1


def test_ids_and_chosen_fields_of_the_log(tmp_path: Path) -> None:
    options = ("--access-log", "--access-log-file", "log", "--access-log-format", "%(id)s %(s)s %(U)s")
    with Served(tmp_path, "--request-id", "accept", *options) as served:
        served.wait_until_up()
        answer = httpx.get(f"{served.base}/pid", headers={"X-Request-ID": "abc"})
        assert answer.headers["x-request-id"] == "abc"
        assert len(httpx.get(f"{served.base}/pid").headers["x-request-id"]) == 32
        served.end()
    assert (tmp_path / "log").read_text().splitlines()[0] == "abc 200 /pid"
