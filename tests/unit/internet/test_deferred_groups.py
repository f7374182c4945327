"""DeferredList, gatherResults and race."""

import gc

import pytest

from sennit.internet import defer
from sennit.internet.defer import Deferred, DeferredList, gatherResults, race


def collect(deferred: Deferred) -> list:
    results: list = []
    deferred.addBoth(results.append)
    return results


def three() -> list[Deferred]:
    return [Deferred() for _ in range(3)]


def test_DeferredList_collects_results_and_failures_in_order() -> None:
    members = three()
    results = collect(DeferredList(members, consumeErrors=True))
    members[2].callback("c")
    members[0].callback("a")
    assert results == []
    members[1].errback(KeyError())
    [[first, second, third]] = results
    assert (first, third) == ((True, "a"), (True, "c"))
    assert second[0] is False
    assert second[1].check(KeyError)


def test_empty_DeferredList_fires_at_once_unless_one_is_wanted() -> None:
    assert collect(DeferredList([])) == [[]]
    assert collect(DeferredList([], fireOnOneCallback=True)) == []


def test_DeferredList_fires_on_first_result() -> None:
    members = three()
    results = collect(DeferredList(members, fireOnOneCallback=True))
    members[1].callback("b")
    members[0].callback("a")
    assert results == [("b", 1)]


def test_DeferredList_fails_on_first_failure() -> None:
    members = three()
    results = collect(DeferredList(members, fireOnOneErrback=True, consumeErrors=True))
    members[1].errback(KeyError("k"))
    error = results[0].value
    assert isinstance(error, defer.FirstError)
    assert error.index == 1
    assert error.subFailure.check(KeyError)
    assert "#1" in str(error)
    assert error == defer.FirstError(error.subFailure, 1)


def test_consumeErrors_decides_about_the_log(caplog: pytest.LogCaptureFixture) -> None:
    DeferredList([defer.fail(KeyError())], consumeErrors=True)
    gc.collect()
    assert caplog.records == []
    DeferredList([defer.fail(KeyError())])
    gc.collect()
    assert len(caplog.records) == 1


def test_cancelled_DeferredList_cancels_members() -> None:
    members = three()
    members[0].callback(1)
    group = DeferredList(members, consumeErrors=True)
    results = collect(group)
    group.cancel()
    [[first, *others]] = results
    assert first == (True, 1)
    assert all(failure.check(defer.CancelledError) for _, failure in others)


def test_gatherResults_gives_list_or_FirstError() -> None:
    members = three()
    results = collect(gatherResults(members))
    for index, member in enumerate(members):
        member.callback(index)
    assert results == [[0, 1, 2]]
    failed = collect(gatherResults([Deferred(), defer.fail(KeyError())], consumeErrors=True))
    assert failed[0].check(defer.FirstError)


def test_race_gives_winner_and_cancels_others() -> None:
    members = three()
    results = collect(race(members))
    members[1].callback("fast")
    assert results == [(1, "fast")]
    assert members[0].called
    assert members[2].called


def test_race_fails_only_when_all_have() -> None:
    members = three()
    results = collect(race(members))
    for member in members:
        assert results == []
        member.errback(KeyError())
    group = results[0].value
    assert isinstance(group, defer.FailureGroup)
    assert len(group.failures) == 3


def test_cancelled_race_cancels_all() -> None:
    members = three()
    deferred = race(members)
    results = collect(deferred)
    deferred.cancel()
    assert results[0].check(defer.CancelledError)
    assert all(member.called for member in members)
