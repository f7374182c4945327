"""Compiles the limit server and the load generator."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.paths import BUILD, NATIVE

FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu11")


class NoCompiler(Exception):
    """There is no C compiler, or it failed; the text says which."""


def build(name: str) -> Path:
    """Compile `native/NAME.c` unless `build/NAME` is newer; return the program. Raises NoCompiler."""
    source, program = NATIVE / f"{name}.c", BUILD / name
    if program.exists() and program.stat().st_mtime >= source.stat().st_mtime:
        return program
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompiler("the benchmarks need a C compiler (cc)")
    BUILD.mkdir(exist_ok=True)
    outcome = subprocess.run(
        [compiler, *FLAGS, "-o", str(program), str(source)], capture_output=True, text=True, check=False
    )
    if outcome.returncode != 0:
        raise NoCompiler(outcome.stderr)
    return program
