"""Each test of this folder runs on both kinds of server."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.redis.drive import Driver
from tests.redis.seed import Queue
from tests.servers import RedisServer


@pytest.fixture(autouse=True)
def on_both_kinds(server: RedisServer) -> RedisServer:
    """Valkey and Redis in turn."""
    return server


@pytest.fixture
def run(redis: Redis) -> Driver:
    """Runs a flow."""
    return Driver(redis)


@pytest.fixture
def q(redis: Redis) -> Queue:
    """The queue ``low``, empty."""
    return Queue(redis)
