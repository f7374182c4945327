"""What a server costs: processor time and memory of a process with its descendants, from /proc."""

import contextlib
import os
import time
from pathlib import Path

PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def parse_stat(text: str) -> tuple[int, int, int]:
    """Return parent id, user ticks and system ticks from the text of /proc/PID/stat.

    The second field, the command's name, may hold spaces and parentheses: what follows its last `)` counts.
    """
    fields = text[text.rindex(")") + 2 :].split()
    return int(fields[1]), int(fields[11]), int(fields[12])


def family(pid: int) -> list[int]:
    """Return `pid` and all its living descendants."""
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                parents[int(entry.name)] = parse_stat((entry / "stat").read_text())[0]
    members = [pid]
    for member in members:
        members.extend(child for child, parent in parents.items() if parent == member)
    return members


def cpu_seconds(pids: list[int]) -> float:
    """Return the processor seconds, user and system, that the processes have used, dead threads included."""
    return sum(_cpu_seconds(pid) for pid in pids)


def _cpu_seconds(pid: int) -> float:
    # A process's CPU clock (clock_getcpuclockid in glibc) counts the same time as /proc/PID/stat, but in
    # nanoseconds and not in ticks of 10 ms.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        _, user, system = parse_stat((PROC / str(pid) / "stat").read_text())
        return (user + system) / _TICKS_PER_SECOND


def parse_rss_kib(text: str) -> int:
    """Return the resident KiB from the text of /proc/PID/smaps_rollup or /proc/PID/status."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in {"Rss", "VmRSS"}:
            return int(value.split()[0])
    raise ValueError("no resident size given")


def rss_kib(pids: list[int]) -> int:
    """Return the resident memory of the processes together in KiB; shared pages count once in each."""
    # smaps_rollup walks the page tables and is exact; VmRSS may lag by some pages per thread.
    total = 0
    for pid in pids:
        directory = PROC / str(pid)
        try:
            text = (directory / "smaps_rollup").read_text()
        except OSError:
            text = (directory / "status").read_text()
        total += parse_rss_kib(text)
    return total
