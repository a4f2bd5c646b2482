"""The scheduler: enqueues tasks periodically. Its life and its ways to be started; the parts are in `_scheduling`."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta, tzinfo
from enum import StrEnum
from functools import partial
from typing import Self, Unpack

from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskStatus

from asynqpy._broker.presence import ping
from asynqpy._scheduling.entry import Zone, make_entry
from asynqpy._scheduling.hooks import Hooks, PostEnqueue, PreEnqueue
from asynqpy._scheduling.plan import CatchUp
from asynqpy._scheduling.rings import Companion, Rings
from asynqpy._scheduling.timekeeper import RedisClock
from asynqpy._scheduling.timetable import Timetable
from asynqpy._scheduling.zones import zone_named
from asynqpy._transport.channel import Channel
from asynqpy._transport.connect import RedisTarget, Source
from asynqpy._wire.records import storable_text
from asynqpy.clock import Clock
from asynqpy.config import seconds
from asynqpy.errors import ConfigError, ServerStateError
from asynqpy.identity import new_id
from asynqpy.lifecycle import loop_factory, only_error, running, until_signalled
from asynqpy.options import Duration, EnqueueOptions
from asynqpy.task import Task


class SchedulerState(StrEnum):
    """The life of a scheduler."""

    NEW = "new"
    ACTIVE = "active"
    CLOSED = "closed"


class Scheduler:
    """Enqueues tasks at the times of cron specs.

    Run as many schedulers with the same entries as you like: each tick is enqueued once, by whichever comes first, and
    when one dies the others go on without a pause. Nothing is contacted before it is started. A scheduler runs once:
    after its end make a new one.

    Args:
        redis: a URL, `RedisOptions`, or a redis-py client, whose settings are then used and which is
            never closed; ``ASYNQPY_REDIS_URL`` or ``redis://localhost:6379/0`` when not given.
        timezone: where the local times of specs are, unless a spec names its own; UTC unless given.
        heartbeat_interval: how often the entries are shown to inspectors, 10 seconds unless given. They are forgotten
            after twice as long.
        pre_enqueue: called with the task and the options of the entry before a tick is enqueued, by each scheduler
            that tries it. A plain function runs in a thread.
        post_enqueue: called with the `TaskInfo` of what this scheduler has enqueued and None, or with None and the
            error that kept a tick from being enqueued: `TaskIDConflictError`, `DuplicateTaskError`,
            `TickSkippedError`. Not called where another scheduler came first.
        clock: the source of time; Redis' own clock unless given, so that schedulers on machines whose clocks differ
            agree.

    Raises:
        ConfigError: settings that cannot work.
    """

    def __init__(
        self,
        redis: RedisTarget = None,
        *,
        timezone: str | tzinfo = "UTC",
        heartbeat_interval: Duration = timedelta(seconds=10),
        pre_enqueue: PreEnqueue | None = None,
        post_enqueue: PostEnqueue | None = None,
        clock: Clock | None = None,
    ) -> None:
        if seconds(heartbeat_interval) <= 0:
            raise ConfigError(f"heartbeat_interval must be positive, got {heartbeat_interval}")
        for name, hook in (("pre_enqueue", pre_enqueue), ("post_enqueue", post_enqueue)):
            if hook is not None and not callable(hook):
                raise ConfigError(f"{name} must be a function, got {hook!r}")
        self.id = new_id()
        self._zone = _zone(timezone)
        self._heartbeat_interval = timedelta(seconds=seconds(heartbeat_interval))
        self._hooks = (pre_enqueue, post_enqueue)
        self._clock = clock or RedisClock()
        self._source = Source(redis)
        self._timetable = Timetable(self._clock)
        self._state = SchedulerState.NEW
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rings: Rings | None = None
        self._is_ending = False

    @property
    def state(self) -> SchedulerState:
        """Where the scheduler is in its life."""
        return self._state

    def register(
        self,
        spec: str,
        task: Task,
        *,
        catch_up: CatchUp = "none",
        overlap: bool = True,
        entry_id: str | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> str:
        """Enqueue *task* at the times of *spec* from now on, and return the id of the entry.

        Allowed before and after the start, from any thread. The id of each task is that of the entry, a colon, and
        the Unix time of the tick.

        Args:
            spec: five fields of cron (``*/5 * * * *``), a descriptor (``@hourly``), or an interval (``@every 30s``);
                ``TZ=Asia/Tokyo`` in front names a time zone.
            task: what is enqueued; its own options are defaults.
            catch_up: what to do about ticks that were missed because no scheduler ran or Redis was down: nothing
                (``none``), enqueue the latest (``last``), or each of them (``all``, the latest thousand).
            overlap: False skips a tick while the task of an earlier one still waits or runs.
            entry_id: a name for the entry; unless given the id is derived from spec, task and options, so that
                schedulers with the same entries agree on it.
            options: as for ``enqueue``; they win over those of the task.

        Raises:
            ConfigError: the spec cannot be understood, or the entry is already registered.
            InvalidTaskError: an option cannot work.
            ServerStateError: the scheduler has ended.
        """
        if self._state is SchedulerState.CLOSED:
            raise ServerStateError("asynq: the scheduler has already been stopped")
        entry = make_entry(spec, task, options, zone=self._zone, catch_up=catch_up, overlap=overlap, entry_id=entry_id)
        self._timetable.add(entry)
        return entry.id

    def unregister(self, entry_id: str) -> None:
        """Forget an entry. What it has enqueued stays, its history too. Allowed at any time, from any thread.

        Raises:
            EntryNotFoundError: there is none with this id.
        """
        self._timetable.remove(entry_id)

    def run(self) -> None:
        """Schedule until told to stop by TERM or INT; blocks. For the main program.

        Raises:
            ServerStateError: the scheduler is already running or was.
        """
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(until_signalled(self.serve, self.shutdown))

    async def serve(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Schedule inside a running event loop until `shutdown` is called or the caller is cancelled.

        Either way ticks that are being enqueued are finished first, for a few seconds.
        """
        await self._serve(task_status)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Schedule while the block runs; for tests, and for programs that do other things too."""
        async with running(self.serve, self.shutdown):
            yield self

    def shutdown(self) -> None:
        """Begin the end. Returns immediately; `serve` and `run` return when it is done.

        Safe from any thread, ignored when not running.
        """
        self._tell(self._end)

    async def ping(self) -> None:
        """Ask Redis whether it is there. A closed scheduler does not ask.

        Raises:
            BrokerError: it is not.
        """
        if self._state is SchedulerState.CLOSED:
            return
        channel = Channel(self._source)
        try:
            await channel.run(ping())
        finally:
            await channel.close()

    async def _serve(self, task_status: TaskStatus[None], companion: Companion | None = None) -> None:
        self._enter()
        self._loop = asyncio.get_running_loop()
        try:
            if self._source.starts_server:
                await asyncio.to_thread(self._source.resolve)
            self._rings = Rings(
                self._timetable,
                self._source,
                Hooks(*self._hooks),
                identity=f"{storable_text(socket.gethostname() or 'unknown-host')}:{os.getpid()}:{self.id}",
                scheduler_id=self.id,
                heartbeat_interval=self._heartbeat_interval,
                clock=self._clock,
                companion=companion,
            )
            self._timetable.on_change = partial(self._tell, self._rings.changed)
            if self._is_ending:
                self._rings.shutdown()
            await self._rings.run(task_status)
        except BaseExceptionGroup as errors:
            only = only_error(errors)
            raise only from only.__cause__
        finally:
            self._state = SchedulerState.CLOSED
            with CancelScope(shield=True):
                await asyncio.to_thread(self._source.close)  # waits for an embedded server whose last user this was

    def _enter(self) -> None:
        match self._state:
            case SchedulerState.NEW:
                self._state = SchedulerState.ACTIVE
            case SchedulerState.ACTIVE:
                raise ServerStateError("asynq: the scheduler is already running")
            case SchedulerState.CLOSED:
                raise ServerStateError("asynq: the scheduler has already been stopped")

    def _end(self) -> None:
        self._is_ending = True
        if self._rings is not None:
            self._rings.shutdown()

    def _tell(self, do: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(do)


def _zone(given: str | tzinfo) -> Zone:
    if isinstance(given, str):
        return Zone(given, zone_named(given))
    if isinstance(given, tzinfo):
        return Zone(str(given), given)
    raise ConfigError(f"timezone must be a name such as 'Europe/Berlin', or a tzinfo, got {given!r}")
