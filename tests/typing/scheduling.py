"""What type checkers see of schedulers and managers. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import assert_type

from asynqpy import (
    EnqueueOptions,
    FileProvider,
    PeriodicTaskConfig,
    PeriodicTaskManager,
    Scheduler,
    SchedulerState,
    Task,
    TaskInfo,
)


async def before(task: Task, options: EnqueueOptions) -> None: ...


def after(info: TaskInfo | None, error: BaseException | None) -> None: ...


scheduler = Scheduler("redis://localhost", timezone=UTC, pre_enqueue=before, post_enqueue=after)
assert_type(scheduler.register("@daily", Task("t"), queue="low", timeout=timedelta(seconds=5), catch_up="last"), str)
assert_type(scheduler.unregister("e"), None)
assert_type(scheduler.state, SchedulerState)


async def run() -> None:
    async with scheduler.running() as running:
        assert_type(running, Scheduler)


scheduler.register("@daily", Task("t"), catch_up="some")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
scheduler.register("@daily", Task("t"), priority=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def provide() -> list[PeriodicTaskConfig]:
    return [PeriodicTaskConfig("@daily", Task("t"), overlap=False, max_retry=3)]


async def provide_later() -> list[PeriodicTaskConfig]:
    return provide()


async def provide_one_by_one() -> AsyncIterator[PeriodicTaskConfig]:
    yield provide()[0]


class Source:
    def get_configs(self) -> list[PeriodicTaskConfig]:
        return provide()


PeriodicTaskManager(None, provide)
PeriodicTaskManager(None, provide_later)
PeriodicTaskManager(None, Source())
PeriodicTaskManager("redis://localhost", FileProvider("tasks.toml"), sync_interval=timedelta(minutes=1))
PeriodicTaskManager(None, provide_one_by_one)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
