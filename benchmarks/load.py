"""Runs a load generator against one server and reads what it prints."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks import native
from benchmarks.paths import BUILD, NATIVE
from benchmarks.scenarios import Scenario

PATIENCE_SECONDS = 30.0
"""How much longer than asked a generator may run."""


class LoadFailed(Exception):
    """The generator found no server, wrong answers or none; the text says what."""


@dataclass(frozen=True)
class Load:
    """What one run of a generator saw. `answered` counts all answers that the CPU time was spent on."""

    requests_per_second: float
    answered: int
    p50_us: float
    p99_us: float
    cpu_seconds: float


@dataclass(frozen=True)
class Effort:
    """How hard to load: seconds of warm-up and of measuring, or a number of requests (0: no such end)."""

    connections: int
    seconds: float
    warmup: float
    requests: int = 0


def parse_own(text: str) -> tuple[float, int, float, float]:
    """Return requests/s, answers, p50 and p99 in µs from the line of `native/load.c`; raises LoadFailed."""
    try:
        found = json.loads(text)
        requests, seconds, answered = int(found["requests"]), float(found["seconds"]), int(found["answered"])
        errors, latencies = int(found["errors"]), (float(found["p50_us"]), float(found["p99_us"]))
    except (ValueError, KeyError) as error:
        raise LoadFailed(f"the generator printed {text[:100]!r}") from error
    if errors:
        raise LoadFailed(f"{errors} of {answered} answers were wrong or cut")
    if not requests:
        raise LoadFailed("nothing was answered")
    return requests / seconds, answered, *latencies


_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6}


def _microseconds(text: str) -> float:
    matched = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if matched is None:
        raise LoadFailed(f"wrk printed the latency {text!r}")
    return float(matched[1]) * _UNITS[matched[2]]


def parse_wrk(text: str, status: int) -> tuple[float, int, float, float]:
    """Return requests/s, answers, p50 and p99 in µs from what `wrk --latency` prints.

    wrk counts answers other than 2xx and 3xx: with an error `status` that must be all, otherwise none. Raises
    LoadFailed for socket errors and other surprises.
    """
    total = re.search(r"(\d+) requests in ", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p50 = re.search(r"^\s+50%\s+(\S+)", text, re.MULTILINE)
    p99 = re.search(r"^\s+99%\s+(\S+)", text, re.MULTILINE)
    if total is None or rate is None or p50 is None or p99 is None:
        raise LoadFailed(f"wrk printed {text[:200]!r}")
    trouble = re.search(r"Socket errors:.*", text)
    if trouble is not None:
        raise LoadFailed(trouble[0])
    unusual = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    answered, refused = int(total[1]), int(unusual[1]) if unusual else 0
    if not answered:
        raise LoadFailed("nothing was answered")
    if refused != (answered if status >= 400 else 0):
        raise LoadFailed(f"{refused} of {answered} answers had an error status")
    return float(rate[1]), answered, _microseconds(p50[1]), _microseconds(p99[1])


def run_own(port: int, scenario: Scenario, effort: Effort, cpu: Callable[[], float]) -> Load:
    """Load with `native/load.c`; `cpu` reads the server's CPU clock before and after the measured part."""
    request = BUILD / f"request-{scenario.name}"
    request.write_bytes(scenario.request(port))
    # How long a coded body is, is the server's business.
    body = -1 if scenario.body is None or scenario.coding else len(scenario.body)
    numbers = (effort.connections, effort.warmup, effort.seconds, effort.requests, scenario.status, body)
    command = [str(native.build("load")), str(port), str(request), *map(str, numbers)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise LoadFailed(process.communicate()[1].strip() or "the generator stopped")
        before = cpu()
        try:
            printed, complaint = process.communicate("go\n", effort.seconds + PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise LoadFailed("the generator hangs") from None
        spent = cpu() - before
    if process.returncode != 0:
        raise LoadFailed(complaint.strip() or "the generator failed")
    rate, answered, p50, p99 = parse_own(printed)
    return Load(rate, answered, p50, p99, spent)


def run_wrk(port: int, scenario: Scenario, effort: Effort, cpu: Callable[[], float]) -> Load:
    """Load with wrk, after a warm-up by our generator; the CPU time includes wrk's opening of connections."""
    if effort.warmup > 0:
        run_own(port, scenario, replace(effort, seconds=effort.warmup, warmup=0.0), cpu)
    seconds = max(1, round(effort.seconds))
    command = ["wrk", "-t1", f"-c{effort.connections}", f"-d{seconds}s", "--latency"]
    url = f"http://127.0.0.1:{port}{scenario.path}"
    if scenario.request_body:
        command += ["-s", str(NATIVE / "post.lua"), url, "--", str(len(scenario.request_body))]
    else:
        command.append(url)
    before = cpu()
    try:
        outcome = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=seconds + PATIENCE_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise LoadFailed("wrk hangs") from None
    spent = cpu() - before
    if outcome.returncode != 0:
        raise LoadFailed((outcome.stderr or outcome.stdout).strip())
    return Load(*parse_wrk(outcome.stdout, scenario.status), spent)


def run(generator: str, port: int, scenario: Scenario, effort: Effort, cpu: Callable[[], float]) -> Load:
    """Load a server with the generator named `wrk` or `load`; raises LoadFailed."""
    seen = (run_wrk if generator == "wrk" else run_own)(port, scenario, effort, cpu)
    if seen.cpu_seconds <= 0:
        raise LoadFailed("no processor time was used: another process than those that were started answers")
    return seen
