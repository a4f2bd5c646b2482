"""The flow behind the numbers of a queue."""

from __future__ import annotations

from datetime import UTC, datetime

from redis import Redis

from asynqpy import Client, Task
from asynqpy._broker.inspect.queues import QueueCounts, many_queue_counts, queue_counts
from tests.redis.drive import Driver
from tests.redis.seed import Queue

NOW = datetime(2026, 1, 31, 18, 30, tzinfo=UTC)


def test_a_queue_that_nobody_used_is_empty(redis: Redis) -> None:
    """No number is missing, and nothing is written by looking."""
    counts = Driver(redis)(queue_counts("low", now=NOW))
    assert counts == QueueCounts("low", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, paused=False)
    assert counts.size == 0
    assert redis.dbsize() == 0


def test_every_state_is_counted(redis: Redis, redis_url: str) -> None:
    """Each state by itself, groups together, counters of all time and of the day, and whether it is paused."""
    queue = Queue(redis)
    queue.pending("p1", "p2", "p3")
    queue.active("a1")
    queue.waiting("scheduled", "s1", queue.now() + 60)
    queue.waiting("scheduled", "s2", queue.now() + 60)
    queue.waiting("retry", "r1", queue.now() + 60)
    queue.completed("c1", queue.now() + 60)
    redis.zadd(queue.keys.archived, {f"x{number}": number for number in range(4)})
    redis.mset({queue.keys.processed: 70, queue.keys.failed: 7, queue.keys.paused: 1})
    redis.mset({queue.keys.processed_on("2026-01-31"): 20, queue.keys.failed_on("2026-01-31"): 2})
    redis.set(queue.keys.processed_on("2026-01-30"), 50)
    with Client(redis_url) as client:
        for group in ("g1", "g1", "g2"):
            client.enqueue(Task("t"), queue="low", group=group)
    counts = Driver(redis)(queue_counts("low", now=NOW))
    assert counts == QueueCounts(
        queue="low",
        pending=3,
        active=1,
        scheduled=2,
        retry=1,
        archived=4,
        completed=1,
        aggregating=3,
        groups=2,
        processed=70,
        failed=7,
        processed_today=20,
        failed_today=2,
        paused=True,
        oldest_pending_since=1_700_000_000_000_000_000,
    )
    assert counts.size == 15


def test_many_queues_in_one_go(redis: Redis) -> None:
    """Each has its own numbers, in the order asked for."""
    Queue(redis, "low").pending("a")
    Queue(redis, "high").pending("a", "b")
    found = Driver(redis)(many_queue_counts(["low", "none", "high"], now=NOW))
    assert [(each.queue, each.pending) for each in found] == [("low", 1), ("none", 0), ("high", 2)]
    assert Driver(redis)(many_queue_counts([], now=NOW)) == []
