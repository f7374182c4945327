"""Writes what was found: tables in Markdown, and everything in JSON."""

import json
from pathlib import Path

from benchmarks.figures import Findings, LoadTable, PlainTable, Sample, peers_of
from benchmarks.goals import Verdict, judge
from benchmarks.servers import LIMIT, SENNIT, SERVERS

JSON_NAME, TABLES_NAME, SUMMARY_NAME = "results.json", "tables.md", "summary.md"

_INTERFACES = {server.name: server.interface for server in SERVERS}
GENERATORS = {"wrk": "wrk", "load": "our generator, native/load.c"}


def write(findings: Findings, folder: Path) -> None:
    """Write the JSON, all tables, and the short table that README quotes into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(json.dumps(findings.to_json(), indent=1) + "\n")
    (folder / TABLES_NAME).write_text(tables(findings))
    (folder / SUMMARY_NAME).write_text(summary(findings))


def read(folder: Path) -> Findings | None:
    """Return the findings of the run that wrote into `folder` last, None if there was none."""
    try:
        return Findings.from_json(json.loads((folder / JSON_NAME).read_text()))
    except FileNotFoundError:
        return None


def grid(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def number(value: float | None, digits: int = 2) -> str:
    """Return a number for a table: thousands separated when there are any, a dash for none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if digits == 0 or abs(value) >= 1000 else f"{value:.{digits}f}"


def load_grid(table: LoadTable) -> str:
    """Return a load scenario's table, fastest first, with ratios to the limit and to the best peer."""
    medians = table.medians()
    peer = next(iter(peers_of(medians)), None)
    header = ["server", "requests/s", "of the limit", "of the best peer", "p50 µs", "p99 µs"]
    header += ["CPU µs/request", "of the limit", "RSS MiB"]
    rows = []
    for name, sample in medians.items():
        rows.append(
            [
                _label(name),
                number(sample.requests_per_second, 0),
                number(table.ratio(name, LIMIT, "requests_per_second")),
                number(table.ratio(name, peer, "requests_per_second")),
                number(sample.p50_us, 1),
                number(sample.p99_us, 1),
                number(sample.cpu_us_per_request),
                number(table.ratio(name, LIMIT, "cpu_us_per_request")),
                number(sample.rss_kib / 1024, 1),
            ]
        )
    return grid(header, rows)


def plain_grid(table: PlainTable) -> str:
    """Return the table of a scenario with columns of its own, lowest first column first."""
    ordered = sorted(table.rows.items(), key=lambda item: item[1][0])
    return grid(
        ["server", *table.columns], [[_label(name), *map(number, values)] for name, values in ordered]
    )


def _label(name: str) -> str:
    label = f"{name} ({_INTERFACES[name]})"
    return f"**{label}**" if name == SENNIT else label


def tables(findings: Findings) -> str:
    """Return the whole report in Markdown."""
    parts = ["# Benchmark results\n", "Written by `python -m benchmarks`; how is told in ../README.md.\n"]
    parts.append("".join(f"- {name}: {value}\n" for name, value in findings.machine.items() if value))
    parts.append(
        "Versions: " + ", ".join(f"{name} {value}" for name, value in findings.versions.items()) + "\n"
    )
    if any(SENNIT in table.samples for table in findings.loads):
        parts += ["## What Sennit must reach\n", _verdict_grid(judge(findings))]
    for load in findings.loads:
        rounds = max((len(samples) for samples in load.samples.values()), default=0)
        how = f"Rounds of {load.seconds:g} s: {rounds}; medians, for the ratios of each round's ratios; "
        how += f"generator: {GENERATORS[load.generator]}.\n"
        connections = "1 connection" if load.connections == 1 else f"{load.connections} connections"
        parts += [f"## `{load.key}`: {load.title}, {connections}\n", how, load_grid(load)]
    for plain in findings.others:
        parts += [f"## `{plain.key}`: {plain.title}\n", plain_grid(plain)]
    if findings.failures:
        lines = (f"- {where}: `{why}`\n" for where, why in findings.failures.items())
        parts += ["## Left out\n", "".join(lines)]
    return "\n".join(parts)


def _verdict_grid(verdicts: list[Verdict]) -> str:
    rows = [
        [verdict.goal, verdict.bound, number(verdict.found), "yes" if verdict.reached else "**no**"]
        for verdict in verdicts
    ]
    return grid(["goal", "bound", "found", "reached"], rows)


def summary(findings: Findings) -> str:
    """Return the short table for README: a row per server, a column per figure that decides."""
    loads = ("buy-64", "async-64", "echo1k-64", "dynamic-64", "stream-64")
    medians = {key: findings.medians(key) for key in loads}
    idle, startup = findings.other("idle"), findings.other("startup")
    names = list(medians["buy-64"]) or list(startup)
    header = ["server", "GET 402", "CPU µs", "async", "POST 1 KiB", "dynamic child", "64 chunks"]
    header += ["idle connection", "start"]
    rows = []
    for name in names:
        page = medians["buy-64"].get(name)
        row = [_label(name), _rate(page), number(page.cpu_us_per_request if page else None, 1)]
        row += [_rate(medians[key].get(name)) for key in loads[1:]]
        row.append(f"{number(idle[name][0], 1)} KiB" if name in idle else "-")
        row.append(f"{number(startup[name][0], 0)} ms" if name in startup else "-")
        rows.append(row)
    machine = f"{findings.machine.get('cpu', '')}, {findings.machine.get('kernel', '')}"
    machine += f", {findings.machine.get('python', '')}"
    caption = (
        "Requests per second on one core, 64 connections, median of interleaved rounds; CPU µs per request "
        f"of the first column.\n{machine}.\n"
    )
    return grid(header, rows) + "\n" + caption


def _rate(sample: Sample | None) -> str:
    return number(sample.requests_per_second if sample else None, 0)
