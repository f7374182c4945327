"""Reading what the load generators print."""

import json

import pytest

from benchmarks.load import LoadFailed, parse_own, parse_wrk

WRK = """\
Running 1s test @ http://127.0.0.1:9100/buy
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   551.12us  228.35us   4.63ms   93.21%
    Req/Sec   112.80k     4.41k  117.17k    80.00%
  Latency Distribution
     50%  269.00us
     75%  552.00us
     90%  668.00us
     99%    1.49ms
  112334 requests in 1.00s, 17.35MB read
  Non-2xx or 3xx responses: 112334
Requests/sec: 112333.99
Transfer/sec:     17.35MB
"""
REFUSALS = "  Non-2xx or 3xx responses: 112334\n"


def own(**changes: object) -> str:
    found = {"requests": 1000, "seconds": 0.5, "answered": 1064, "p50_us": 20.5, "p99_us": 51.0, "errors": 0}
    return json.dumps(found | changes)


def test_own_generator_gives_rate_answers_and_latencies() -> None:
    assert parse_own(own()) == (2000.0, 1064, 20.5, 51.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (own(errors=3), "3 of 1064 answers were wrong or cut"),
        (own(requests=0), "nothing was answered"),
        ("", "the generator printed ''"),
        ('{"requests": 1}', "the generator printed"),
    ],
)
def test_own_generator_failure_is_named(text: str, complaint: str) -> None:
    with pytest.raises(LoadFailed, match=complaint):
        parse_own(text)


def test_wrk_gives_rate_answers_and_latencies_in_microseconds() -> None:
    assert parse_wrk(WRK, 402) == (112333.99, 112334, 269.0, 1490.0)


def test_wrk_without_refusals_suits_a_good_status() -> None:
    assert parse_wrk(WRK.replace(REFUSALS, ""), 200)[1] == 112334


@pytest.mark.parametrize(
    ("text", "status", "complaint"),
    [
        (WRK, 200, "112334 of 112334 answers had an error status"),
        (WRK.replace(REFUSALS, ""), 402, "0 of 112334 answers had an error status"),
        (WRK.replace("responses: 112334", "responses: 112333"), 404, "112333 of 112334"),
        (WRK + "  Socket errors: connect 0, read 7, write 0, timeout 0\n", 402, "read 7"),
        (WRK.replace("112334 requests", "0 requests"), 402, "nothing was answered"),
        ("unable to connect to 127.0.0.1:1 Connection refused", 402, "unable to connect"),
        (WRK.replace("269.00us", "much"), 402, "the latency 'much'"),
    ],
)
def test_wrk_failure_is_named(text: str, status: int, complaint: str) -> None:
    with pytest.raises(LoadFailed, match=complaint):
        parse_wrk(text, status)
