"""Processor time and memory of processes."""

import os
import subprocess
import sys
import time

import pytest

from benchmarks import measure

STAT = "1234 (a (strange) name) S 77 1234 1234 0 -1 4194304 100 0 0 0 250 31 0 0 20 0 3 0 5 0 0"


def test_stat_is_read_behind_the_name() -> None:
    assert measure.parse_stat(STAT) == (77, 250, 31)


@pytest.mark.parametrize("name", ["Rss", "VmRSS"])
def test_resident_size_is_read(name: str) -> None:
    assert measure.parse_rss_kib(f"Size: 1 kB\n{name}:      5120 kB\nPss: 7 kB\n") == 5120


def test_missing_resident_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="no resident size"):
        measure.parse_rss_kib("Pss: 7 kB\n")


@pytest.mark.skipif(not measure.PROC.joinpath("self/stat").exists(), reason="there is no /proc")
def test_family_has_children_and_grandchildren() -> None:
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 10
        while len(measure.family(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        members = measure.family(process.pid)
        process.communicate(b"\n")
    assert len(members) == 2
    assert members[0] == process.pid


@pytest.mark.skipif(not measure.PROC.joinpath("self/stat").exists(), reason="there is no /proc")
def test_own_processor_time_and_memory_are_seen() -> None:
    before = measure.cpu_seconds([os.getpid()])
    sum(range(300_000))
    assert measure.cpu_seconds([os.getpid()]) > before > 0
    assert measure.rss_kib([os.getpid()]) > 1024
