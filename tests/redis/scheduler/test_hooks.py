"""Hooks: when they are called, with what, and that they harm nobody."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from asynqpy import ConfigError, EnqueueOptions, Task, TaskInfo
from asynqpy._wire import keys
from tests.eventually import eventually

from .stage import MINUTE, Hooks, Stage

pytestmark = pytest.mark.anyio


async def test_they_are_called_around_each_tick(stage: Stage) -> None:
    """Before, with the task and the options of the entry; after, with what was enqueued."""
    hooks = Hooks()
    scheduler = stage.scheduler(**hooks.both)
    scheduler.register("* * * * *", Task("t", max_retry=1), queue="low")
    async with stage.running(scheduler):
        await stage.pass_time(MINUTE, scheduler)
        await stage.pass_time(MINUTE, scheduler)
        await eventually(lambda: len(hooks.after) == 2)
    assert hooks.before == [("t", {"queue": "low"})] * 2
    assert [info.id for info in hooks.after if isinstance(info, TaskInfo)] == stage.enqueued("low")


async def test_the_one_after_is_called_once_whatever_the_number_of_schedulers(stage: Stage) -> None:
    """By the scheduler that has enqueued the tick."""
    hooks = Hooks()
    schedulers = [stage.scheduler(**hooks.both) for _ in range(3)]
    for scheduler in schedulers:
        scheduler.register("* * * * *", Task("t"))
    async with stage.running(schedulers[0]), stage.running(schedulers[1]), stage.running(schedulers[2]):
        for _ in range(5):
            await stage.pass_time(MINUTE, *schedulers)
    assert len(hooks.before) == 15
    assert sorted(info.id for info in hooks.after if isinstance(info, TaskInfo)) == sorted(stage.enqueued())
    assert len(stage.enqueued()) == 5


@pytest.mark.parametrize("kind", ["async", "plain", "awaitable"])
async def test_what_they_raise_is_logged(stage: Stage, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """And the tick is enqueued all the same."""

    def plain(*arguments: Any) -> None:
        raise ValueError(f"{kind} hook failed")

    async def awaited(*arguments: Any) -> None:
        plain()

    hook: Any = {"async": awaited, "plain": plain, "awaitable": lambda *arguments: awaited()}[kind]
    scheduler = stage.scheduler(pre_enqueue=hook, post_enqueue=hook)
    entry = scheduler.register("* * * * *", Task("t"))
    async with stage.running(scheduler):
        await stage.pass_time(MINUTE, scheduler)
        await stage.pass_time(MINUTE, scheduler)
    assert stage.ticks(entry) == ["12:01", "12:02"]
    assert len(stage.history(entry)) == 2
    assert caplog.text.count("pre_enqueue failed") == caplog.text.count("post_enqueue failed") == 2
    assert f"{kind} hook failed" in caplog.text


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_slow_one_before_delays_only_its_own_entry(stage: Stage, kind: str) -> None:
    """Other entries are enqueued on time; its own tick follows when it has ended."""
    go, blocked = asyncio.Event(), threading.Event()

    async def awaited(task: Task, options: EnqueueOptions) -> None:
        if task.type == "slow":
            await go.wait()

    def plain(task: Task, options: EnqueueOptions) -> None:
        if task.type == "slow":
            blocked.wait(30)

    scheduler = stage.scheduler(pre_enqueue=awaited if kind == "async" else plain)
    slow = [scheduler.register("* * * * *", Task("slow", n)) for n in range(20)]
    quick = scheduler.register("* * * * *", Task("quick"))
    async with stage.running(scheduler):
        for n in range(3):
            stage.clock.advance(MINUTE)
            await eventually(lambda n=n: len(stage.ticks(quick)) == n + 1)  # type: ignore[misc]
        assert stage.ticks(slow[0]) == []
        go.set()
        blocked.set()
        await stage.settled(scheduler)
    assert stage.ticks(slow[0]) == ["12:01", "12:03"]


async def test_a_slow_one_after_delays_nothing(stage: Stage) -> None:
    """Not even the next tick of its entry; at the end it may finish."""
    go = asyncio.Event()
    called: list[str] = []

    async def slow(info: TaskInfo | None, error: BaseException | None) -> None:
        await go.wait()
        assert info is not None
        called.append(info.id)

    scheduler = stage.scheduler(post_enqueue=slow)
    entry = scheduler.register("* * * * *", Task("t"))
    async with stage.running(scheduler):
        for _ in range(3):
            await stage.pass_time(MINUTE, scheduler)
        assert stage.ticks(entry) == ["12:01", "12:02", "12:03"]
        assert called == []
        scheduler.shutdown()
        go.set()
    assert sorted(called) == stage.enqueued()


async def test_a_task_that_cannot_be_made_is_told(stage: Stage) -> None:
    """Once for each tick; other entries go on."""
    hooks = Hooks()
    scheduler = stage.scheduler(post_enqueue=hooks.post_enqueue)
    scheduler.register("* * * * *", Task("large", bytes(65 * 2**20)))
    entry = scheduler.register("* * * * *", Task("t"))
    async with stage.running(scheduler):
        await stage.pass_time(MINUTE, scheduler)
        await stage.pass_time(MINUTE, scheduler)
        await eventually(lambda: len(hooks.after) == 4)
    errors = [error for error in hooks.after if isinstance(error, BaseException)]
    assert [type(error).__name__ for error in errors] == ["PayloadTooLargeError"] * 2
    assert stage.ticks(entry) == ["12:01", "12:02"]


async def test_what_is_no_function_is_refused(stage: Stage) -> None:
    """When the scheduler is made."""
    with pytest.raises(ConfigError, match="post_enqueue must be a function, got 'print'"):
        stage.scheduler(post_enqueue="print")


async def test_a_history_that_cannot_be_written_is_a_warning(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The task is enqueued, and the hook is told of it."""
    hooks = Hooks()
    scheduler = stage.scheduler(post_enqueue=hooks.post_enqueue)
    entry = scheduler.register("* * * * *", Task("t"))
    stage.redis.set(keys.scheduler_history(entry), "no sorted set")
    async with stage.running(scheduler):
        await stage.pass_time(MINUTE, scheduler)
        await eventually(lambda: hooks.after)
    assert stage.ticks(entry) == ["12:01"]
    assert "a periodic task is missing in the history" in caplog.text
