"""Limits of a site: their values, checks, and that the engine learns of them."""

import math
from typing import Any

import pytest

from sennit.web._limits import Limits, allLimits, limitOf


class ServiceDouble:
    def __init__(self) -> None:
        self.configured: dict[str, float | None] = {}

    def configure(self, name: str, value: float | None) -> None:
        self.configured[name] = value


DEFAULTS = {
    "maxRequestLine": (8190, 414),
    "maxHeaderBytes": (32768, 431),
    "maxHeaders": (100, 431),
    "maxBody": (67108864, 413),
    "bodyInMemory": (100000, None),
    "maxChunkLine": (1024, 400),
    "maxTrailerBytes": (8192, 431),
    "headerTimeout": (15, 408),
    "minBodyRate": (512, 408),
    "bodyGrace": (10, 408),
    "timeOut": (60, None),
    "writeTimeout": (30, None),
    "maxDrain": (262144, None),
    "lingerTimeout": (5, None),
    "writeHighWater": (65536, None),
    "writeLowWater": (16384, None),
    "maxConnections": (None, None),
    "stopGrace": (10, None),
    "maxFormFields": (1000, 413),
    "maxFormMemory": (8388608, 413),
    "maxPartHeaderBytes": (8192, 400),
}


def test_limits_have_documented_defaults_and_codes() -> None:
    assert {limit.name: (limit.default, limit.status) for limit in allLimits()} == DEFAULTS
    assert all(limit.__doc__ for limit in allLimits())


@pytest.mark.parametrize("name", DEFAULTS)
def test_limit_starts_with_default(name: str) -> None:
    assert getattr(Limits(), name) == DEFAULTS[name][0]


def test_limit_is_per_instance() -> None:
    first, second = Limits(), Limits()
    first.maxBody = 5
    assert (first.maxBody, second.maxBody) == (5, 67108864)


def test_limit_can_be_set_on_subclass() -> None:
    class Own(Limits):
        maxBody = 7

    assert Own().maxBody == 7


def test_limit_reaches_engine_when_set() -> None:
    limits, service = Limits(), ServiceDouble()
    limits.service = service
    limits.maxBody = 5
    limits.timeOut = None
    limits.stopGrace = 1
    assert service.configured == {"maxBody": 5, "timeOut": None}


def test_infinite_limit_is_none() -> None:
    limits = Limits()
    limits.maxBody = math.inf
    assert limits.maxBody is None


@pytest.mark.parametrize("value", ["5", b"5", True, [], object()])
def test_limit_refuses_what_is_no_number(value: Any) -> None:
    with pytest.raises(TypeError, match="maxBody"):
        Limits().maxBody = value


@pytest.mark.parametrize(
    ("name", "value"), [("maxBody", -1), ("maxHeaders", 0), ("maxHeaders", None), ("timeOut", math.nan)]
)
def test_limit_refuses_value_out_of_range(name: str, value: float | None) -> None:
    limits = Limits()
    with pytest.raises(ValueError, match=name):
        setattr(limits, name, value)
    assert getattr(limits, name) == DEFAULTS[name][0]


def test_limit_of_foreign_site_is_default() -> None:
    assert limitOf(None, "maxFormFields") == 1000
    assert limitOf(object(), "maxConnections") == math.inf
