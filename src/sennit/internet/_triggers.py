"""System events: functions to be called before, during and after something happens to the whole process."""

from collections.abc import Callable, Coroutine
from typing import Any

from sennit.internet._calls import startTask
from sennit.internet._coroutines import startCoroutine, toDeferred
from sennit.internet._deferred import Deferred
from sennit.internet._deferred_groups import DeferredList
from sennit.internet._deferred_simple import succeed
from sennit.internet._loops import runningLoop
from sennit.python import log

_PHASES = ("before", "during", "after")
_Trigger = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class TriggerID:
    """What `add` returns, for `remove`."""

    __slots__ = ("event", "phase", "trigger")

    def __init__(self, event: str, phase: str, trigger: _Trigger) -> None:
        self.event = event
        self.phase = phase
        self.trigger = trigger


class SystemEvents:
    """The triggers of all events. Each is called once and then forgotten."""

    def __init__(self) -> None:
        self._triggers: dict[str, dict[str, list[TriggerID]]] = {}

    def add(
        self, phase: str, event: str, function: Callable[..., Any], args: tuple[Any, ...], kw: dict[str, Any]
    ) -> TriggerID:
        """Have `function(*args, **kw)` called. ValueError for an unknown phase, TypeError if it isn't
        callable.
        """
        if phase not in _PHASES:
            raise ValueError(f"a trigger's phase is 'before', 'during' or 'after', not {phase!r}")
        if not callable(function):
            raise TypeError(f"a trigger must be callable, not {function!r}")
        trigger = TriggerID(event, phase, (function, args, kw))
        self._phase(event, phase).append(trigger)
        return trigger

    def remove(self, triggerID: TriggerID) -> None:
        """Undo `add`. ValueError if it was called or removed already, TypeError for another kind of
        object.
        """
        if not isinstance(triggerID, TriggerID):
            raise TypeError(f"{triggerID!r} was not returned by addSystemEventTrigger")
        try:
            self._phase(triggerID.event, triggerID.phase).remove(triggerID)
        except ValueError:
            raise ValueError("this trigger was called or removed already") from None

    def areAwaited(self, event: str) -> bool:
        """Whether anything is to be called for an event."""
        return any(self._triggers.get(event, {}).values())

    def fire(self, event: str) -> Deferred[None]:
        """Call all triggers of an event; the Deferred fires when the last has ended."""
        fired = self.call("before", event)
        fired = fired.addCallback(lambda _: self.call("during", event))
        return fired.addCallback(lambda _: self.call("after", event))

    def call(self, phase: str, event: str) -> Deferred[None]:
        """Call the triggers of one phase, one after another, and log their errors.

        The Deferred fires when the coroutines they returned have ended and, in the phase "before", the
        Deferreds and other awaitables as well.
        """
        waiting: list[Deferred[Any]] = []
        triggers = self._phase(event, phase)
        while triggers:
            function, args, kw = triggers.pop(0).trigger
            try:
                result = function(*args, **kw)
            except Exception:
                log.err()
                continue
            deferred = _toWaitFor(result, phase)
            if deferred is not None:
                waiting.append(deferred.addErrback(log.err))
        if not waiting:
            return succeed(None)
        return DeferredList(waiting).addCallback(lambda _: None)

    def _phase(self, event: str, phase: str) -> list[TriggerID]:
        return self._triggers.setdefault(event, {name: [] for name in _PHASES})[phase]


def _toWaitFor(result: Any, phase: str) -> Deferred[Any] | None:
    """The Deferred that the end of a phase depends on, for what a trigger has returned."""
    if isinstance(result, Coroutine):
        if runningLoop() is None:
            return startCoroutine(result)
        ended: Deferred[None] = Deferred()
        startTask(result).add_done_callback(lambda _: ended.callback(None))
        return ended
    # Deferreds from the later phases are not waited for, as in Twisted: they may have no way to fire any
    # more.
    return toDeferred(result) if phase == "before" else None
