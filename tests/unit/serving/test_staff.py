"""Which workers are to be started and which dismissed."""

from typing import Any

import pytest

from sennit.serving.staff import READY, RETIRING, Staff, WorkerProcess


class Scene:
    """A staff, and the time."""

    def __init__(self, wanted: int) -> None:
        self.staff = Staff(wanted)
        self.now = 100.0
        self._next = 1

    def start_missing(self) -> list[WorkerProcess]:
        started = []
        for _ in range(self.staff.missing(self.now)):
            link: Any = None
            started.append(self.staff.add(self._next, link))
            self._next += 1
        return started

    def ready(self, *workers: WorkerProcess) -> None:
        for worker in workers:
            worker.last_sign = self.now
            self.staff.note_ready(worker)

    def end(self, worker: WorkerProcess, *, expected: bool = False) -> None:
        del self.staff.workers[worker.process]
        if not expected:
            self.staff.note_death(worker, self.now)

    def dismiss(self) -> list[WorkerProcess]:
        dismissed = self.staff.superfluous()
        for worker in dismissed:
            worker.state = RETIRING
        return dismissed

    def served(self, wanted: int) -> None:
        self.ready(*self.start_missing())
        self.now += 10
        assert len([each for each in self.staff.workers.values() if each.state == READY]) == wanted


def test_all_are_started_at_once_at_first() -> None:
    scene = Scene(3)
    assert len(scene.start_missing()) == 3
    assert scene.start_missing() == []
    assert not scene.staff.is_complete()
    scene.ready(*scene.staff.workers.values())
    assert scene.staff.is_complete()


def test_dead_worker_is_replaced_at_once() -> None:
    scene = Scene(2)
    scene.served(2)
    scene.end(scene.staff.workers[1])
    assert len(scene.start_missing()) == 1


def test_generation_is_replaced_one_by_one_and_never_below_the_number_wanted() -> None:
    scene = Scene(3)
    scene.served(3)
    assert scene.staff.begin_generation() == []
    for old in (1, 2, 3):
        (new,) = scene.start_missing()
        assert scene.start_missing() == []
        assert scene.dismiss() == []
        scene.ready(new)
        assert [worker.process for worker in scene.dismiss()] == [old]
        scene.end(scene.staff.workers[old], expected=True)
    assert scene.staff.is_complete()
    assert scene.start_missing() == []


def test_workers_that_die_during_a_replacement_are_made_up_for() -> None:
    scene = Scene(2)
    scene.served(2)
    scene.staff.begin_generation()
    (new,) = scene.start_missing()
    scene.end(scene.staff.workers[1])
    assert scene.start_missing() == []  # the new one stands in for it
    scene.end(scene.staff.workers[2])
    assert len(scene.start_missing()) == 1
    assert new.process in scene.staff.workers


def test_workers_still_starting_are_outdated_by_a_new_generation() -> None:
    scene = Scene(1)
    scene.served(1)
    scene.staff.begin_generation()
    (half,) = scene.start_missing()
    assert scene.staff.begin_generation() == [half]
    assert len(scene.start_missing()) == 1


def test_spent_worker_goes_when_its_successor_is_ready() -> None:
    scene = Scene(2)
    scene.served(2)
    scene.staff.workers[1].spent = True
    (new,) = scene.start_missing()
    assert scene.dismiss() == []
    scene.ready(new)
    assert [worker.process for worker in scene.dismiss()] == [1]


def test_fewer_are_wanted() -> None:
    scene = Scene(3)
    scene.served(3)
    scene.staff.wanted = 1
    assert len(scene.dismiss()) == 2


def test_crash_loop_slows_down_and_ends() -> None:
    scene = Scene(1)
    delays = []
    while not scene.staff.crashes_on_and_on():
        (worker,) = scene.start_missing()
        scene.end(worker)
        delays.append(scene.staff.not_before - scene.now)
        assert scene.start_missing() == []
        scene.now = scene.staff.not_before
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])


def test_no_crash_loop_while_another_serves() -> None:
    scene = Scene(2)
    scene.served(2)
    for _ in range(20):
        scene.end(scene.staff.workers[max(scene.staff.workers)])
        scene.now = max(scene.now, scene.staff.not_before)
        scene.start_missing()
    assert not scene.staff.crashes_on_and_on()
    assert scene.staff.not_before - scene.now <= 5


def test_failures_are_forgotten_once_a_worker_has_served_for_a_while() -> None:
    scene = Scene(1)
    for _ in range(3):
        (worker,) = scene.start_missing()
        scene.end(worker)
        scene.now = scene.staff.not_before
    (worker,) = scene.start_missing()
    scene.ready(worker)
    scene.now += 5
    scene.end(worker)
    assert len(scene.start_missing()) == 1


def test_new_generation_that_fails_leaves_the_old_one() -> None:
    scene = Scene(2)
    scene.served(2)
    scene.staff.begin_generation()
    (new,) = scene.start_missing()
    scene.end(new, expected=True)
    assert scene.staff.go_back_from(new)
    assert scene.staff.is_complete()
    assert scene.start_missing() == []


def test_no_way_back_from_the_first_generation() -> None:
    scene = Scene(1)
    (worker,) = scene.start_missing()
    scene.end(worker, expected=True)
    assert not scene.staff.go_back_from(worker)
