"""Deferreds: results that will come.

    d = task.deferLater(reactor, 1.0, lambda: "late")
    d.addCallback(print)

A Deferred is awaitable wherever coroutines run: in asyncio Tasks (and so in every `async def` that Sennit
calls), in `ensureDeferred` and, by `yield`, in `inlineCallbacks`.
"""

from sennit.internet._coroutines import NotACoroutineError, ensureDeferred, inlineCallbacks, returnValue
from sennit.internet._deferred import (
    AlreadyCalledError,
    CancelledError,
    Deferred,
    TimeoutError,
    getDebugging,
    setDebugging,
)
from sennit.internet._deferred_groups import (
    FAILURE,
    SUCCESS,
    DeferredList,
    FailureGroup,
    FirstError,
    gatherResults,
    race,
)
from sennit.internet._deferred_locks import (
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    QueueOverflow,
    QueueUnderflow,
)
from sennit.internet._deferred_simple import execute, fail, logError, maybeDeferred, passthru, succeed

__all__ = [
    "FAILURE",
    "SUCCESS",
    "AlreadyCalledError",
    "CancelledError",
    "Deferred",
    "DeferredList",
    "DeferredLock",
    "DeferredQueue",
    "DeferredSemaphore",
    "FailureGroup",
    "FirstError",
    "NotACoroutineError",
    "QueueOverflow",
    "QueueUnderflow",
    "TimeoutError",
    "ensureDeferred",
    "execute",
    "fail",
    "gatherResults",
    "getDebugging",
    "inlineCallbacks",
    "logError",
    "maybeDeferred",
    "passthru",
    "race",
    "returnValue",
    "setDebugging",
    "succeed",
]
