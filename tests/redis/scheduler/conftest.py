"""Fixtures of the scheduler tests."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from asynqpy.testing import FakeClock

from .stage import NOON, Stage


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """uvloop, as `Scheduler.run` uses it."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture
def clock() -> FakeClock:
    """Noon of a quiet day; it moves when the test moves it."""
    return FakeClock(NOON)


@pytest.fixture
def stage(redis_url: str, redis: Redis, clock: FakeClock) -> Stage:
    """An empty Redis, and a clock that schedulers go by."""
    return Stage(redis_url, redis, clock)
