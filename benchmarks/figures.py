"""What a run finds out: plain data, and its arithmetic."""

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.servers import REFERENCES, SENNIT


@dataclass(frozen=True)
class Sample:
    """One server in one round of one scenario."""

    requests_per_second: float
    p50_us: float
    p99_us: float
    cpu_us_per_request: float
    rss_kib: int


def median_of(samples: list[Sample]) -> Sample:
    """Return the median of each figure by itself; StatisticsError if there are no samples."""
    return Sample(
        statistics.median(sample.requests_per_second for sample in samples),
        statistics.median(sample.p50_us for sample in samples),
        statistics.median(sample.p99_us for sample in samples),
        statistics.median(sample.cpu_us_per_request for sample in samples),
        round(statistics.median(sample.rss_kib for sample in samples)),
    )


@dataclass
class LoadTable:
    """A scenario under so many connections: the samples of each server, in rounds."""

    scenario: str
    title: str
    connections: int
    generator: str
    seconds: float
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of this table, for example `buy-64`."""
        return f"{self.scenario}-{self.connections}"

    def medians(self) -> dict[str, Sample]:
        """Return the median sample per server, fastest first."""
        found = {name: median_of(samples) for name, samples in self.samples.items() if samples}
        return dict(sorted(found.items(), key=lambda item: -item[1].requests_per_second))

    def ratio(self, name: str, reference: str | None, figure: str) -> float | None:
        """Return a server's figure as a multiple of a reference's: the median of the rounds' ratios.

        The machine's speed drifts more from round to round than within one, in which all servers are measured
        in turns. None where one of them wasn't measured.
        """
        pairs = zip(self.samples.get(name, ()), self.samples.get(reference or "", ()), strict=False)
        quotients = [getattr(ours, figure) / getattr(theirs, figure) for ours, theirs in pairs]
        return statistics.median(quotients) if quotients else None


@dataclass
class PlainTable:
    """A scenario with figures of its own: per server a value per column."""

    scenario: str
    title: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of this table."""
        return self.scenario


@dataclass
class Findings:
    """All tables of a run, what the machine was, and what failed and why, by server and scenario."""

    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    loads: list[LoadTable] = field(default_factory=list)
    others: list[PlainTable] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Findings":
        """Return what `to_json` gave. Raises KeyError or TypeError for anything else."""
        loads = [
            LoadTable(
                **{
                    **table,
                    "samples": {
                        name: [Sample(**sample) for sample in rounds]
                        for name, rounds in table["samples"].items()
                    },
                }
            )
            for table in data["loads"]
        ]
        others = [
            PlainTable(
                table["scenario"],
                table["title"],
                tuple(table["columns"]),
                {name: tuple(values) for name, values in table["rows"].items()},
            )
            for table in data["others"]
        ]
        return cls(data["machine"], data["versions"], loads, others, data["failures"])

    def keep_from(self, older: "Findings") -> None:
        """Add the tables of an older run that this one didn't measure."""
        keys = {table.key for table in self.loads} | {table.key for table in self.others}
        self.loads += [table for table in older.loads if table.key not in keys]
        self.others += [table for table in older.others if table.key not in keys]

    def load(self, key: str) -> LoadTable | None:
        """Return the load table `key`, None if it wasn't measured."""
        return next((table for table in self.loads if table.key == key), None)

    def medians(self, key: str) -> dict[str, Sample]:
        """Return the medians of the load table `key`, nothing if it wasn't measured."""
        table = self.load(key)
        return table.medians() if table else {}

    def other(self, key: str) -> dict[str, tuple[float, ...]]:
        """Return the rows of the plain table `key`, nothing if it wasn't measured."""
        return next((table.rows for table in self.others if table.key == key), {})


def peers_of(names: Iterable[str]) -> list[str]:
    """Return those of the servers that are neither references nor Sennit."""
    return [name for name in names if name not in REFERENCES | {SENNIT}]
