"""A stage for scheduler tests: a Redis, a clock that is set by hand, and eyes that read what is enqueued."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis

from asynqpy import PeriodicTaskManager, Scheduler, TaskInfo
from asynqpy._wire import keys
from asynqpy._wire.records import SchedulerEnqueueEvent, SchedulerEntry, TaskMessage
from asynqpy.testing import FakeClock
from tests.eventually import eventually

NOON = datetime(2030, 6, 15, 12, 0, 0, tzinfo=UTC)
"""A Saturday."""

MINUTE = timedelta(minutes=1)


class Hooks:
    """Hooks that note how they are called."""

    def __init__(self) -> None:
        self.before: list[tuple[str, dict[str, Any]]] = []
        self.after: list[TaskInfo | BaseException] = []

    def pre_enqueue(self, task: Any, options: Any) -> None:
        self.before.append((task.type, dict(options)))

    async def post_enqueue(self, info: TaskInfo | None, error: BaseException | None) -> None:
        self.after.append(info if info is not None else error)  # type: ignore[arg-type]

    @property
    def both(self) -> dict[str, Any]:
        """As settings of a scheduler."""
        return {"pre_enqueue": self.pre_enqueue, "post_enqueue": self.post_enqueue}


class Stage:
    """Everything that a test of schedulers needs."""

    def __init__(self, url: str, redis: Redis, clock: FakeClock) -> None:
        self.url = url
        self.redis: Any = redis
        self.clock = clock

    def scheduler(self, **settings: Any) -> Scheduler:
        """A scheduler that goes by the clock of the stage."""
        return Scheduler(self.url, **{"clock": self.clock, **settings})

    @asynccontextmanager
    async def running(self, scheduler: Scheduler | PeriodicTaskManager) -> AsyncIterator[None]:
        """A scheduler that runs and knows where its entries stand."""
        async with scheduler.running():
            await self.settled(scheduler)
            yield
        assert self.redis.keys(f"asynq:schedulers:*{scheduler.id}*") == []

    async def settled(self, scheduler: Scheduler | PeriodicTaskManager) -> None:
        """Wait until all that was due is dealt with."""
        timetable = (scheduler if isinstance(scheduler, Scheduler) else scheduler._scheduler)._timetable

        def is_settled() -> bool:
            now = self.clock.now()
            return all(not job.busy and not job.is_due(now) for job in timetable.jobs())

        await eventually(is_settled)

    async def pass_time(self, by: timedelta | float, *schedulers: Scheduler | PeriodicTaskManager) -> None:
        """Move the clock, and wait until *schedulers* have done what they do then."""
        self.clock.advance(by)
        for scheduler in schedulers:
            await self.settled(scheduler)

    def enqueued(self, queue: str = "default") -> list[str]:
        """The ids of what waits, in the order in which it was enqueued."""
        return [task_id.decode() for task_id in self.redis.lrange(keys.of_queue(queue).pending, 0, -1)][::-1]

    def ticks(self, entry_id: str, queue: str = "default") -> list[str]:
        """The local times of the ticks of an entry that were enqueued, in order: ``12:01``, with seconds if any."""
        found = []
        for task_id in self.enqueued(queue):
            name, _, unix = task_id.rpartition(":")
            if name == entry_id:
                text = datetime.fromtimestamp(int(unix), UTC).strftime("%H:%M:%S")
                found.append(text.removesuffix(":00"))
        return found

    def message(self, task_id: str, queue: str = "default") -> TaskMessage:
        """The message of a task."""
        return TaskMessage.decode(self.redis.hget(keys.of_queue(queue).task(task_id), "msg"))

    def end_task(self, task_id: str, queue: str = "default") -> None:
        """Take a task away, as a worker that has done it."""
        q = keys.of_queue(queue)
        self.redis.lrem(q.pending, 0, task_id)
        self.redis.delete(q.task(task_id))

    def announced(self) -> list[SchedulerEntry]:
        """The entries that schedulers show, as they stand in Redis."""
        return [
            SchedulerEntry.decode(data)
            for key in sorted(self.redis.keys("asynq:schedulers:*"))
            for data in self.redis.lrange(key, 0, -1)
        ]

    def history(self, entry_id: str) -> list[SchedulerEnqueueEvent]:
        """The firings of an entry, oldest first."""
        members = self.redis.zrange(keys.scheduler_history(entry_id), 0, -1)
        return [SchedulerEnqueueEvent.decode(member) for member in members]
