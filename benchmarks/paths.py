"""Where the harness finds and keeps things."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
NATIVE = HERE / "native"
PROGRAMS = HERE / "programs"
BUILD = HERE / "build"
"""What is compiled or written for a run; not under version control."""
PEERS = HERE / ".peers" / "venv"
"""The peers' virtual environment; not under version control."""
RESULTS = HERE / "results"
