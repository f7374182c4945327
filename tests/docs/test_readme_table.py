"""The figures of the README are those of the last benchmark run, to the letter."""

from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_readme_quotes_the_measured_table() -> None:
    summary = (_ROOT / "benchmarks" / "results" / "summary.md").read_text(encoding="utf-8").strip()
    assert summary in (_ROOT / "README.md").read_text(encoding="utf-8")
