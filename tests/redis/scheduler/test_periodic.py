"""A scheduler that follows a provider."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from asynqpy import (
    ConfigError,
    FileProvider,
    PeriodicTaskConfig,
    PeriodicTaskManager,
    ProviderError,
    SchedulerState,
    ServerStateError,
    Task,
)
from tests.eventually import eventually

from .stage import MINUTE, Hooks, Stage

pytestmark = pytest.mark.anyio

SYNC = timedelta(minutes=3)
STAYS = "periodic tasks stay as they are"


def config(task_type: str, cron: str = "* * * * *", payload: object = None, **more: Any) -> PeriodicTaskConfig:
    """A periodic task."""
    return PeriodicTaskConfig(cron, Task(task_type, payload), **more)


class Source:
    """A provider whose answer can be changed."""

    def __init__(self, *configs: Any) -> None:
        self.configs: Any = list(configs)
        self.error: Exception | None = None
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.configs


def manager(stage: Stage, provider: Any, **settings: Any) -> PeriodicTaskManager:
    """A manager that goes by the clock of the stage."""
    return PeriodicTaskManager(stage.url, provider, **{"clock": stage.clock, **settings})


def ids(running: PeriodicTaskManager) -> list[str]:
    """The entries that it has."""
    return [job.entry.id for job in running._scheduler._timetable.jobs()]


async def sync(stage: Stage, source: Source, running: PeriodicTaskManager) -> None:
    """Let time pass until the provider is asked again, and what it said is done."""
    asked = source.asked
    stage.clock.advance(SYNC)
    await eventually(lambda: source.asked > asked)
    await running._follower._threads.submit(lambda: None)  # the thread has ended its answer
    await asyncio.sleep(0)
    await stage.settled(running)


async def test_it_schedules_what_the_provider_tells(stage: Stage) -> None:
    """With options and policies."""
    hooks = Hooks()
    source = Source(config("a", queue="low", overlap=False), config("b", "*/2 * * * *", b"x", entry_id="b"))
    running = manager(stage, source, **hooks.both)
    async with stage.running(running):
        await stage.pass_time(MINUTE, running)
        await stage.pass_time(MINUTE, running)
        await eventually(lambda: len(hooks.after) == 3)
    assert stage.ticks(ids(running)[0], "low") == ["12:01"]
    assert stage.ticks("b") == ["12:02"]
    assert running.state is SchedulerState.CLOSED


async def test_it_follows_changes(stage: Stage) -> None:
    """New ones come, old ones go, the others go on with their ids and their time."""
    source = Source(config("stays"), config("goes"))
    running = manager(stage, source)
    async with stage.running(running):
        stays, goes = running._scheduler._timetable.jobs()
        await stage.pass_time(MINUTE, running)
        source.configs = [config("comes"), config("stays")]
        await sync(stage, source, running)
        await eventually(lambda: len(ids(running)) == 2)
        kept, new = running._scheduler._timetable.jobs()
        assert kept is stays
        assert new.entry.task.type == "comes"
        assert goes.removed


@pytest.mark.parametrize(
    "changed",
    [
        config("t", "*/2 * * * *"),
        config("u"),
        config("t", payload=b"x"),
        config("t", queue="low"),
        config("t", headers={"a": "b"}),
        config("t", catch_up="all"),
        config("t", overlap=False),
        PeriodicTaskConfig("* * * * *", Task("t", max_retry=3)),
        PeriodicTaskConfig("* * * * *", Task("t", headers={"a": "c"})),
    ],
)
async def test_every_difference_is_a_change(stage: Stage, changed: PeriodicTaskConfig) -> None:
    """Headers and options of the task, too, which asynq does not notice."""
    source = Source(config("t"))
    running = manager(stage, source)
    async with stage.running(running):
        (before,) = running._scheduler._timetable.jobs()
        source.configs = [changed]
        await sync(stage, source, running)
        await eventually(lambda: before.removed)
        (after,) = running._scheduler._timetable.jobs()
        assert after.entry.options == changed.task.options or after.entry.given == changed.options


async def test_what_is_told_twice_is_scheduled_once(stage: Stage) -> None:
    """And goes when it is no longer told; asynq could never remove one of two."""
    source = Source(config("t"), config("t"))
    running = manager(stage, source)
    async with stage.running(running):
        assert len(ids(running)) == 1
        source.configs = []
        await sync(stage, source, running)
        await eventually(lambda: not ids(running))


async def test_two_of_one_name_are_refused(stage: Stage) -> None:
    """They would take each other's ticks."""
    running = manager(stage, Source(config("a", entry_id="x"), config("b", entry_id="x")))
    with pytest.raises(ProviderError, match=r"periodic task 2 .*'b'.* has the id 'x' of another one"):
        await running.serve()


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        (
            [config("a"), config("b", "* * *")],
            r"periodic task 2 .*'b'.* cannot be scheduled: cron spec .* has 3 fields",
        ),
        ([config("a", timeout=-1)], "cannot be scheduled: timeout must not be negative"),
        ([PeriodicTaskConfig("@daily", None)], "what an entry enqueues must be a Task"),  # type: ignore[arg-type]
        ([config("a"), None], "periodic task 2 must be a PeriodicTaskConfig, got None"),
        (None, "the provider of periodic tasks failed: TypeError"),
    ],
)
async def test_a_start_with_what_cannot_be_scheduled_fails(stage: Stage, configs: Any, message: str) -> None:
    """The error names the task; nothing is scheduled."""
    source = Source()
    source.configs = configs
    running = manager(stage, source)
    with pytest.raises(ProviderError, match=message):
        async with running.running():
            pytest.fail("it must not start")
    assert running.state is SchedulerState.CLOSED
    assert stage.redis.keys("*") == []


async def test_a_provider_that_fails_at_the_start_fails_it(stage: Stage) -> None:
    """With the provider's own error as the cause."""
    source = Source()
    source.error = ConnectionError("no database")
    with pytest.raises(ProviderError, match="failed: ConnectionError: no database") as caught:
        await manager(stage, source).serve()
    assert caught.value.__cause__ is source.error


async def test_later_failures_keep_the_last_good_set(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Each trouble is logged once, until it is over or is another; one bad task leaves all as they are."""
    source = Source(config("t"))
    running = manager(stage, source)
    with caplog.at_level(logging.INFO, "asynqpy"):
        async with stage.running(running):
            (job,) = running._scheduler._timetable.jobs()
            source.error = ConnectionError("no database")
            for _ in range(3):
                await sync(stage, source, running)
            assert caplog.text.count(STAYS) == 1
            source.error = None
            source.configs = [config("u"), config("v", "x")]
            for _ in range(3):
                await sync(stage, source, running)
            await eventually(lambda: caplog.text.count(STAYS) == 2)
            assert "periodic task 2 (<PeriodicTaskConfig 'x'" in caplog.text
            assert running._scheduler._timetable.jobs() == [job]
            before = len(stage.ticks(job.entry.id))
            await stage.pass_time(MINUTE, running)
            assert len(stage.ticks(job.entry.id)) > before
            source.configs = [config("u")]
            await sync(stage, source, running)
            await eventually(lambda: job.removed)
            assert caplog.text.count("the provider of periodic tasks works again") == 1


async def test_providers_of_all_kinds(stage: Stage) -> None:
    """Plain functions run in a thread, so they may ask a database."""
    threads: list[str] = []

    def plain() -> list[PeriodicTaskConfig]:
        threads.append(threading.current_thread().name)
        return [config("t")]

    async def awaited() -> list[PeriodicTaskConfig]:
        return plain()

    class WithMethod:
        def get_configs(self) -> list[PeriodicTaskConfig]:
            return plain()

    class WithAwaitedMethod:
        async def get_configs(self) -> list[PeriodicTaskConfig]:
            return plain()

    def generator() -> Any:
        yield config("t")

    def plain_awaitable() -> Any:
        return awaited()

    kinds = [plain, awaited, WithMethod(), WithAwaitedMethod(), generator, plain_awaitable]
    found = set()
    for provider in kinds:
        running = manager(stage, provider)
        async with stage.running(running):
            found |= set(ids(running))
    assert len(found) == 1
    assert threads[0] != threading.main_thread().name


async def test_a_provider_that_hangs_does_not_keep_it_from_ending(stage: Stage) -> None:
    """Neither when it is first asked nor later."""
    blocked = threading.Event()
    running = manager(stage, lambda: blocked.wait(60))
    async with anyio.create_task_group() as group:
        group.start_soon(running.serve)
        await eventually(lambda: running._scheduler._rings)
        running.shutdown()
    assert running.state is SchedulerState.CLOSED
    blocked.set()


async def test_a_file_is_followed(stage: Stage, tmp_path: Path) -> None:
    """Changed while it runs, spoilt, mended."""
    path = tmp_path / "tasks.toml"
    path.write_text('[[tasks]]\ncron = "* * * * *"\ntype = "a"\n')
    provider = FileProvider(path)
    running = manager(stage, provider)

    def types() -> list[str]:
        return [job.entry.task.type for job in running._scheduler._timetable.jobs()]

    async def until(expected: list[str]) -> None:
        def is_so() -> bool:
            stage.clock.advance(SYNC)
            return types() == expected

        await eventually(is_so)

    async with stage.running(running):
        path.write_text('[[tasks]]\ncron = "@daily"\ntype = "b"\n')
        await until(["b"])
        path.write_text("[[tasks]]\n")
        stage.clock.advance(SYNC)
        assert types() == ["b"]
        path.write_text('[[tasks]]\ncron = "@hourly"\ntype = "c"\n')
        await until(["c"])


async def test_several_managers_agree(stage: Stage) -> None:
    """With each other, and with plain schedulers that have the same entries."""
    first, second = (manager(stage, Source(config("t"))) for _ in range(2))
    third = stage.scheduler()
    entry = third.register("* * * * *", Task("t"))
    async with stage.running(first), stage.running(second), stage.running(third):
        for _ in range(3):
            await stage.pass_time(MINUTE, first, second, third)
    assert stage.ticks(entry) == ["12:01", "12:02", "12:03"]


async def test_its_life(stage: Stage) -> None:
    """That of a scheduler."""
    running = manager(stage, Source())
    assert running.state is SchedulerState.NEW
    await running.ping()
    async with stage.running(running):
        assert running.id == running._scheduler.id
        with pytest.raises(ServerStateError, match="already running"):
            await running.serve()
    with pytest.raises(ServerStateError, match="already been stopped"):
        await running.serve()


def test_run_blocks_until_it_is_told_to_stop(stage: Stage) -> None:
    """Outside the main thread too, where there are no signals."""
    running = PeriodicTaskManager(stage.url, Source(config("t", "@every 1s")))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        asyncio.run(eventually(stage.enqueued))
    finally:
        running.shutdown()
        thread.join(30)
    assert not thread.is_alive()


async def test_settings_that_cannot_work_are_refused(stage: Stage) -> None:
    """When it is made."""
    with pytest.raises(ConfigError, match="sync_interval must be positive, got 0"):
        manager(stage, Source(), sync_interval=0)
    with pytest.raises(ConfigError, match="a provider must be a function or have a method get_configs, got None"):
        manager(stage, None)
