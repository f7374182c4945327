"""Which workers there are, which are missing, and which are too many. No processes are touched here."""

import math
from collections.abc import Iterable

from sennit.serving.link import Link

STARTING = "starting"
READY = "ready"
# Told to end: in their own time, because others have taken over; or because the server stops.
RETIRING = "retiring"
STOPPING = "stopping"

# Seconds that a worker must have served for its end not to be taken for a sign of a broken program.
_PROBATION = 1.0
# So many ends in a row, of workers in their probation, are enough.
_MOST_FAILURES = 5
# Seconds before the next worker is started after such an end: doubled each time, up to the other.
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0


class WorkerProcess:
    """What is known of one worker."""

    def __init__(self, process: int, link: Link, generation: int) -> None:
        self.process = process
        self.link = link
        self.generation = generation
        self.number = 0
        self.state = STARTING
        # Monotonic times: of its last message, of its being ready, of its being killed if it lives then.
        self.last_sign = 0.0
        self.ready_at = math.inf
        self.kill_at: float | None = None
        # How long its requests have to end, None for ever.
        self.grace: float | None = 10.0
        # It has answered or taken enough, and is to be replaced.
        self.spent = False
        # Its link has ended.
        self.deaf = False
        # It was sent SIGABRT.
        self.aborted = False
        # Why it could not start.
        self.failure: str | None = None

    @property
    def is_employed(self) -> bool:
        """Whether it serves, or is about to."""
        return self.state in (STARTING, READY)


class Staff:
    """The workers, of which `wanted` are to serve."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.workers: dict[int, WorkerProcess] = {}
        self.ever_ready = False
        # No worker is started before this time.
        self.not_before = 0.0
        self._generation = 0
        self._failures = 0
        self._last_failure = 0.0

    def add(self, process: int, link: Link, number: int = 0) -> WorkerProcess:
        """Take note of a worker that was started; `number` is where it counts."""
        worker = self.workers[process] = WorkerProcess(process, link, self._generation)
        worker.number = number
        return worker

    def note_ready(self, worker: WorkerProcess) -> None:
        """It serves, from its last message on."""
        worker.ready_at = worker.last_sign
        self.ever_ready = True
        if worker.state == STARTING:
            worker.state = READY

    def note_death(self, worker: WorkerProcess, now: float) -> None:
        """A worker has ended though nobody told it to; it is no longer among them."""
        if now - worker.ready_at < _PROBATION:
            self.note_failure(now)

    def note_failure(self, now: float) -> None:
        """A worker could not be had: the next one has to wait for a while."""
        since_last = [each.ready_at for each in self._ready() if each.ready_at > self._last_failure]
        if any(now - ready_at >= _PROBATION for ready_at in since_last):
            self._failures = 0
        self._failures += 1
        self._last_failure = now
        self.not_before = now + min(_FIRST_DELAY * 2 ** (self._failures - 1), _LONGEST_DELAY)

    def crashes_on_and_on(self) -> bool:
        """Whether workers end as soon as they are started, and none is left that serves."""
        return self._failures >= _MOST_FAILURES and not self._ready()

    def begin_generation(self) -> list[WorkerProcess]:
        """All workers are to be replaced from now on; returns those that need not even finish starting."""
        self._generation += 1
        self.not_before = 0.0
        outdated = [worker for worker in self.workers.values() if worker.state == STARTING]
        for worker in outdated:
            worker.state = STOPPING
        return outdated

    def go_back_from(self, worker: WorkerProcess) -> bool:
        """The first worker of a new generation can't start: stay with the old one. False if there is none."""
        current = [each for each in self._ready() if each.generation == worker.generation]
        older = [each.generation for each in self._ready() if each.generation < worker.generation]
        if current or not older:
            return False
        self._generation = max(older)
        return True

    def missing(self, now: float) -> int:
        """How many workers are to be started now."""
        if now < self.not_before:
            return 0
        fresh, old = self._fresh(), self._old()
        missing = self.wanted - len(fresh)
        if missing > 0 and old:
            # Those serve until their successors do: one at a time, but at once for what nobody stands in for.
            uncovered = self.wanted - len(fresh) - len(old)
            starting = sum(worker.state == STARTING for worker in fresh)
            return max(uncovered, 1 - starting, 0)
        return max(missing, 0)

    def superfluous(self) -> list[WorkerProcess]:
        """Workers to be dismissed: old ones that have successors, and more than are wanted."""
        old = self._old()
        ready = [worker for worker in self._fresh() if worker.state == READY]
        excess = len(old) + len(ready) - self.wanted
        return list(_oldest_first(old) + _oldest_first(ready))[: max(excess, 0)]

    def is_complete(self) -> bool:
        """Whether as many as wanted serve, and all of them are of the latest generation."""
        return not self._old() and sum(worker.state == READY for worker in self._fresh()) >= self.wanted

    def has_ready(self) -> bool:
        """Whether anybody serves."""
        return bool(self._ready())

    def _ready(self) -> list[WorkerProcess]:
        return [worker for worker in self.workers.values() if worker.state == READY]

    def _fresh(self) -> list[WorkerProcess]:
        return [each for each in self.workers.values() if each.is_employed and self._is_current(each)]

    def _old(self) -> list[WorkerProcess]:
        return [each for each in self.workers.values() if each.is_employed and not self._is_current(each)]

    def _is_current(self, worker: WorkerProcess) -> bool:
        return worker.generation == self._generation and not worker.spent


def _oldest_first(workers: Iterable[WorkerProcess]) -> list[WorkerProcess]:
    return sorted(workers, key=lambda worker: worker.ready_at)
