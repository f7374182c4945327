"""Describes the machine and the versions; nothing that names it or its folders."""

import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path

from benchmarks import nginx
from benchmarks.peers import installed_versions
from benchmarks.servers import SERVERS


def describe(peers_python: Path, sennit_python: Path | None) -> dict[str, str]:
    """Return what a reader must know of the machine to make sense of the figures."""
    described = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": _cpu_model(Path("/proc/cpuinfo").read_text()),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": _output(str(peers_python), "-V"),
        "wrk": _wrk_version(),
        "nginx": _output(nginx.find() or "nginx", "-v"),
        "cc": _output("cc", "--version"),
    }
    if sennit_python is not None and sennit_python != peers_python:
        described["python of sennit"] = _output(str(sennit_python), "-V")
    return described


def versions(peers_python: Path, sennit_python: Path | None) -> dict[str, str]:
    """Return the version of each server's distributions by their PyPI names, as far as installed."""
    found = installed_versions(peers_python)
    if sennit_python is not None:
        found = {**found, "sennit": installed_versions(sennit_python).get("sennit", "unreleased")}
    names = {name for server in SERVERS for name in server.distributions}
    return {name: found[name.lower()] for name in sorted(names, key=str.lower) if name.lower() in found}


def _cpu_model(cpuinfo: str) -> str:
    matched = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return matched[1] if matched else platform.machine()


def _output(*command: str) -> str:
    """Return the first line that a command prints, empty if there is no such command."""
    if shutil.which(command[0]) is None:
        return ""
    printed = subprocess.run(command, capture_output=True, text=True, check=False)
    return ((printed.stdout or printed.stderr).splitlines() or [""])[0]


def _wrk_version() -> str:
    matched = re.search(r"wrk\s+(?:debian/)?(\S+)", _output("wrk", "--version"))
    return matched[1] if matched else ""
