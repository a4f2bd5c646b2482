"""Values as text and JSON."""

from __future__ import annotations

import pytest

from asynqpy import RedisOptions
from asynqpy.config import redis_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@h:1/2", "redis://:***@h:1/2"),
        ("redis://user:secret@h", "redis://user:***@h:6379/0"),
        ("rediss://user@h", "rediss://user@h:6379/0"),
        ("unix:///run/redis.sock?db=3", "redis-socket:///run/redis.sock?db=3"),
        ("redis-sentinel://:secret@h1,h2:5/3?master=m&password=p", "redis-sentinel://:***@h1:26379,h2:5/3?master=m"),
        ("rediss-sentinel://h", "rediss-sentinel://h:26379/0?master=mymaster"),
        ("redis-cluster://me:secret@c1,[::1]:7", "redis-cluster://me:***@c1:6379,[::1]:7"),
        ("rediss-cluster://c1", "rediss-cluster://c1:6379"),
        ("embedded:///var/data", "embedded:///var/data"),
        ("embedded://", "embedded://"),
    ],
)
def test_addresses_are_shown_without_passwords(url: str, shown: str) -> None:
    """Enough to know which Redis it is, and no secret."""
    assert redis_address(RedisOptions.from_url(url)) == shown
