"""Fixtures of the transport tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from asynqpy import RedisOptions
from asynqpy._transport.connect import Source
from asynqpy._transport.lane import Lane


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both event loops."""
    return "asyncio", {"use_uvloop": request.param}


def impatient(port: int) -> RedisOptions:
    """Options that give up after a fraction of a second."""
    short = timedelta(milliseconds=300)
    return RedisOptions(host="127.0.0.1", port=port, timeout=short, connect_timeout=short)


OpenLane = Callable[..., Lane]


@pytest.fixture
async def open_lane(redis_url: str) -> AsyncIterator[OpenLane]:
    """Makes lanes that are closed with the test."""
    lanes: list[Lane] = []

    def make(target: Any = redis_url) -> Lane:
        lanes.append(Lane(Source(target)))
        return lanes[-1]

    yield make
    for lane in lanes:
        await lane.close()
