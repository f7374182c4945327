"""Judging what Sennit must reach."""

import pytest

from benchmarks.figures import Findings, LoadTable, PlainTable, Sample
from benchmarks.goals import Verdict, judge


def table(scenario: str, connections: int = 64, **samples: tuple[float, float, float]) -> LoadTable:
    """Samples are (requests/s, p50 in µs, CPU in µs)."""
    rounds = {name: [Sample(rate, p50, p50, cpu, 1024)] for name, (rate, p50, cpu) in samples.items()}
    return LoadTable(scenario, "", connections, "wrk", 1.0, rounds)


def verdicts(*loads: LoadTable, others: tuple[PlainTable, ...] = ()) -> dict[str, Verdict]:
    return {verdict.goal: verdict for verdict in judge(Findings(loads=list(loads), others=list(others)))}


def test_nothing_is_judged_without_findings() -> None:
    assert verdicts() == {}


def test_page_is_judged_by_rate_and_processor_time() -> None:
    found = verdicts(table("buy", limit=(100, 1, 10), sennit=(89, 1, 12), bjoern=(80, 1, 11)))
    assert not found["buy-64: requests/s of the limit's"].reached
    assert found["buy-64: CPU per request of the limit's"].reached
    assert found["buy-64: requests/s of the best peer's"].found == 89 / 80
    assert not found["buy-64: CPU per request of the thriftiest peer's"].reached


@pytest.mark.parametrize("scenario", ["asgi", "wsgi", "flask"])
def test_applications_are_judged_by_rate_and_processor_time_of_peers(scenario: str) -> None:
    found = verdicts(table(scenario, sennit=(88, 1, 12), bjoern=(80, 1, 11), gunicorn=(10, 1, 90)))
    assert found[f"{scenario}-64: requests/s of the best peer's"].found == 88 / 80
    assert found[f"{scenario}-64: CPU per request of the thriftiest peer's"] == Verdict(
        f"{scenario}-64: CPU per request of the thriftiest peer's", "at most 1", 12 / 11, False
    )


def test_one_connection_is_judged_by_latency() -> None:
    found = verdicts(table("buy", 1, limit=(50, 20, 1), sennit=(49, 23, 1)))
    assert found["buy-1: p50 of the limit's"] == Verdict(
        "buy-1: p50 of the limit's", "at most 1.15", 1.15, True
    )


def test_coroutine_is_compared_with_the_limit_of_the_page() -> None:
    page = table("buy", limit=(100, 1, 1), sennit=(95, 1, 1))
    found = verdicts(page, table("async", sennit=(74, 1, 1), uvicorn=(40, 1, 1)))
    assert not found["async-64: requests/s of the limit's on buy-64"].reached


def test_waiting_coroutine_is_compared_with_asyncio_peers_alone() -> None:
    found = verdicts(table("sleep0", sennit=(50, 1, 1), twisted=(60, 1, 1), uvicorn=(40, 1, 1)))
    assert found["sleep0-64: requests/s of the best asyncio peer's"].found == 50 / 40


def test_memory_and_start_are_judged_by_sennits_row() -> None:
    idle = PlainTable("idle", "", ("KiB", "MiB"), {"sennit": (1.2, 30.0), "bjoern": (0.3, 12.0)})
    soak = PlainTable("soak", "", ("a", "b", "%"), {"sennit": (20.0, 20.2, 1.0)})
    asgi = PlainTable("soak-asgi", "", ("a", "b", "%"), {"sennit": (40.0, 42.4, 6.0), "uvicorn": (40, 40, 0)})
    found = verdicts(others=(idle, soak, asgi))
    assert not found["idle: KiB per connection"].reached
    assert found["soak: growth of RSS in %"].reached
    assert not found["soak-asgi: growth of RSS in %"].reached


def test_files_are_judged_by_nginx_and_by_the_best_python_peer() -> None:
    peers = {"granian-static": (79, 1, 1), "sennit": (84, 1, 1)}
    found = verdicts(
        table("static1k", nginx=(100, 1, 1), **peers), table("static64k", nginx=(100, 1, 1), **peers)
    )
    assert found["static1k-64: requests/s of nginx's"] == Verdict(
        "static1k-64: requests/s of nginx's", "at least 0.8", 0.84, True
    )
    assert not found["static64k-64: requests/s of nginx's"].reached
    passed_on = verdicts(table("proxy", nginx=(100, 1, 1), sennit=(61, 1, 1), twisted=(2, 1, 1)))
    assert passed_on["proxy-64: requests/s of nginx's"].reached
    assert found["static1k-64: requests/s of the best peer's"].found == 84 / 79


def test_compression_is_judged_by_what_nginx_spends_on_it() -> None:
    found = verdicts(table("gzip64k", nginx=(100, 1, 50), sennit=(100, 1, 61)))
    assert found["gzip64k-64: CPU per request of nginx's"].found == 61 / 50
    assert not found["gzip64k-64: CPU per request of nginx's"].reached
