"""The one command: `python -m benchmarks`; `--help` lists what can be chosen."""

import argparse
import resource
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import lifetimes, machine, native, nginx, peers, report
from benchmarks.figures import Findings
from benchmarks.goals import judge
from benchmarks.paths import BUILD, RESULTS
from benchmarks.runs import Plan, measure_loads
from benchmarks.scenarios import HEAVY, LOADS, NAMES, WRK
from benchmarks.servers import LOAD_CORE, NGINX, SENNIT, SERVERS, Launcher, Server, on_core

FULL = Plan(rounds=3, seconds=1.0, warmup=0.3)
QUICK = Plan(rounds=1, seconds=0.3, warmup=0.1, generator=HEAVY, connections=(64,))
QUICK_SCENARIOS = ("buy", "async", "echo1k", "missing", "dynamic", "stream", "startup")
DESCRIPTORS = 65536


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; exits with a message for unknown names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure Sennit beside its peers."
    )
    names = [server.name for server in SERVERS]
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(NAMES)}; default: all"
    )
    parser.add_argument("--servers", metavar="A,B,...", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--rounds", type=int, help="rounds per scenario and server (default 3)")
    parser.add_argument("--seconds", type=float, help="seconds of load per round (default 1)")
    parser.add_argument("--connections", metavar="N,M,...", help="instead of each scenario's own")
    parser.add_argument("--generator", choices=(WRK, HEAVY), help="one load generator for all scenarios")
    parser.add_argument("--quick", action="store_true", help="one short round of the most telling scenarios")
    parser.add_argument("--sennit-python", type=Path, help="an interpreter that has sennit._engine")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument(
        "--keep", action="store_true", help="keep older results of scenarios not measured now"
    )
    parser.add_argument("--check", action="store_true", help="exit with status 1 if Sennit misses a goal")
    options = parser.parse_args(arguments)
    options.scenarios = options.scenarios or list(QUICK_SCENARIOS if options.quick else NAMES)
    options.servers = options.servers.split(",") if options.servers else names
    for given, known in ((options.scenarios, NAMES), (options.servers, names)):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(known)}")
    return options


def plan_of(options: argparse.Namespace) -> Plan:
    """Return how to measure: the full or the quick plan, with what the options say instead."""
    plan = QUICK if options.quick else FULL
    if options.rounds:
        plan = replace(plan, rounds=options.rounds)
    if options.seconds:
        plan = replace(plan, seconds=options.seconds)
    if options.connections:
        plan = replace(plan, connections=tuple(int(count) for count in options.connections.split(",")))
    if options.generator:
        plan = replace(plan, generator=options.generator)
    if plan.generator is None and shutil.which("wrk") is None:
        print("wrk is missing: all scenarios are measured with native/load.c", flush=True)
        plan = replace(plan, generator=HEAVY)
    return plan


def _say(line: str) -> None:
    print(line, flush=True)


def _allow_descriptors() -> None:
    """Let this process and the servers open as many connections as the scenarios need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _measure_others(
    options: argparse.Namespace, chosen: Sequence[Server], launcher: Launcher, findings: Findings
) -> None:
    if "startup" in options.scenarios:
        lifetimes.measure_startup(chosen, launcher, 3 if options.quick else 10, findings, _say)
    if "idle" in options.scenarios:
        lifetimes.measure_idle(chosen, launcher, lifetimes.IDLE_CONNECTIONS, findings, _say)
    for key in ("soak", "soak-asgi"):
        if key in options.scenarios:
            lifetimes.measure_soak(key, chosen, launcher, lifetimes.SOAK_MANY, findings, _say)
    if "transfer" in options.scenarios:
        lifetimes.measure_transfer(chosen, launcher, findings, _say)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare, measure and write the results; return the exit status."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    begun = time.monotonic()
    findings = Findings()
    try:
        BUILD.mkdir(exist_ok=True)
        for program in ("limit", "load"):
            native.build(program)
        environment = peers.prepare()
    except (native.NoCompiler, peers.NoEnvironment) as error:
        print(error, file=sys.stderr)
        return 2
    if shutil.which("wrk") is None:
        peers.install_debian("wrk")
    if nginx.find() is None and NGINX in options.servers:
        peers.install_debian("nginx-light")
    findings.failures.update({f"{name} (install)": why for name, why in environment.failures.items()})
    sennit_python = options.sennit_python
    if sennit_python is None and SENNIT in options.servers:
        sennit_python, why = peers.find_sennit(environment.python)
        if sennit_python is None:
            findings.failures[f"{SENNIT} (install)"] = why
    for where, why in findings.failures.items():
        _say(f"left out: {where}: {why}")
    findings.machine = machine.describe(environment.python, sennit_python)
    findings.versions = machine.versions(environment.python, sennit_python)
    _allow_descriptors()
    launcher = Launcher(environment.python, sennit_python)
    chosen = [
        server
        for server in SERVERS
        if server.name in options.servers
        and f"{server.name.partition('-')[0]} (install)" not in findings.failures
    ]
    plan = plan_of(options)
    with on_core(LOAD_CORE):
        for scenario in LOADS:
            if scenario.name in options.scenarios:
                measure_loads(scenario, chosen, launcher, plan, findings, _say)
        _measure_others(options, chosen, launcher, findings)
    older = report.read(options.output) if options.keep else None
    if older is not None:
        findings.keep_from(older)
    report.write(findings, options.output)
    _say(report.tables(findings))
    _say(f"took {time.monotonic() - begun:.0f} s")
    return 1 if options.check and not _passes(findings) else 0


def _passes(findings: Findings) -> bool:
    """Whether Sennit was measured wherever it was to be, and reaches every goal that could be judged."""
    verdicts = judge(findings)
    left_out = any(where.startswith(f"{SENNIT} ") for where in findings.failures)
    return bool(verdicts) and not left_out and all(verdict.reached for verdict in verdicts)


if __name__ == "__main__":
    sys.exit(main())
