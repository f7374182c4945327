"""What the checks of a login come to."""

from typing import Any

from sennit.internet.defer import Deferred, maybeDeferred
from sennit.python.failure import Failure


def outcomeOf(deferred: Deferred[Any]) -> Any:
    """The result of a Deferred that has fired; its exception is raised."""
    outcomes: list[Any] = []
    deferred.addBoth(outcomes.append)
    assert outcomes, "has not fired"
    if isinstance(outcomes[0], Failure):
        raise outcomes[0].value
    return outcomes[0]


def avatarIdOf(checker: Any, credentials: Any) -> Any:
    """Who a checker takes somebody for."""
    return outcomeOf(maybeDeferred(checker.requestAvatarId, credentials))
