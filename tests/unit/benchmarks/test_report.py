"""The tables and files that a run leaves."""

from pathlib import Path

from benchmarks import report
from benchmarks.figures import Findings, LoadTable, PlainTable, Sample


def found() -> Findings:
    samples = {
        "limit": [Sample(150_000, 300, 600, 6, 1536)],
        "sennit": [Sample(140_000, 320, 650, 7.5, 26 * 1024)],
        "bjoern": [Sample(100_000, 400, 900, 9, 12 * 1024)],
    }
    return Findings(
        machine={"cpu": "a core", "kernel": "Linux 6", "python": "Python 3.13", "wrk": ""},
        versions={"bjoern": "3.2"},
        loads=[LoadTable("buy", "the page", 64, "wrk", 1.0, samples)],
        others=[PlainTable("startup", "start", ("ms",), {"sennit": (90.0,), "bjoern": (40.0,)})],
        failures={"robyn (install)": "error: no wheel"},
    )


def test_load_grid_has_ratios_to_the_limit_and_to_the_best_peer() -> None:
    lines = report.load_grid(found().loads[0]).splitlines()
    assert lines[2].startswith("| limit (C, canned answer) | 150,000 | 1.00 | 1.50 |")
    assert lines[3] == (
        "| **sennit (Resource)** | 140,000 | 0.93 | 1.40 | 320.0 | 650.0 | 7.50 | 1.25 | 26.0 |"
    )
    assert lines[4].startswith("| bjoern (WSGI) | 100,000 | 0.67 | 1.00 |")


def test_load_grid_has_dashes_where_there_is_no_limit() -> None:
    table = LoadTable("async", "", 64, "wrk", 1.0, {"uvicorn": [Sample(5, 1, 1, 1, 1024)]})
    assert "| uvicorn (ASGI) | 5 | - | 1.00 |" in report.load_grid(table)


def test_report_names_goals_and_what_was_left_out() -> None:
    text = report.tables(found())
    assert "| buy-64: CPU per request of the limit's | at most 1.2 | 1.25 | **no** |" in text
    assert "- robyn (install): `error: no wheel`" in text
    assert "- wrk:" not in text


def test_summary_has_a_row_per_server() -> None:
    lines = report.summary(found()).splitlines()
    assert lines[3] == "| **sennit (Resource)** | 140,000 | 7.5 | - | - | - | - | - | 90 ms |"
    assert lines[-1] == "a core, Linux 6, Python 3.13."


def test_written_findings_are_read_again(tmp_path: Path) -> None:
    assert report.read(tmp_path) is None
    report.write(found(), tmp_path / "results")
    assert report.read(tmp_path / "results") == found()
    assert {path.name for path in (tmp_path / "results").iterdir()} == {
        "results.json",
        "tables.md",
        "summary.md",
    }
