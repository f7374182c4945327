"""The memory of a process in huge pages. Each test looks at a process of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
# What the processes below have: some memory that is full of objects, and a look at what they hold.
COMMON = """
import ctypes, mmap, os, sys
from sennit._engine import gather_memory

def held(name):
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) << 10

objects = [str(number) * 10 for number in range(1_000_000)]
"""


def outcomeOf(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", COMMON + textwrap.dedent(program)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def kernel_has_huge_pages() -> None:
    if not SETTING.exists() or "[never]" in SETTING.read_text() or outcomeOf("print(gather_memory())") == "0":
        pytest.skip("this kernel has no huge pages to give")


def test_memory_lies_in_huge_pages_and_takes_no_more() -> None:
    program = """
        before = held("Rss")
        gathered = gather_memory()
        assert objects == [str(number) * 10 for number in range(1_000_000)]
        print(gathered >= 32 << 20, gathered <= held("AnonHugePages"), held("Rss") - before < 4 << 20)
        """
    assert outcomeOf(program) == "True True True"


def test_sparse_memory_stays_sparse() -> None:
    program = """
        sparse = mmap.mmap(-1, 512 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        # While it is filled, the kernel is not to do on its own what is asked here.
        sparse.madvise(mmap.MADV_NOHUGEPAGE)
        for place in range(0, len(sparse), 1 << 20):
            sparse[place] = 1
        sparse.madvise(mmap.MADV_HUGEPAGE)
        before = held("Rss")
        gather_memory()
        print(held("Rss") - before < 64 << 20)
        """
    assert outcomeOf(program) == "True"


def test_memory_that_is_shared_stays_shared() -> None:
    program = """
        full = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        full.madvise(mmap.MADV_NOHUGEPAGE)
        for place in range(0, len(full), 4096):
            full[place] = 1
        full.madvise(mmap.MADV_HUGEPAGE)
        reader, writer = os.pipe()
        if os.fork() == 0:
            gather_memory()
            os.write(writer, b"shared" if held("Private_Dirty") < 32 << 20 else b"own")
            os._exit(0)
        os.wait()
        print(os.read(reader, 10).decode(), gather_memory() > 64 << 20)
        """
    assert outcomeOf(program) == "shared True"
