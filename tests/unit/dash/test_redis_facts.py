"""What endangers tasks in a Redis."""

from __future__ import annotations

import pytest

from asynqpy.dash.redis_facts import cards, warnings

GOOD = {
    "maxmemory_policy": "noeviction",
    "maxmemory": "0",
    "used_memory": "1000",
    "aof_enabled": "1",
    "rdb_last_bgsave_status": "ok",
    "rdb_last_save_time": "1",
    "mem_fragmentation_ratio": "9.0",
    "rejected_connections": "0",
}


def test_nothing() -> None:
    """Where all is well there is no warning; an empty server always looks fragmented."""
    assert warnings(GOOD, {}) == []
    assert warnings(GOOD, {"cluster_state": "ok"}) == []


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "noeviction"),
        ({"maxmemory": "1100"}, "91% of maxmemory"),
        ({"aof_enabled": "0", "rdb_saves": "0", "rdb_last_bgsave_time_sec": "-1"}, "append-only"),
        ({"rdb_last_bgsave_status": "err"}, "failed"),
        ({"aof_last_write_status": "err"}, "failed"),
        ({"used_memory": "200000000"}, "fragmented"),
        ({"rejected_connections": "3"}, "maxclients"),
    ],
)
def test_each_danger(facts: dict[str, str], word: str) -> None:
    """One line for each, with what to do."""
    (found,) = warnings(GOOD | facts, {})
    assert word in found


def test_a_cluster() -> None:
    """One in trouble is a danger; it has a card of its own."""
    assert "some slots" in warnings(GOOD, {"cluster_state": "fail"})[0]
    assert cards(GOOD, {"cluster_state": "ok"})[-1][0] == "Cluster"


def test_facts_that_are_missing() -> None:
    """Redis of every version, and what only resembles it, tells less or more: a dash stands for what it does not."""
    assert [title for title, _ in cards({}, {})] == [
        "Server",
        "Memory",
        "Clients and commands",
        "Saving",
        "Replication",
    ]
    assert cards({"used_memory": "much"}, {})[1][1][0] == ("used", [("0 B", "!")])
