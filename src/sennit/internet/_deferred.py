"""`Deferred`: a result that will come, and the chain of callbacks that wait for it.

How a chain runs
    `_runCallbacks` works on a stack of Deferreds, never by recursion, so that chains of any length can be
    made. A callback that returns another Deferred without a result pauses its own one; the other's list of
    callbacks gets an entry `_RESUME` that hands its result over and puts the waiting one onto the stack.
    An entry `_OBSERVE` is told the result and leaves it as it is: `await` and `asFuture` use it, so that any
    number of coroutines may await one Deferred. A failure which was observed counts as handled.

A failure at the end of a chain is kept by an `_UnhandledFailure`, which logs it when it is collected. Its
traceback is made inert (see `sennit.python._tracebacks`), so that this happens at once and not at the
collector's leisure.
"""

import builtins
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from sennit.internet._waiting import DeferredWaiter
from sennit.python import log
from sennit.python._later import traceback
from sennit.python.failure import Failure

if TYPE_CHECKING:
    import asyncio

_T = TypeVar("_T")
_U = TypeVar("_U")
_P = ParamSpec("_P")

_Entry = tuple[Any, Any, Any, Any, Any, Any]
_NOTHING: dict[str, Any] = {}


class AlreadyCalledError(Exception):
    """A Deferred was given a second result."""


class CancelledError(Exception):
    """The result of a Deferred that was cancelled."""


class TimeoutError(builtins.TimeoutError):
    """The result of a Deferred that took longer than `addTimeout` allowed."""


class _Debugging:
    enabled = False


def setDebugging(on: bool) -> None:
    """Whether Deferreds made from now on remember where they were made and fired, for the log and for
    errors.
    """
    _Debugging.enabled = bool(on)


def getDebugging() -> bool:
    """What `setDebugging` has set."""
    return _Debugging.enabled


def _stackText() -> str:
    return "".join(traceback.format_stack()[:-2])


class _UnhandledFailure:
    """Holds the failure in which a chain has ended; logs it when it is collected without having been
    taken.
    """

    __slots__ = ("failure", "history")

    def __init__(self, failure: Failure, history: str) -> None:
        self.failure: Failure | None = failure
        self.history = history

    def __del__(self) -> None:
        if self.failure is not None:
            log.err(self.failure, "Unhandled error in Deferred" + self.history)


def _RESUME(result: object) -> None:
    """Marks the entry of a Deferred that waits for this one's result."""


def _OBSERVE(result: object) -> None:
    """Marks the entry of a function that is told the result and leaves it unchanged."""


class Deferred(Generic[_T]):
    """A result of type `_T` that will come, or has.

    `called` says whether it was fired; `result` is then the current result, a Failure if that is an error.
    Callbacks run as soon as there is a result, in the order of their adding, synchronously. `await` gives the
    result or raises, in asyncio Tasks as well as in `ensureDeferred` and `inlineCallbacks`; a Task that is
    cancelled cancels what it awaits.
    """

    result: Any
    called = False
    paused = 0
    _runningCallbacks = False
    _forgivesLateResult = False
    _waitingFor: "Deferred[Any] | None" = None
    _unhandled: _UnhandledFailure | None = None
    _created = ""
    _invoked = ""

    def __init__(self, canceller: "Callable[[Deferred[Any]], object] | None" = None) -> None:
        """`canceller(deferred)` is called by `cancel` before there is a result; it may fire the Deferred."""
        self.callbacks: list[_Entry] = []
        self._canceller = canceller
        if _Debugging.enabled:
            self._created = _stackText()

    # adding callbacks

    def addCallbacks(
        self,
        callback: Callable[..., Any] | None,
        errback: Callable[..., Any] | None = None,
        callbackArgs: Sequence[Any] = (),
        callbackKeywords: Mapping[str, Any] = _NOTHING,
        errbackArgs: Sequence[Any] = (),
        errbackKeywords: Mapping[str, Any] = _NOTHING,
    ) -> "Deferred[Any]":
        """Have `callback(result, ...)` or `errback(failure, ...)` called; None passes the result on.

        What they return is the next result; an exception or a Failure is the next failure; a Deferred is
        waited for. Returns self. Raises TypeError for what isn't callable.
        """
        for function in (callback, errback):
            if function is not None and not callable(function):
                raise TypeError(f"a callback must be callable, not {function!r}")
        self.callbacks.append(
            (
                callback,
                callbackArgs,
                callbackKeywords or _NOTHING,
                errback,
                errbackArgs,
                errbackKeywords or _NOTHING,
            )
        )
        if self.called:
            self._runCallbacks()
        return self

    @overload
    def addCallback(
        self, callback: "Callable[Concatenate[_T, _P], Deferred[_U]]", *args: _P.args, **kwargs: _P.kwargs
    ) -> "Deferred[_U]": ...
    @overload
    def addCallback(
        self, callback: Callable[Concatenate[_T, _P], _U], *args: _P.args, **kwargs: _P.kwargs
    ) -> "Deferred[_U]": ...
    def addCallback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> "Deferred[Any]":
        """Have `callback(result, *args, **kwargs)` called when there is a result that is no failure."""
        return self.addCallbacks(callback, callbackArgs=args, callbackKeywords=kwargs)

    def addErrback(self, errback: Callable[..., Any], *args: Any, **kwargs: Any) -> "Deferred[Any]":
        """Have `errback(failure, *args, **kwargs)` called when there is a failure."""
        return self.addCallbacks(None, errback, errbackArgs=args, errbackKeywords=kwargs)

    def addBoth(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> "Deferred[Any]":
        """Have `callback(resultOrFailure, *args, **kwargs)` called in either case."""
        return self.addCallbacks(callback, callback, args, kwargs, args, kwargs)

    def chainDeferred(self, d: "Deferred[Any]") -> "Deferred[Any]":
        """Fire `d` with this one's result or failure; this one's own next result is None."""
        d._waitingFor = self
        return self.addCallbacks(d.callback, d.errback)

    def addTimeout(
        self,
        timeout: float,
        clock: Any,
        onTimeoutCancel: Callable[[Any, float], Any] | None = None,
    ) -> "Deferred[_T]":
        """Cancel this Deferred if it has no result after `timeout` seconds of `clock` (the reactor, or a
        `task.Clock`).

        The CancelledError then becomes a TimeoutError, or what `onTimeoutCancel(result, timeout)` makes of
        the result.
        """
        timedOut = False

        def expire() -> None:
            nonlocal timedOut
            timedOut = True
            self.cancel()

        delayedCall = clock.callLater(timeout, expire)

        def convertCancelled(result: Any) -> Any:
            if not timedOut:
                return result
            if onTimeoutCancel is not None:
                return onTimeoutCancel(result, timeout)
            if isinstance(result, Failure) and result.check(CancelledError):
                raise TimeoutError(f"no result within {timeout} seconds")
            return result

        def stopTimer(result: Any) -> Any:
            if delayedCall.active():
                delayedCall.cancel()
            return result

        return self.addBoth(convertCancelled).addBoth(stopTimer)

    # firing

    def callback(self, result: Any) -> None:
        """Fire with `result`. Raises AlreadyCalledError the second time, TypeError for a Deferred."""
        if isinstance(result, Deferred):
            raise TypeError("a Deferred can't be the result of callback(); return it from a callback instead")
        self._fire(result)

    def errback(self, fail: BaseException | None = None) -> None:
        """Fire with a Failure, an exception, or the exception being handled now.

        Raises AlreadyCalledError the second time, NoCurrentExceptionError if there is no exception.
        """
        self._fire(fail if isinstance(fail, Failure) else Failure(fail))

    def _fire(self, result: Any) -> None:
        if self.called:
            if self._forgivesLateResult:
                self._forgivesLateResult = False
                return
            raise AlreadyCalledError(self._history() or "this Deferred has been fired already")
        if _Debugging.enabled:
            self._invoked = _stackText()
        self.called = True
        self.result = result
        self._runCallbacks()

    def _history(self) -> str:
        text = ""
        if self._created:
            text += "\nDeferred was created:\n" + self._created
        if self._invoked:
            text += "\nIt was fired:\n" + self._invoked
        return text

    def pause(self) -> None:
        """Run no callbacks until `unpause` has been called as often."""
        self.paused += 1

    def unpause(self) -> None:
        """Undo one `pause`."""
        self.paused -= 1
        if not self.paused and self.called:
            self._runCallbacks()

    def cancel(self) -> None:
        """Give up waiting for the result.

        Calls the canceller; if that doesn't fire the Deferred, it fails with CancelledError. A Deferred that
        waits for another one cancels that; one that has its result stays as it is. Without a canceller the
        late result is ignored.
        """
        if not self.called:
            if self._canceller is not None:
                self._canceller(self)
            else:
                self._forgivesLateResult = True
            if not self.called:
                self.errback(CancelledError())
        elif isinstance(self.result, Deferred):
            self.result.cancel()

    # running

    def _settled(self) -> bool:
        """Whether there is a result that can be taken now."""
        return (
            self.called
            and not self.paused
            and not self._runningCallbacks
            and not isinstance(self.result, Deferred)
        )

    def _observe(self, observer: Callable[[Any], object]) -> None:
        """Call `observer` with the next result that comes out here; it must not raise."""
        self.callbacks.append((_OBSERVE, observer, None, None, None, None))
        if self.called:
            self._runCallbacks()

    def _markHandled(self) -> None:
        if self._unhandled is not None:
            self._unhandled.failure = None
            self._unhandled = None

    def _runCallbacks(self) -> None:
        """Run what can be run of this chain and of the chains that wait for it."""
        if self._runningCallbacks:
            return
        stack: list[Deferred[Any]] = [self]
        while stack:
            waiter = stack[-1]._runOwnCallbacks()
            if waiter is None:
                stack.pop()
            else:
                stack.append(waiter)

    def _runOwnCallbacks(self) -> "Deferred[Any] | None":
        """Run this Deferred's callbacks until it pauses or has no more, or until another one can go on: that
        is returned.
        """
        if self.paused or self._runningCallbacks:
            return None
        callbacks = self.callbacks
        observed = False
        if callbacks:
            self._markHandled()
        while callbacks:
            callback, args, kwargs, errback, errbackArgs, errbackKwargs = callbacks.pop(0)
            result = self.result
            if callback is _OBSERVE:
                observed = True
                args(result)
                continue
            if callback is _RESUME:
                self.result = None
                args._resumeWith(result)
                return args  # type: ignore[no-any-return]
            if isinstance(result, Failure):
                callback, args, kwargs = errback, errbackArgs, errbackKwargs
            if callback is None:
                continue
            observed = False
            self._runningCallbacks = True
            try:
                self.result = callback(result, *args, **kwargs)
            except BaseException as exception:
                self.result = Failure._caught(exception)
            finally:
                self._runningCallbacks = False
                result = None
            if isinstance(self.result, Deferred) and not self._take(self.result):
                return None
        if isinstance(self.result, Failure) and not observed and self._unhandled is None:
            self.result.cleanFailure()
            self._unhandled = _UnhandledFailure(self.result, self._history())
        return None

    def _take(self, inner: "Deferred[Any]") -> bool:
        """Take over the result of a Deferred that a callback returned; False if this one must wait for it."""
        if inner is self:
            self.result = Failure(RuntimeError("a callback returned the very Deferred that it belongs to"))
            return True
        if inner._settled():
            inner._markHandled()
            self.result, inner.result = inner.result, None
            return True
        self.paused += 1
        self._waitingFor = inner
        inner.callbacks.append((_RESUME, self, None, None, None, None))
        return False

    def _resumeWith(self, result: Any) -> None:
        self.result = result
        self._waitingFor = None
        self.paused -= 1

    # coroutines and asyncio

    def __await__(self) -> Generator[Any, Any, _T]:
        if not self._settled():
            result = yield from DeferredWaiter(self)
        else:
            result = self.result
            self._markHandled()
        if isinstance(result, Failure):
            raise result.value.with_traceback(result.tb)
        return result  # type: ignore[no-any-return]

    __iter__ = __await__

    def asFuture(self, loop: "asyncio.AbstractEventLoop") -> "asyncio.Future[_T]":
        """An asyncio Future of `loop` with this Deferred's result; cancelling it cancels this Deferred."""
        future: asyncio.Future[_T] = loop.create_future()

        def hand(result: Any) -> None:
            if future.done():
                return
            if not isinstance(result, Failure):
                future.set_result(result)
            elif result.check(CancelledError):
                future.cancel()
            else:
                future.set_exception(result.value.with_traceback(result.tb))

        def passCancelOn(done: "asyncio.Future[_T]") -> None:
            if done.cancelled():
                self.cancel()

        self._observe(hand)
        future.add_done_callback(passCancelOn)
        return future

    @classmethod
    def fromFuture(cls, future: "asyncio.Future[_U]") -> "Deferred[_U]":
        """A Deferred of an asyncio Future's result; cancelling it cancels the Future."""
        deferred: Deferred[_U] = Deferred(lambda _: future.cancel())

        def hand(done: "asyncio.Future[_U]") -> None:
            exception = CancelledError() if done.cancelled() else done.exception()
            if deferred.called:
                return
            if exception is not None:
                deferred.errback(exception)
            else:
                deferred.callback(done.result())

        future.add_done_callback(hand)
        return deferred

    @classmethod
    def fromCoroutine(cls, coro: "Coroutine[Any, Any, _U] | Generator[Any, Any, _U]") -> "Deferred[_U]":
        """Start a coroutine (or a generator that yields Deferreds); a Deferred of its result. TypeError for
        others.
        """
        from sennit.internet._coroutines import startCoroutine

        return startCoroutine(coro)

    def __repr__(self) -> str:
        name = f"{type(self).__name__} at {id(self):#x}"
        if self._waitingFor is not None and not self._settled():
            return f"<{name} waiting on Deferred at {id(self._waitingFor):#x}>"
        if not self.called:
            return f"<{name}>"
        return f"<{name} current result: {self.result!r}>"

    __str__ = __repr__
