"""Measures the load scenarios: all servers of a scenario side by side, started anew for each round."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from benchmarks import answers, load
from benchmarks.figures import Findings, LoadTable, Sample
from benchmarks.scenarios import HEAVY, Scenario
from benchmarks.servers import LIMIT, SENNIT, Launcher, NotStarted, Running, Server, running

SETTLE_SECONDS = 0.05
SLICE_SECONDS = 0.1
SLICE_WARMUP = 0.05
T = TypeVar("T")
Say = Callable[[str], None]

EXPECTED_TROUBLE = (NotStarted, answers.WrongAnswer, load.LoadFailed, OSError)
"""What may go wrong with one server without being the end of the run."""


@dataclass(frozen=True)
class Plan:
    """How long and how often to measure. `generator` and `connections`, if set, hold for all scenarios."""

    rounds: int
    seconds: float
    warmup: float
    generator: str | None = None
    connections: tuple[int, ...] | None = None

    def generator_for(self, scenario: Scenario, connections: int) -> str:
        """Return the generator: the scenario's, but ours for one connection: wrk's µs are too coarse."""
        return self.generator or (HEAVY if connections == 1 else scenario.generator)


def measure_loads(
    scenario: Scenario, chosen: Sequence[Server], launcher: Launcher, plan: Plan, findings: Findings, say: Say
) -> None:
    """Measure one scenario with each number of connections; adds tables and failures to `findings`."""
    tables = []
    for connections in plan.connections or scenario.connections:
        generator = plan.generator_for(scenario, connections)
        tables.append(LoadTable(scenario.name, scenario.title, connections, generator, plan.seconds))
    findings.loads.extend(tables)
    for number in range(plan.rounds):
        _measure_round(scenario, chosen, launcher, plan, tables, number, findings, say)


def _measure_round(
    scenario: Scenario,
    chosen: Sequence[Server],
    launcher: Launcher,
    plan: Plan,
    tables: Sequence[LoadTable],
    number: int,
    findings: Findings,
    say: Say,
) -> None:
    """Start all servers anew and measure each of them once.

    Where the kernel has put a process's memory makes it faster or slower for all of its life: by a tenth, and
    now and then by a third. Who is started first is worse off than who is started last, so that each is in
    turn.
    """
    with ExitStack() as stack:
        stack.enter_context(launcher.upstream(scenario))
        ready: list[Running] = []
        able = [
            server
            for server in chosen
            if scenario.program in server.programs
            and f"{server.name} {scenario.name}" not in findings.failures
        ]
        # The limit starts last: it copies the answer that Sennit gave to the check.
        for server in sorted(_turned(able, number), key=lambda server: server.name == LIMIT):
            try:
                started = stack.enter_context(running(launcher, server, scenario))
                answer = answers.check(started.port, scenario)
            except EXPECTED_TROUBLE as trouble:
                _note(findings, say, server.name, scenario.name, trouble)
                continue
            if server.name == SENNIT:
                launcher.set_limit_answer(scenario, answer.raw)
            started.pause()
            ready.append(started)
        for table in tables:
            turns = _turned(ready, number // max(1, len(ready)))
            _measure_table(turns, scenario, table, plan, findings, say)


def _turned(servers: Sequence[T], by: int) -> list[T]:
    """Return the servers in the same order, beginning so many places later."""
    shift = by % max(1, len(servers))
    return [*servers[shift:], *servers[:shift]]


def _measure_table(
    turns: Sequence[Running],
    scenario: Scenario,
    table: LoadTable,
    plan: Plan,
    findings: Findings,
    say: Say,
) -> None:
    """Measure each server for the round's seconds: slice by slice, in turns, where the generator can do less
    than a second, since the machine's speed changes within one.
    """
    slices = max(1, round(plan.seconds / SLICE_SECONDS)) if table.generator == HEAVY else 1
    seen: dict[str, list[load.Load]] = {}
    for slice_number in range(slices):
        warmup = SLICE_WARMUP if slice_number else plan.warmup
        effort = load.Effort(table.connections, plan.seconds / slices, warmup)
        for started in _turned(turns, slice_number):
            name = started.server.name
            if f"{name} {table.key}" in findings.failures:
                continue
            try:
                seen.setdefault(name, []).append(_measure_slice(started, scenario, table, effort))
            except EXPECTED_TROUBLE as trouble:
                _note(findings, say, name, table.key, trouble)
                table.samples.pop(name, None)
    for started in turns:
        name = started.server.name
        if f"{name} {table.key}" not in findings.failures:
            sample = _sample(seen[name], started.rss_kib())
            table.samples.setdefault(name, []).append(sample)
            say(_line(table, name, sample))


def _measure_slice(started: Running, scenario: Scenario, table: LoadTable, effort: load.Effort) -> load.Load:
    started.resume()
    time.sleep(SETTLE_SECONDS)
    try:
        return load.run(table.generator, started.port, scenario, effort, started.cpu_seconds)
    finally:
        started.pause()


def _sample(parts: Sequence[load.Load], rss_kib: int) -> Sample:
    """Return the medians of slices: of a neighbour's burst the machine is slow for one or two of them."""
    return Sample(
        statistics.median(part.requests_per_second for part in parts),
        statistics.median(part.p50_us for part in parts),
        statistics.median(part.p99_us for part in parts),
        statistics.median(1e6 * part.cpu_seconds / part.answered for part in parts),
        rss_kib,
    )


def _line(table: LoadTable, name: str, sample: Sample) -> str:
    return (
        f"{table.key:12} {name:15} {sample.requests_per_second:8.0f} requests/s  p50 {sample.p50_us:8.1f} µs"
        f"  p99 {sample.p99_us:8.1f} µs  {sample.cpu_us_per_request:7.2f} µs CPU each"
    )


def _note(findings: Findings, say: Say, server: str, where: str, trouble: Exception) -> None:
    text = str(trouble) or type(trouble).__name__
    findings.failures[f"{server} {where}"] = text
    say(f"{where:12} {server:15} left out: {text}")
