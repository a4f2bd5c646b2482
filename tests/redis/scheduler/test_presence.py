"""What schedulers show to inspectors."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from asynqpy import ConfigError, Task
from asynqpy._wire.option_text import parse_options
from asynqpy._wire.records import SchedulerEntry
from tests.eventually import eventually

from .stage import MINUTE, NOON, Stage

pytestmark = pytest.mark.anyio


async def test_entries_are_shown_at_once(stage: Stage) -> None:
    """In reverse, as asynq has them, with the spec as it was given and the options of the registration alone."""
    scheduler = stage.scheduler()
    first = scheduler.register("*/5 * * * *", Task("a", b"x", max_retry=1), queue="low", timeout=90)
    second = scheduler.register("TZ=Asia/Tokyo @daily", Task("b"))
    async with stage.running(scheduler):
        await eventually(lambda: len(stage.announced()) == 2)
        (key,) = stage.redis.keys("asynq:schedulers:*")
        assert key.decode().endswith(f":{os.getpid()}:{scheduler.id}}}")
        assert stage.redis.zrange("asynq:schedulers", 0, -1, withscores=True) == [(key, NOON.timestamp() + 20)]
        assert 15 < stage.redis.ttl(key) <= 20
        assert stage.announced() == [
            SchedulerEntry(
                id=second,
                spec="TZ=Asia/Tokyo @daily",
                task_type="b",
                next_enqueue_time=NOON + timedelta(hours=3),
            ),
            SchedulerEntry(
                id=first,
                spec="*/5 * * * *",
                task_type="a",
                task_payload=b"x",
                enqueue_options=('Queue("low")', "Timeout(1m30s)"),
                next_enqueue_time=NOON + timedelta(minutes=5),
            ),
        ]
    assert stage.redis.keys("asynq:schedulers*") == []


async def test_the_last_and_the_next_tick(stage: Stage) -> None:
    """At each interval; whichever scheduler enqueued the last, and after a restart."""
    for _ in range(2):
        scheduler = stage.scheduler(heartbeat_interval=30)
        scheduler.register("*/5 * * * *", Task("a"), catch_up="all")
        async with stage.running(scheduler):
            await stage.pass_time(timedelta(minutes=5), scheduler)
            other = stage.scheduler()
            other.register("*/5 * * * *", Task("a"), catch_up="all")
            async with stage.running(other):
                now = stage.clock.now()

                def told() -> set[tuple[object, object]]:
                    return {(entry.prev_enqueue_time, entry.next_enqueue_time) for entry in stage.announced()}

                assert now.minute % 5 == 0
                await eventually(lambda now=now: (now, now + 5 * MINUTE) in told())  # type: ignore[misc]
                stage.clock.advance(30)
                await eventually(lambda now=now: told() == {(now, now + 5 * MINUTE)})  # type: ignore[misc]
                assert len(stage.announced()) == 2
            stage.clock.advance(timedelta(minutes=4, seconds=30))


async def test_a_change_is_shown_at_once(stage: Stage) -> None:
    """Not after an interval."""
    scheduler = stage.scheduler(heartbeat_interval=3600)
    entry = scheduler.register("@hourly", Task("a"))
    async with stage.running(scheduler):
        await eventually(lambda: [each.id for each in stage.announced()] == [entry])
        other = scheduler.register("@daily", Task("a"))
        await eventually(lambda: [each.id for each in stage.announced()] == [other, entry])
        scheduler.unregister(entry)
        await eventually(lambda: [each.id for each in stage.announced()] == [other])


async def test_an_entry_that_never_fires_is_shown(stage: Stage) -> None:
    """With neither a last nor a next tick."""
    scheduler = stage.scheduler()
    scheduler.register("0 0 31 2 *", Task("a"))
    async with stage.running(scheduler):
        await eventually(stage.announced)
        await stage.pass_time(timedelta(days=1000), scheduler)
        assert stage.enqueued() == []
        (entry,) = stage.announced()
        assert (entry.prev_enqueue_time, entry.next_enqueue_time) == (None, None)


async def test_texts_that_go_would_misread(stage: Stage) -> None:
    """Parentheses, quotes and other alphabets come back as they were."""
    scheduler = stage.scheduler()
    headers = {"ключ": "a(b)c", "<html>": "&"}
    scheduler.register("@daily", Task("a"), queue="q)1\n", headers=headers)
    async with stage.running(scheduler):
        (entry,) = await eventually(stage.announced)
        assert parse_options(entry.enqueue_options) == {"queue": "q)1\n", "headers": headers}


@pytest.mark.parametrize(("interval", "ttl"), [(0.1, 1), (0.7, 2), (10, 20), (timedelta(minutes=1), 120)])
async def test_entries_are_believed_twice_as_long_as_the_interval(
    stage: Stage, interval: float | timedelta, ttl: int
) -> None:
    """In whole seconds: Redis takes no others."""
    scheduler = stage.scheduler(heartbeat_interval=interval)
    scheduler.register("@daily", Task("a"))
    async with stage.running(scheduler):
        await eventually(stage.announced)
        ((_, score),) = stage.redis.zrange("asynq:schedulers", 0, -1, withscores=True)
        assert score == NOON.timestamp() + ttl


@pytest.mark.parametrize("interval", [0, -1, timedelta(0)])
async def test_an_interval_must_be_positive(stage: Stage, interval: float) -> None:
    """asynq takes it for ten seconds."""
    with pytest.raises(ConfigError, match="heartbeat_interval must be positive"):
        stage.scheduler(heartbeat_interval=interval)
