"""Medians, ratios, and keeping what was found."""

import json

import pytest

from benchmarks.figures import Findings, LoadTable, PlainTable, Sample, median_of, peers_of


def sample(rate: float, p50: float = 100.0, cpu: float = 10.0) -> Sample:
    return Sample(rate, p50, 10 * p50, cpu, 20480)


def findings(key: str = "buy", **rates: float) -> Findings:
    samples = {name.replace("_", "-"): [sample(rate)] for name, rate in rates.items()}
    return Findings(
        machine={"cpu": "a core"},
        versions={"bjoern": "3"},
        loads=[LoadTable(key, "a page", 64, "wrk", 1.0, samples)],
        others=[PlainTable("startup", "start", ("ms",), {"bjoern": (30.0,)})],
        failures={"robyn stream": "timed out"},
    )


def test_median_is_taken_of_each_figure_by_itself() -> None:
    rounds = [Sample(1, 30, 9, 5, 10), Sample(3, 10, 8, 6, 30), Sample(2, 20, 7, 4, 20)]
    assert median_of(rounds) == Sample(2, 20, 8, 5, 20)


def test_medians_come_fastest_first_and_without_servers_that_failed() -> None:
    table = LoadTable("buy", "", 64, "wrk", 1.0, {"slow": [sample(1)], "fast": [sample(9)], "gone": []})
    assert list(table.medians()) == ["fast", "slow"]


def test_peers_are_all_but_references_and_sennit() -> None:
    assert peers_of(["limit", "sennit", "bjoern", "nginx", "uvicorn"]) == ["bjoern", "uvicorn"]


def test_ratio_is_the_median_of_the_rounds() -> None:
    ours, theirs = ([sample(rate) for rate in rates] for rates in ((10, 30, 60), (20, 20, 20)))
    table = LoadTable("buy", "", 64, "wrk", 1.0, {"sennit": ours, "bjoern": theirs, "limit": []})
    assert table.ratio("sennit", "bjoern", "requests_per_second") == 1.5
    assert table.ratio("sennit", "limit", "requests_per_second") is None
    assert table.ratio("sennit", "twisted", "requests_per_second") is None
    assert table.ratio("sennit", None, "requests_per_second") is None


def test_ratio_compares_what_was_measured_in_the_same_minute() -> None:
    slow_then_fast = [sample(rate) for rate in (10, 11, 100)]
    fast_then_slow = [sample(rate) for rate in (9, 100, 90)]
    table = LoadTable("buy", "", 64, "wrk", 1.0, {"sennit": slow_then_fast, "bjoern": fast_then_slow})
    found = table.ratio("sennit", "bjoern", "requests_per_second")
    assert found == pytest.approx(10 / 9)


def test_findings_survive_json() -> None:
    found = findings(bjoern=5.0)
    assert Findings.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_older_tables_are_kept_unless_measured_again() -> None:
    newer, older = findings(sennit=2.0), findings(sennit=1.0)
    older.loads.append(LoadTable("echo1k", "", 64, "wrk", 1.0, {"sennit": [sample(7)]}))
    newer.keep_from(older)
    assert newer.medians("buy-64")["sennit"].requests_per_second == 2.0
    assert newer.medians("echo1k-64")["sennit"].requests_per_second == 7.0
    assert len(newer.others) == 1


def test_table_that_was_not_measured_is_empty() -> None:
    assert findings().medians("dynamic-64") == {}
    assert findings().other("idle") == {}
