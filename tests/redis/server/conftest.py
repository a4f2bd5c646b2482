"""Fixtures of the server tests: a stage, and the event loops that servers run on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from .stage import Stage

UVLOOP = ("asyncio", {"use_uvloop": True})
PLAIN = ("asyncio", {"use_uvloop": False})


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """uvloop, as `Server.run` uses it. Modules that matter most run on asyncio's own loop too."""
    return UVLOOP


@pytest.fixture
def stage(redis_url: str, redis: Redis) -> Iterator[Stage]:
    """An empty Redis with a client."""
    made = Stage(redis_url, redis)
    yield made
    made.close()
