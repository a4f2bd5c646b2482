"""The archive is bounded by age and by size; what leaves it leaves nothing behind."""

from __future__ import annotations

import math
from datetime import datetime

import pytest
from redis import Redis

from asynqpy._broker.finish import ARCHIVE_LIMIT, ARCHIVE_SECONDS, Archive, finish
from asynqpy._broker.leases import expired, recover
from asynqpy._wire import keys
from tests.redis.drive import Driver
from tests.redis.seed import TOKEN, Queue, scores
from tests.redis.snapshot import snapshot

LOCK = keys.of_queue("low").unique("t", b"")


@pytest.fixture
def now(q: Queue) -> datetime:
    """The present moment of the server."""
    return q.today()


@pytest.fixture
def cutoff(now: datetime) -> int:
    """The youngest moment that is too old."""
    return math.floor(now.timestamp()) - ARCHIVE_SECONDS


def archive_one(run: Driver, q: Queue, now: datetime, task_id: str = "new") -> None:
    """Archive one more task."""
    message = q.active(task_id)
    assert run(finish([Archive("low", task_id, TOKEN, message.encode())], now=now)) == []


def fill(q: Queue, count: int, score: int, prefix: str = "old") -> None:
    """Put *count* archived tasks into the set, oldest first, with a hash for every fiftieth."""
    pipeline = q.redis.pipeline(transaction=False)
    message = q.message("same").encode()
    for start in range(0, count, 1000):
        members = {f"{prefix}-{n:05}": score + n / 1e6 for n in range(start, min(start + 1000, count))}
        pipeline.zadd(q.keys.archived, members)
    for n in range(0, count, 50):
        pipeline.hset(q.keys.task(f"{prefix}-{n:05}"), mapping={"msg": message, "state": "archived"})
    pipeline.execute()


def test_ninety_days_are_the_limit(redis: Redis, run: Driver, q: Queue, now: datetime, cutoff: int) -> None:
    """What was archived then or before goes with its hash, a second later it stays."""
    for task_id, score in (("older", cutoff - 1), ("old", cutoff), ("young", cutoff + 1)):
        q.hash(task_id, "archived")
        q.redis.zadd(q.keys.archived, {task_id: score})
    archive_one(run, q, now)
    assert snapshot(redis) == {
        q.keys.archived: scores(young=cutoff + 1, new=math.floor(now.timestamp())),
        **q.task(q.message("young"), "archived"),
        **q.task(q.message("new"), "archived"),
        **q.counters(now, processed=1, failed=1),
    }


@pytest.mark.parametrize(("holder", "left"), [("old", None), ("another", b"another")])
def test_a_lock_goes_with_the_task_that_holds_it(
    redis: Redis, run: Driver, q: Queue, now: datetime, cutoff: int, holder: str, left: bytes | None
) -> None:
    """Nobody could release it afterwards; asynq leaves it."""
    q.hash("old", "archived", {"unique_key": LOCK})
    q.redis.zadd(q.keys.archived, {"old": cutoff})
    q.redis.set(LOCK, holder)
    archive_one(run, q, now)
    assert not redis.exists(q.keys.task("old"))
    assert redis.get(LOCK) == left


def test_ten_thousand_are_the_limit(redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
    """The one too many that goes is the oldest, with its hash."""
    recent = math.floor(now.timestamp()) - 100
    fill(q, ARCHIVE_LIMIT, recent)
    archive_one(run, q, now)
    assert redis.zcard(q.keys.archived) == 10_000
    assert redis.zscore(q.keys.archived, "old-00000") is None
    assert redis.zscore(q.keys.archived, "old-00001") is not None
    assert not redis.exists(q.keys.task("old-00000"))
    assert redis.exists(q.keys.task("old-00050"), q.keys.task("new")) == 2


def test_below_the_limit_nothing_goes(redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
    """The ten thousandth fits; asynq would keep one fewer."""
    fill(q, ARCHIVE_LIMIT - 1, math.floor(now.timestamp()) - 100)
    archive_one(run, q, now)
    assert redis.zcard(q.keys.archived) == 10_000
    assert redis.exists(q.keys.task("old-00000")) == 1


def test_nine_thousand_expired_at_once(redis: Redis, run: Driver, q: Queue, now: datetime, cutoff: int) -> None:
    """asynq's script fails from eight thousand on, after the claim is gone, and so does every later one."""
    fill(q, 9000, cutoff - 10)
    archive_one(run, q, now)
    assert snapshot(redis) == {
        q.keys.archived: scores(new=math.floor(now.timestamp())),
        **q.task(q.message("new"), "archived"),
        **q.counters(now, processed=1, failed=1),
    }


def test_a_long_backlog_shrinks_over_several_calls(
    redis: Redis, run: Driver, q: Queue, now: datetime, cutoff: int
) -> None:
    """So that no call blocks Redis for long; the oldest go first."""
    fill(q, 25_000, cutoff - 10)
    left = []
    for n in range(3):
        archive_one(run, q, now, f"new-{n}")
        left.append(redis.zcard(q.keys.archived))
    assert left == [15_001, 5_002, 3]
    assert {key for key in snapshot(redis) if key.startswith(q.keys.task_prefix)} == {
        q.keys.task(f"new-{n}") for n in range(3)
    }


def test_age_comes_before_size(redis: Redis, run: Driver, q: Queue, now: datetime, cutoff: int) -> None:
    """What is too old makes room first: no young task goes for it."""
    fill(q, 600, cutoff - 10, "old")
    fill(q, ARCHIVE_LIMIT - 1, math.floor(now.timestamp()) - 100, "young")
    archive_one(run, q, now)
    assert redis.zcard(q.keys.archived) == 10_000
    assert redis.zscore(q.keys.archived, "young-00000") is not None


def test_tasks_that_killed_their_workers_count_too(
    redis: Redis, run: Driver, q: Queue, now: datetime, cutoff: int
) -> None:
    """Recovery archives by the same bounds."""
    fill(q, 100, cutoff - 10)
    q.active("a", ends_in=-1, fields={"py:crashes": 2, "py:begun": TOKEN})
    run(recover("low", run(expired("low")), max_crashes=3, now=now))
    left = snapshot(redis)
    assert left[q.keys.archived] == scores(a=math.floor(now.timestamp()))
    assert {key for key in left if key.startswith(q.keys.task_prefix)} == {q.keys.task("a")}
