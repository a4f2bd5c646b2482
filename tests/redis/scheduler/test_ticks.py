"""Entries are enqueued at their ticks: once, on time, with their options."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asynqpy import DuplicateTaskError, EntryNotFoundError, Task, TaskIDConflictError, TaskInfo, TaskState
from asynqpy._wire import keys
from tests.eventually import eventually

from .stage import MINUTE, NOON, Hooks, Stage

pytestmark = pytest.mark.anyio


async def test_each_tick_is_enqueued(stage: Stage) -> None:
    """At its moment and not before; nothing at the start."""
    scheduler = stage.scheduler()
    entry = scheduler.register("*/5 * * * *", Task("report", {"year": 2030}), queue="low", max_retry=3)
    async with stage.running(scheduler):
        await stage.pass_time(timedelta(minutes=4, seconds=59), scheduler)
        assert stage.enqueued("low") == []
        await stage.pass_time(1, scheduler)
        assert stage.ticks(entry, "low") == ["12:05"]
        for _ in range(10):
            await stage.pass_time(MINUTE, scheduler)
        assert stage.ticks(entry, "low") == ["12:05", "12:10", "12:15"]
    message = stage.message(stage.enqueued("low")[0], "low")
    assert (message.type, message.payload, message.retry, message.timeout) == ("report", b'{"year":2030}', 3, 1800)
    assert stage.redis.smembers("asynq:queues") == {b"low"}


async def test_options_of_the_registration_win_over_the_tasks(stage: Stage) -> None:
    """As when enqueueing; headers add up."""
    scheduler = stage.scheduler()
    task = Task("t", queue="low", max_retry=1, retention=60, headers={"a": "1", "b": "1"})
    scheduler.register("@hourly", task, max_retry=2, headers={"b": "2"})
    async with stage.running(scheduler):
        await stage.pass_time(3600, scheduler)
        message = stage.message(stage.enqueued("low")[0], "low")
    assert (message.retry, message.retention, message.headers) == (2, 60, {"a": "1", "b": "2"})


async def test_a_task_may_be_for_later_or_for_a_group(stage: Stage) -> None:
    """Every option of `enqueue` works."""
    hooks = Hooks()
    scheduler = stage.scheduler(post_enqueue=hooks.post_enqueue)
    scheduler.register("@every 1m", Task("later"), process_in=90)
    scheduler.register("@every 1m", Task("grouped"), group="g")
    async with stage.running(scheduler):
        await stage.pass_time(MINUTE, scheduler)
        await eventually(lambda: len(hooks.after) == 2)
    infos = {info.type: info for info in hooks.after if isinstance(info, TaskInfo)}
    assert infos["later"].state is TaskState.SCHEDULED
    assert infos["later"].next_process_at == NOON + timedelta(seconds=150)
    assert infos["grouped"].state is TaskState.AGGREGATING
    q = keys.of_queue("default")
    assert stage.redis.zscore(q.scheduled, infos["later"].id) == (NOON + timedelta(seconds=150)).timestamp()
    assert stage.redis.zrange(q.group("g"), 0, -1) == [infos["grouped"].id.encode()]


async def test_the_zone_of_the_scheduler_and_of_a_spec(stage: Stage) -> None:
    """Local times are where the scheduler says, unless the spec says otherwise."""
    scheduler = stage.scheduler(timezone="Europe/Berlin")
    here = scheduler.register("30 14 * * *", Task("here"))
    there = scheduler.register("TZ=Asia/Tokyo 15 21 * * *", Task("there"))
    async with stage.running(scheduler):
        for _ in range(60):
            await stage.pass_time(MINUTE, scheduler)
    assert stage.ticks(here) == ["12:30"]
    assert stage.ticks(there) == ["12:15"]


async def test_entries_may_come_and_go_while_it_runs(stage: Stage) -> None:
    """The next tick of a new one is not missed, and an old one stops at once."""
    scheduler = stage.scheduler()
    first = scheduler.register("* * * * *", Task("first"))
    async with stage.running(scheduler):
        await stage.pass_time(MINUTE, scheduler)
        second = scheduler.register("* * * * *", Task("second"))
        await stage.settled(scheduler)
        await stage.pass_time(MINUTE, scheduler)
        scheduler.unregister(first)
        await stage.pass_time(MINUTE, scheduler)
    assert stage.ticks(first) == ["12:01", "12:02"]
    assert stage.ticks(second) == ["12:02", "12:03"]
    with pytest.raises(EntryNotFoundError, match=f"no scheduler entry found: '{first}'"):
        scheduler.unregister(first)


async def test_entries_may_come_from_other_threads(stage: Stage) -> None:
    """The scheduler wakes for them."""
    import asyncio

    scheduler = stage.scheduler()
    async with stage.running(scheduler):
        ids = await asyncio.gather(
            *(asyncio.to_thread(scheduler.register, "@every 1m", Task(f"t{n}")) for n in range(50))
        )
        await stage.settled(scheduler)
        await stage.pass_time(MINUTE, scheduler)
        assert len(stage.enqueued()) == 50
        await asyncio.gather(*(asyncio.to_thread(scheduler.unregister, entry_id) for entry_id in ids[:49]))
        await stage.pass_time(MINUTE, scheduler)
        assert len(stage.enqueued()) == 51


async def test_a_chosen_id_conflicts_while_its_task_is_there(stage: Stage) -> None:
    """As in asynq; the hook hears of it."""
    hooks = Hooks()
    scheduler = stage.scheduler(post_enqueue=hooks.post_enqueue)
    scheduler.register("* * * * *", Task("t"), task_id="mine")
    async with stage.running(scheduler):
        await stage.pass_time(MINUTE, scheduler)
        await stage.pass_time(MINUTE, scheduler)
        stage.end_task("mine")
        await stage.pass_time(MINUTE, scheduler)
        await eventually(lambda: len(hooks.after) == 3)
    first, second, third = hooks.after
    assert isinstance(first, TaskInfo)
    assert isinstance(second, TaskIDConflictError)
    assert isinstance(third, TaskInfo)
    assert first.id == third.id == "mine"


async def test_a_unique_task_is_refused_while_the_lock_is_held(stage: Stage) -> None:
    """As in asynq; the hook hears of it."""
    hooks = Hooks()
    scheduler = stage.scheduler(post_enqueue=hooks.post_enqueue)
    entry = scheduler.register("* * * * *", Task("t", b"x"), unique_for=3600)
    async with stage.running(scheduler):
        await stage.pass_time(MINUTE, scheduler)
        await stage.pass_time(MINUTE, scheduler)
        stage.redis.delete(keys.of_queue("default").unique("t", b"x"))
        await stage.pass_time(MINUTE, scheduler)
        await eventually(lambda: len(hooks.after) == 3)
    assert isinstance(hooks.after[1], DuplicateTaskError)
    assert stage.ticks(entry) == ["12:01", "12:03"]


async def test_many_entries_at_one_tick(stage: Stage) -> None:
    """A thousand: each once."""
    scheduler = stage.scheduler()
    for n in range(1000):
        scheduler.register("@hourly", Task("t", n))
    async with stage.running(scheduler):
        await stage.pass_time(3600, scheduler)
    assert len(set(stage.enqueued())) == len(stage.enqueued()) == 1000


async def test_history_tells_what_was_enqueued(stage: Stage) -> None:
    """With the moment; it goes on after a restart, and ends by itself long after the last tick."""
    hooks = Hooks()
    for _ in range(2):
        scheduler = stage.scheduler(post_enqueue=hooks.post_enqueue)
        entry = scheduler.register("* * * * *", Task("t"))
        async with stage.running(scheduler):
            await stage.pass_time(MINUTE, scheduler)
            await stage.pass_time(MINUTE, scheduler)
    assert [event.task_id for event in stage.history(entry)] == stage.enqueued()
    assert [event.enqueue_time for event in stage.history(entry)] == [NOON + n * MINUTE for n in range(1, 5)]
    for key in (keys.scheduler_history(entry), keys.of_queue("default").tick(entry)):
        assert 89 * 86_400 < stage.redis.ttl(key) < 91 * 86_400


async def test_the_clock_goes_back_and_no_tick_comes_twice(stage: Stage) -> None:
    """What was enqueued stays enqueued; from where it had been, the scheduler goes on."""
    scheduler = stage.scheduler()
    entry = scheduler.register("* * * * *", Task("t"))
    async with stage.running(scheduler):
        for _ in range(3):
            await stage.pass_time(MINUTE, scheduler)
        stage.clock.set(NOON)
        for _ in range(5):
            await stage.pass_time(MINUTE, scheduler)
    assert stage.ticks(entry) == ["12:01", "12:02", "12:03", "12:04", "12:05"]
