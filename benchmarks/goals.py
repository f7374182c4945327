"""What Sennit must reach, judged by the findings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.figures import Findings, peers_of
from benchmarks.servers import LIMIT, NGINX, SENNIT

ASYNCIO_PEERS = frozenset(
    {
        "uvicorn",
        "aiohttp",
        "granian-asgi",
        "granian-rsgi",
        "peregrine-asgi",
        "fastpysgi-asgi",
        "socketify",
        "robyn",
    }
)
RACES = (
    "buy-64",
    "buy-512",
    "echo1k-64",
    "echo64k-64",
    "missing-64",
    "dynamic-64",
    "stream-64",
    "wsgi-pool-64",
)
"""Where Sennit must answer more requests per second than every peer."""
APPLICATION_RACES = (
    "wsgi-64",
    "flask-64",
    "asgi-64",
    "starlette-64",
    "fastapi-64",
    "asgi-stream-64",
    "asgi-sleep10ms-512",
)
"""The same for applications in the loop's thread, and in CPU time per request as well."""
_STATIC = ("static1k-64", "static64k-64", "static1m-64")
OF_NGINX = dict(zip(_STATIC, (0.80, 0.95, 0.95), strict=True))
"""The requests per second of files, as a part of nginx's."""
PROXY_OF_NGINX = 0.60
"""The same of what is passed on."""


@dataclass(frozen=True)
class Verdict:
    """One goal: what was to be reached, what was found, and whether that is enough."""

    goal: str
    bound: str
    found: float
    reached: bool


def judge(findings: Findings) -> list[Verdict]:
    """Return a verdict for each goal whose scenarios were measured with all that it compares."""
    found = [
        _at_least(
            "buy-64: requests/s of the limit's", 0.90, _of_limit(findings, "buy-64", "requests_per_second")
        ),
        _at_most(
            "buy-64: CPU per request of the limit's",
            1.20,
            _of_limit(findings, "buy-64", "cpu_us_per_request"),
        ),
        _at_least(
            "buy-512: requests/s of the limit's", 0.85, _of_limit(findings, "buy-512", "requests_per_second")
        ),
        _at_most("buy-1: p50 of the limit's", 1.15, _of_limit(findings, "buy-1", "p50_us")),
        _at_least("async-64: requests/s of the limit's on buy-64", 0.75, _async_of_limit(findings)),
        _at_least("sleep0-64: requests/s of the best asyncio peer's", 1.0, _sleep0_of_asyncio(findings)),
        *(
            _at_least(
                f"{key}: requests/s of the best peer's",
                1.0,
                _of_peers(findings, key, "requests_per_second", min),
            )
            for key in (*RACES, *OF_NGINX, *APPLICATION_RACES)
        ),
        *(
            _at_least(
                f"{key}: requests/s of nginx's", bound, _of(findings, key, NGINX, "requests_per_second")
            )
            for key, bound in OF_NGINX.items()
        ),
        _at_most(
            "gzip64k-64: CPU per request of nginx's",
            1.20,
            _of(findings, "gzip64k-64", NGINX, "cpu_us_per_request"),
        ),
        _at_least(
            "proxy-64: requests/s of nginx's",
            PROXY_OF_NGINX,
            _of(findings, "proxy-64", NGINX, "requests_per_second"),
        ),
        *(
            _at_most(
                f"{key}: CPU per request of the thriftiest peer's",
                1.0,
                _of_peers(findings, key, "cpu_us_per_request", max),
            )
            for key in ("buy-64", *APPLICATION_RACES)
        ),
        _at_most("idle: KiB per connection", 1.0, _value(findings, "idle", 0)),
        _at_most("soak: growth of RSS in %", 2.0, _value(findings, "soak", 2)),
        _at_most("soak-asgi: growth of RSS in %", 5.0, _value(findings, "soak-asgi", 2)),
        _at_most("upload: rise of RSS in MiB", 8.0, _value(findings, "upload", 2)),
        _at_most("download: rise of RSS in MiB", 8.0, _value(findings, "download", 2)),
        _at_most("startup: ms", 100.0, _value(findings, "startup", 0)),
    ]
    return [verdict for verdict in found if verdict is not None]


def _at_least(goal: str, bound: float, found: float | None) -> Verdict | None:
    return None if found is None else Verdict(goal, f"at least {bound:g}", found, found >= bound)


def _at_most(goal: str, bound: float, found: float | None) -> Verdict | None:
    return None if found is None else Verdict(goal, f"at most {bound:g}", found, found <= bound)


def _of_limit(findings: Findings, key: str, figure: str) -> float | None:
    return _of(findings, key, LIMIT, figure)


def _of(findings: Findings, key: str, reference: str, figure: str) -> float | None:
    table = findings.load(key)
    return table.ratio(SENNIT, reference, figure) if table else None


def _async_of_limit(findings: Findings) -> float | None:
    ours, limit = findings.medians("async-64").get(SENNIT), findings.medians("buy-64").get(LIMIT)
    return ours.requests_per_second / limit.requests_per_second if ours and limit else None


def _of_peers(
    findings: Findings,
    key: str,
    figure: str,
    worst: Callable[[Iterable[float]], float],
    peers: Iterable[str] | None = None,
) -> float | None:
    """Return the worst of the ratios to the peers, each of which is to be beaten."""
    table = findings.load(key)
    if table is None:
        return None
    chosen = peers_of(table.samples) if peers is None else peers
    ratios = [table.ratio(SENNIT, peer, figure) for peer in chosen]
    found = [ratio for ratio in ratios if ratio is not None]
    return worst(found) if found else None


def _sleep0_of_asyncio(findings: Findings) -> float | None:
    return _of_peers(findings, "sleep0-64", "requests_per_second", min, ASYNCIO_PEERS)


def _value(findings: Findings, key: str, column: int) -> float | None:
    row = findings.other(key).get(SENNIT)
    return None if row is None else row[column]
