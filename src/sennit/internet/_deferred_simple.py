"""Deferreds that have their result already, or get it from a call."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from sennit.internet._coroutines import toDeferred
from sennit.internet._deferred import Deferred
from sennit.python import log
from sennit.python.failure import Failure

_T = TypeVar("_T")
_P = ParamSpec("_P")


def succeed(result: _T) -> Deferred[_T]:
    """A Deferred that has `result`."""
    deferred: Deferred[_T] = Deferred()
    deferred.callback(result)
    return deferred


def fail(result: BaseException | None = None) -> Deferred[Any]:
    """A Deferred that has failed: with a Failure, an exception, or the exception being handled now."""
    deferred: Deferred[Any] = Deferred()
    deferred.errback(result)
    return deferred


def execute(callable: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
    """Call; a Deferred of the result, failed if it raised."""
    try:
        result = callable(*args, **kwargs)
    except BaseException as exception:
        return fail(Failure._caught(exception))
    return succeed(result)


def maybeDeferred(f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Deferred[Any]:
    """Call; a Deferred of the result, whether that is a Deferred, an awaitable, a Failure or a plain
    value.
    """
    try:
        result = f(*args, **kwargs)
    except BaseException as exception:
        return fail(Failure._caught(exception))
    deferred = toDeferred(result)
    if deferred is not None:
        return deferred
    if isinstance(result, Failure):
        return fail(result)
    return succeed(result)


def passthru(arg: _T) -> _T:
    """A callback that changes nothing."""
    return arg


def logError(err: Failure) -> Failure:
    """An errback that logs the failure and passes it on."""
    log.err(err)
    return err
