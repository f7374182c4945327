"""Ids of requests: whose they are, and who is told."""

import re
from typing import Any

import pytest

from sennit.web._requestid import RequestIDs
from sennit.web.resource import Resource
from sennit.web.server import Site
from sennit.web.testing import TestClient


class Shows(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> str:
        assert request.id == request.id
        return str(request.id)


def asked(policy: RequestIDs | None, sent: str | None = None) -> tuple[str, str | None]:
    """The id that the resource saw, and the one that the client was told."""
    site = Site(Shows())
    site.requestIDs = policy
    with TestClient(site) as client:
        answer = client.get("/", headers={} if sent is None else {"X-Request-ID": sent})
    return answer.text, answer.header("X-Request-ID")


def test_own_ids_are_for_the_program_only_by_default() -> None:
    seen, told = asked(None, "from-outside")
    assert re.fullmatch("[0-9a-f]{32}", seen)
    assert told is None


def test_clients_id_is_accepted_and_sent_back() -> None:
    assert asked(RequestIDs(), "from-outside.1") == ("from-outside.1", "from-outside.1")


@pytest.mark.parametrize("sent", ["", "two words", 'quoted"', "x" * 129, "ünïcode"])
def test_id_that_could_do_harm_in_a_log_is_replaced(sent: str) -> None:
    seen, told = asked(RequestIDs(), sent)
    assert re.fullmatch("[0-9a-f]{32}", seen)
    assert told == seen


def test_clients_id_is_not_accepted_unless_wanted() -> None:
    seen, told = asked(RequestIDs(accept=False), "from-outside")
    assert seen == told != "from-outside"


def test_two_requests_have_two_ids() -> None:
    assert asked(None)[0] != asked(None)[0]
