"""Entries whose runs must not overlap."""

from __future__ import annotations

import pytest

from asynqpy import ServeMux, Server, Task, TaskInfo, TickSkippedError
from asynqpy._wire import keys
from tests.eventually import eventually

from .stage import MINUTE, NOON, Hooks, Stage

pytestmark = pytest.mark.anyio


async def test_a_tick_is_skipped_while_the_last_run_waits(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the hook hears which tick of which entry; the next one after the run is enqueued."""
    hooks = Hooks()
    scheduler = stage.scheduler(post_enqueue=hooks.post_enqueue)
    entry = scheduler.register("* * * * *", Task("t"), overlap=False)
    with caplog.at_level("INFO", "asynqpy"):
        async with stage.running(scheduler):
            await stage.pass_time(MINUTE, scheduler)
            await stage.pass_time(MINUTE, scheduler)
            await stage.pass_time(MINUTE, scheduler)
            stage.end_task(stage.enqueued()[0])
            await stage.pass_time(MINUTE, scheduler)
            await eventually(lambda: len(hooks.after) == 4)
    assert stage.ticks(entry) == ["12:04"]
    first, second, third, fourth = hooks.after
    assert isinstance(first, TaskInfo)
    assert isinstance(fourth, TaskInfo)
    assert isinstance(second, TickSkippedError)
    assert isinstance(third, TickSkippedError)
    assert (second.entry_id, second.tick, third.tick) == (entry, NOON + 2 * MINUTE, NOON + 3 * MINUTE)
    assert "2030-06-15T12:02:00+00:00" in str(second)
    assert caplog.text.count("periodic task skipped: its last run has not ended") == 2
    assert [event.task_id for event in stage.history(entry)] == [first.id, fourth.id]


@pytest.mark.parametrize("outcome", ["completed", "archived"])
async def test_a_run_that_has_ended_is_no_overlap(stage: Stage, outcome: str) -> None:
    """Done and kept, or failed for good."""
    scheduler = stage.scheduler()
    entry = scheduler.register("* * * * *", Task("t"), overlap=False, retention=600, max_retry=0)
    mux = ServeMux()

    @mux.handler("t")
    async def run(task: Task) -> None:
        if outcome == "archived":
            raise ValueError

    q = keys.of_queue("default")
    async with stage.running(scheduler), Server(stage.url).running(mux):
        await stage.pass_time(MINUTE, scheduler)
        await eventually(lambda: stage.redis.zcard(q.prefix + outcome) == 1)
        await stage.pass_time(MINUTE, scheduler)
        await eventually(lambda: stage.redis.zcard(q.prefix + outcome) == 2)
    assert len(stage.history(entry)) == 2


async def test_overlap_is_judged_across_schedulers(stage: Stage) -> None:
    """Whichever enqueued the last run, and after a restart."""
    for expected in ("12:01", "12:01", "12:01"):
        scheduler = stage.scheduler()
        entry = scheduler.register("* * * * *", Task("t"), overlap=False)
        async with stage.running(scheduler):
            await stage.pass_time(MINUTE, scheduler)
        assert stage.ticks(entry) == [expected]
