"""Calls in other threads, whose results come back as Deferreds."""

import queue
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from sennit.internet._loops import runningLoop
from sennit.internet._reactor_parts import inThread
from sennit.internet.defer import Deferred, maybeDeferred
from sennit.python.failure import Failure
from sennit.python.threadpool import ThreadPool

_T = TypeVar("_T")
_P = ParamSpec("_P")


def deferToThreadPool(
    reactor: Any,
    threadpool: ThreadPool,
    f: Callable[_P, _T],
    /,
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> Deferred[_T]:
    """Call in a thread of `threadpool`, with a copy of the context variables; a Deferred of the result, which
    fires in this thread, the reactor's.
    """
    deferred: Deferred[_T] = Deferred()
    loop = runningLoop()

    def fire(succeeded: bool, result: Any) -> None:
        if not deferred.called:  # it has been cancelled; the call itself can't be
            (deferred.callback if succeeded else deferred.errback)(result)

    def onResult(succeeded: bool, result: Any) -> None:
        if loop is None:
            reactor.callFromThread(fire, succeeded, result)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(fire, succeeded, result)

    threadpool.callInThreadWithCallback(onResult, copy_context().run, inThread(f), *args, **kwargs)
    return deferred


def deferToThread(f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
    """Call in a thread of the reactor's pool; a Deferred of the result."""
    from sennit.internet import reactor

    return deferToThreadPool(reactor, reactor.getThreadPool(), f, *args, **kwargs)


def callMultipleInThread(
    tupleList: Iterable[tuple[Callable[..., object], Iterable[Any], dict[str, Any]]],
) -> None:
    """Make all calls, (function, args, kwargs) each, one after another in one thread of the reactor's
    pool.
    """
    from sennit.internet import reactor

    def callAll() -> None:
        for function, args, kwargs in tupleList:
            function(*args, **kwargs)

    reactor.callInThread(callAll)


def blockingCallFromThread(reactor: Any, f: Callable[..., Any], /, *a: Any, **kw: Any) -> Any:
    """From another thread: call in the reactor's, and wait for the result, or that of its Deferred or
    coroutine.

    Raises what the call raises. In the reactor's own thread it would wait for ever.
    """
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()
    reactor.callFromThread(lambda: maybeDeferred(f, *a, **kw).addBoth(results.put))
    result = results.get()
    if isinstance(result, Failure):
        result.raiseException()
    return result
