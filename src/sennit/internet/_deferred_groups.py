"""Waiting for several Deferreds: all of them, or the first."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from sennit.internet._deferred import CancelledError, Deferred
from sennit.python.failure import Failure

_T = TypeVar("_T")

SUCCESS = True
FAILURE = False


class FirstError(Exception):
    """The first failure of a group: `subFailure` is the Failure, `index` says whose it was."""

    def __init__(self, failure: Failure, index: int) -> None:
        super().__init__(failure, index)
        self.subFailure = failure
        self.index = index

    def __repr__(self) -> str:
        return f"FirstError[#{self.index}, {self.subFailure!r}]"

    def __str__(self) -> str:
        return f"FirstError[#{self.index}, {self.subFailure}]"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FirstError):
            return NotImplemented
        return self.index == other.index and self.subFailure is other.subFailure

    __hash__ = Exception.__hash__


class FailureGroup(Exception):
    """All Deferreds of a `race` have failed: `failures` are their Failures, in their order."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__(failures)
        self.failures = failures


class DeferredList(Deferred[Any]):
    """Fires with a list of (success, resultOrFailure) once all of `deferredList` have a result.

    fireOnOneCallback: fires with (result, index) as soon as one succeeds. fireOnOneErrback: fails with
    FirstError as soon as one fails. consumeErrors: the results of failed ones become None, so that they
    aren't logged as unhandled. An empty list fires at once, except with fireOnOneCallback. `cancel` cancels
    all that have no result yet.
    """

    def __init__(
        self,
        deferredList: Iterable[Deferred[Any]],
        fireOnOneCallback: bool = False,
        fireOnOneErrback: bool = False,
        consumeErrors: bool = False,
    ) -> None:
        super().__init__()
        self._members = list(deferredList)
        self.resultList: list[tuple[bool, Any] | None] = [None] * len(self._members)
        self.fireOnOneCallback = fireOnOneCallback
        self.fireOnOneErrback = fireOnOneErrback
        self.consumeErrors = consumeErrors
        self.finishedCount = 0
        if not self._members and not fireOnOneCallback:
            self.callback([])
        for index, member in enumerate(self._members):
            member.addCallbacks(self._collect, self._collect, (index, SUCCESS), errbackArgs=(index, FAILURE))

    def _collect(self, result: Any, index: int, succeeded: bool) -> Any:
        self.resultList[index] = (succeeded, result)
        self.finishedCount += 1
        if not self.called:
            if succeeded and self.fireOnOneCallback:
                self.callback((result, index))
            elif not succeeded and self.fireOnOneErrback:
                self.errback(Failure(FirstError(result, index)))
            elif self.finishedCount == len(self.resultList):
                self.callback(self.resultList)
        return None if not succeeded and self.consumeErrors else result

    def cancel(self) -> None:
        """Cancel all members that have no result yet."""
        if self.called:
            super().cancel()
            return
        for member in self._members:
            member.cancel()


def gatherResults(deferredList: Iterable[Deferred[_T]], consumeErrors: bool = False) -> Deferred[list[_T]]:
    """A Deferred of the list of all results; it fails with FirstError as soon as one fails.

    With `consumeErrors` later failures aren't logged as unhandled.
    """
    group = DeferredList(deferredList, fireOnOneErrback=True, consumeErrors=consumeErrors)
    return group.addCallback(lambda pairs: [result for _, result in pairs])


def race(ds: Sequence[Deferred[_T]]) -> Deferred[tuple[int, _T]]:
    """A Deferred of (index, result) of the first that succeeds; the others are then cancelled.

    It fails with FailureGroup if all fail. Cancelling it cancels all.
    """
    failures: dict[int, Failure] = {}
    final: Deferred[tuple[int, _T]] = Deferred(lambda _: cancelOthers(None))

    def cancelOthers(winner: int | None) -> None:
        for index, deferred in enumerate(ds):
            if index != winner:
                deferred.cancel()

    def succeed(result: _T, index: int) -> None:
        if not final.called:
            # Its own cancel() must not see this race as lost while the losers report their cancellation.
            final.callback((index, result))
            cancelOthers(index)

    def fail(failure: Failure, index: int) -> None:
        failures[index] = failure
        if len(failures) == len(ds) and not final.called:
            allCancelled = all(one.check(CancelledError) for one in failures.values())
            final.errback(
                CancelledError() if allCancelled else FailureGroup([failures[i] for i in range(len(ds))])
            )

    for index, deferred in enumerate(ds):
        deferred.addCallbacks(succeed, fail, (index,), errbackArgs=(index,))
    return final
