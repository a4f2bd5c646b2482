"""The life of a scheduler: its states, its ways to be started, its end."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC
from typing import Any

import anyio
import pytest

from asynqpy import BrokerError, ConfigError, InvalidTaskError, Scheduler, SchedulerState, ServerStateError, Task
from asynqpy._scheduling import rings
from tests.eventually import eventually

from .stage import MINUTE, Stage

pytestmark = pytest.mark.anyio


async def test_states(stage: Stage) -> None:
    """New, active, closed; it runs once."""
    scheduler = stage.scheduler()
    assert scheduler.state is SchedulerState.NEW
    async with stage.running(scheduler):
        assert scheduler.state is SchedulerState.ACTIVE
        with pytest.raises(ServerStateError, match="the scheduler is already running"):
            await scheduler.serve()
    assert scheduler.state is SchedulerState.CLOSED
    with pytest.raises(ServerStateError, match="the scheduler has already been stopped"):
        await scheduler.serve()
    with pytest.raises(ServerStateError, match="the scheduler has already been stopped"):
        scheduler.register("@daily", Task("t"))


async def test_shutdown_ends_it(stage: Stage) -> None:
    """From any thread; before and after its life it does nothing."""
    scheduler = stage.scheduler()
    scheduler.shutdown()
    async with anyio.create_task_group() as group:
        await group.start(scheduler.serve)
        threading.Thread(target=scheduler.shutdown).start()
    assert scheduler.state is SchedulerState.CLOSED
    scheduler.shutdown()


async def test_being_cancelled_ends_it(stage: Stage) -> None:
    """And withdraws what it shows."""
    scheduler = stage.scheduler()
    scheduler.register("@daily", Task("t"))
    async with anyio.create_task_group() as group:
        await group.start(scheduler.serve)
        await eventually(stage.announced)
        group.cancel_scope.cancel()
    assert scheduler.state is SchedulerState.CLOSED
    assert stage.announced() == []


async def test_an_error_in_the_block_ends_it_and_comes_out(stage: Stage) -> None:
    """As it is."""
    scheduler = stage.scheduler()
    with pytest.raises(ZeroDivisionError):
        async with scheduler.running():
            raise ZeroDivisionError
    assert scheduler.state is SchedulerState.CLOSED


async def test_ticks_that_are_dealt_with_are_finished(stage: Stage) -> None:
    """The hook before has begun: the tick is enqueued and told before the end."""
    began, go = asyncio.Event(), asyncio.Event()
    told: list[Any] = []

    async def before(*arguments: Any) -> None:
        began.set()
        await go.wait()

    scheduler = stage.scheduler(pre_enqueue=before, post_enqueue=lambda info, error: told.append(info.id))
    entry = scheduler.register("* * * * *", Task("t"))
    async with scheduler.running():
        await stage.settled(scheduler)
        stage.clock.advance(MINUTE)
        await began.wait()
        scheduler.shutdown()
        go.set()
    assert stage.ticks(entry) == ["12:01"]
    assert told == stage.enqueued()


async def test_the_end_does_not_wait_for_ever(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that hangs is left behind."""
    monkeypatch.setattr(rings, "SHUTDOWN_SECONDS", 0.05)
    blocked = threading.Event()
    scheduler = stage.scheduler(pre_enqueue=lambda task, options: blocked.wait(60))
    scheduler.register("* * * * *", Task("t"))
    async with scheduler.running():
        await stage.settled(scheduler)
        stage.clock.advance(MINUTE)
        await eventually(lambda: scheduler._timetable.jobs()[0].busy)
    assert scheduler.state is SchedulerState.CLOSED
    blocked.set()


def test_run_blocks_until_it_is_told_to_stop(stage: Stage) -> None:
    """Outside the main thread too, where there are no signals."""
    scheduler = Scheduler(stage.url)
    entry = scheduler.register("@every 1s", Task("t"))
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        asyncio.run(eventually(lambda: stage.ticks(entry)))
    finally:
        scheduler.shutdown()
        thread.join(30)
    assert not thread.is_alive()
    assert scheduler.state is SchedulerState.CLOSED


async def test_ping(stage: Stage, redis_url: str) -> None:
    """Asks Redis; a closed one does not."""
    await stage.scheduler().ping()
    lost = Scheduler("redis://127.0.0.1:1")
    with pytest.raises(BrokerError):
        await lost.ping()
    scheduler = stage.scheduler()
    async with stage.running(scheduler):
        await scheduler.ping()
    await scheduler.ping()


async def test_settings_that_cannot_work_are_refused(stage: Stage) -> None:
    """With the value, and what to write instead."""
    with pytest.raises(ConfigError, match="there is no time zone 'Europe/Berln'"):
        Scheduler(stage.url, timezone="Europe/Berln")
    with pytest.raises(ConfigError, match="timezone must be a name such as"):
        Scheduler(stage.url, timezone=2)  # type: ignore[arg-type]
    assert Scheduler(stage.url, timezone=UTC).register("@daily", Task("t"))


async def test_entries_that_cannot_work_are_refused(stage: Stage) -> None:
    """When they are registered, not at the first tick; nothing is kept of them."""
    scheduler = stage.scheduler()
    with pytest.raises(ConfigError, match="hour '24' is out of range"):
        scheduler.register("0 24 * * *", Task("t"))
    with pytest.raises(ConfigError, match="what an entry enqueues must be a Task, got 't'"):
        scheduler.register("@daily", "t")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="overlap must be True or False, got 'skip'"):
        scheduler.register("@daily", Task("t"), overlap="skip")  # type: ignore[arg-type]
    with pytest.raises(InvalidTaskError, match="unknown option 'priority'"):
        scheduler.register("@daily", Task("t"), priority=1)  # type: ignore[call-arg]
    with pytest.raises(InvalidTaskError, match="unique_for must be at least one second"):
        scheduler.register("@daily", Task("t"), unique_for=0.5)
    with pytest.raises(InvalidTaskError, match="entry_id must contain one or more characters"):
        scheduler.register("@daily", Task("t"), entry_id=" ")
    assert scheduler._timetable.jobs() == []


async def test_the_same_entry_twice_is_refused(stage: Stage) -> None:
    """Unless it has a name of its own."""
    scheduler = stage.scheduler()
    scheduler.register("@daily", Task("t"))
    with pytest.raises(ConfigError, match=r"is already registered; to have it twice, pass an entry_id of its own"):
        scheduler.register("@daily", Task("t"))
    assert scheduler.register("@daily", Task("t"), entry_id="again") == "again"


async def test_an_embedded_server_is_started_and_stopped(stage: Stage, tmp_path: Any) -> None:
    """As for clients and workers."""
    scheduler = Scheduler(f"embedded://{tmp_path}", clock=stage.clock)
    scheduler.register("@every 1s", Task("t"))
    async with scheduler.running():
        await stage.settled(scheduler)
        stage.clock.advance(1)
        await eventually(lambda: scheduler._timetable.jobs()[0].previous)
