"""Periodic tasks whose configuration lives elsewhere: a scheduler that follows a provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta, tzinfo
from typing import Self

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from asynqpy._scheduling.follower import Follower, Provider
from asynqpy._scheduling.hooks import PostEnqueue, PreEnqueue
from asynqpy._transport.connect import RedisTarget
from asynqpy.clock import Clock
from asynqpy.config import seconds
from asynqpy.errors import ConfigError
from asynqpy.lifecycle import loop_factory, running, until_signalled
from asynqpy.options import Duration
from asynqpy.scheduler import Scheduler, SchedulerState


class PeriodicTaskManager:
    """A scheduler that has what a provider tells, and asks it again and again.

    Tasks are told apart by all that they say: cron spec, type, payload, options, headers. Those that have not changed
    go on undisturbed. When the provider fails, or one task that it tells cannot be scheduled, all stay as they are
    until it works again.

    Args:
        redis: where Redis is, as for `Scheduler`.
        provider: tells all periodic tasks as `PeriodicTaskConfig`: a function, async or plain (then it runs in a
            thread), an object with such a method ``get_configs``, or a `FileProvider`.
        sync_interval: how often it is asked, 3 minutes unless given.
        timezone: where the local times of specs are; UTC unless given.
        heartbeat_interval: how often the entries are shown to inspectors, 10 seconds unless given.
        pre_enqueue: as for `Scheduler`.
        post_enqueue: as for `Scheduler`.
        clock: the source of time; Redis' own clock unless given.

    Raises:
        ConfigError: settings that cannot work.
    """

    def __init__(
        self,
        redis: RedisTarget,
        provider: Provider,
        *,
        sync_interval: Duration = timedelta(minutes=3),
        timezone: str | tzinfo = "UTC",
        heartbeat_interval: Duration = timedelta(seconds=10),
        pre_enqueue: PreEnqueue | None = None,
        post_enqueue: PostEnqueue | None = None,
        clock: Clock | None = None,
    ) -> None:
        if seconds(sync_interval) <= 0:
            raise ConfigError(f"sync_interval must be positive, got {sync_interval}")
        self._scheduler = Scheduler(
            redis,
            timezone=timezone,
            heartbeat_interval=heartbeat_interval,
            pre_enqueue=pre_enqueue,
            post_enqueue=post_enqueue,
            clock=clock,
        )
        self._follower = Follower(
            provider,
            self._scheduler._timetable,
            zone=self._scheduler._zone,
            interval_seconds=seconds(sync_interval),
            clock=self._scheduler._clock,
        )

    @property
    def id(self) -> str:
        """The id of its scheduler."""
        return self._scheduler.id

    @property
    def state(self) -> SchedulerState:
        """Where it is in its life."""
        return self._scheduler.state

    def run(self) -> None:
        """Schedule until told to stop by TERM or INT; blocks. For the main program.

        Raises:
            ProviderError: the provider fails when it is first asked, or tells of a task that cannot be scheduled.
            ServerStateError: it is already running or was.
        """
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(until_signalled(self.serve, self.shutdown))

    async def serve(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Schedule inside a running event loop until `shutdown` is called or the caller is cancelled.

        Raises:
            ProviderError: the provider fails when it is first asked, or tells of a task that cannot be scheduled.
            ServerStateError: it is already running or was.
        """
        await self._scheduler._serve(task_status, self._follower)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Schedule while the block runs; for tests, and for programs that do other things too."""
        async with running(self.serve, self.shutdown):
            yield self

    def shutdown(self) -> None:
        """Begin the end, as `Scheduler.shutdown`."""
        self._scheduler.shutdown()

    async def ping(self) -> None:
        """Ask Redis whether it is there.

        Raises:
            BrokerError: it is not.
        """
        await self._scheduler.ping()
