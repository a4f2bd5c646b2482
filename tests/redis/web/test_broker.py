"""What the web layer knows of a Redis without asking it."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from asynqpy.config import RedisOptions
from asynqpy.web.broker import address_of


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://db.example:7000/1", "db.example:7000"),
        ("rediss://ann:secret@db.example", "db.example:6379"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
        ("redis-cluster://a:7000,b:7001", "a:7000,b:7001"),
        ("redis-sentinel://a:26379/0", ""),
    ],
)
def test_the_address_is_the_one_that_was_given(url: str, address: str) -> None:
    """Host and port without any secret, several for a cluster; sentinels have to be asked."""
    assert address_of(RedisOptions.from_url(url)) == address


def test_nothing_given_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a client of somebody else's knows by itself."""
    monkeypatch.setenv("ASYNQPY_REDIS_URL", "redis://elsewhere:1/0")
    assert address_of(None) == "elsewhere:1"
    client: Any = Redis()
    assert address_of(client) == ""
