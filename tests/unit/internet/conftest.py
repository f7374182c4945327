"""Reactors of a test's own."""

import asyncio
from collections.abc import Iterator

import pytest

from sennit.internet import _engines
from sennit.internet._loops import stateOf
from sennit.internet._reactor import Reactor


@pytest.fixture(params=["engine", "plain"])
def reactor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reactor]:
    """A reactor that isn't the process's: on a loop whose selector is the engine, and on one of asyncio's
    own.
    """
    if request.param == "engine":
        pytest.importorskip("sennit._engine")
    else:
        monkeypatch.setattr(_engines, "newEventLoop", asyncio.SelectorEventLoop)
    made = Reactor()
    yield made
    if made._own is not None:
        stateOf(made._own).close()
        made._own.close()
