"""What happens at a tick: the hook before, the enqueueing, the history, the hook after.

A tick is tried until Redis has decided it. Whatever happens meanwhile, it is not given up before the scheduler ends:
then another scheduler, or the next start, finds it undecided.
"""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import datetime, timedelta

from anyio.abc import TaskGroup

from asynqpy._broker.enqueue import NewTask, Registry, prepare
from asynqpy._broker.ticks import KEEP_SECONDS, Begun, NotEnqueued, Tick, begin_entry, enqueue_tick, record_event
from asynqpy._scheduling.entry import Entry
from asynqpy._scheduling.hooks import Hooks
from asynqpy._scheduling.naps import sleep_until
from asynqpy._transport.channel import Channel
from asynqpy._wire.records import SchedulerEnqueueEvent
from asynqpy.client import DEFAULT_MAX_PAYLOAD_BYTES
from asynqpy.clock import Clock
from asynqpy.errors import AsynqpyError, BrokerError, TickSkippedError
from asynqpy.task import TaskInfo

log = logging.getLogger("asynqpy")

FIRST_PAUSE = timedelta(milliseconds=100)
LONGEST_PAUSE = timedelta(seconds=5)


class Firing:
    """Decides ticks over one channel.

    Args:
        ending: set when the scheduler is to end; then nothing is tried again.
    """

    def __init__(
        self, channel: Channel, hooks: Hooks, *, scheduler_id: str, clock: Clock, ending: asyncio.Event
    ) -> None:
        self._channel = channel
        self._hooks = hooks
        self._scheduler_id = scheduler_id
        self._clock = clock
        self._ending = ending
        self._registry = Registry()
        self._troubles: dict[str, str] = {}
        """The entries whose last attempt failed, and why."""

    async def begin(self, entry: Entry, since: datetime) -> Begun | None:
        """Where *entry* stands; a new one begins at *since*. None when the scheduler ends before Redis has told."""
        first = entry.schedule.last_until(since) or since
        for failures in range(2**31):
            flow = begin_entry(
                entry.options.queue,
                entry.id,
                tick=math.floor(first.timestamp()),
                keep_seconds=self._keep_seconds(entry, first),
            )
            try:
                begun = await self._channel.run(flow)
            except BrokerError as error:
                if not await self._pause(entry, str(error), failures):
                    break
            else:
                self._works(entry)
                return begun
        return None

    async def fire(self, entry: Entry, tick: datetime, ring: TaskGroup) -> bool:
        """Deal with one tick. What follows its enqueueing runs in *ring*, so that the next tick does not wait for it.

        Returns whether the tick is decided.
        """
        await self._hooks.before(entry.task, entry.given)
        outcome = await self._decide(entry, tick)
        told = {"entry_id": entry.id, "tick": tick.isoformat(), "task_type": entry.task.type}
        match outcome:
            case TaskInfo():
                log.debug("periodic task enqueued", extra={**told, "task_id": outcome.id})
                ring.start_soon(self._enqueued, entry, tick, outcome)
            case NotEnqueued.RUNNING:
                log.info("periodic task skipped: its last run has not ended", extra=told)
                ring.start_soon(self._hooks.after, None, TickSkippedError(entry.id, tick))
            case AsynqpyError():
                log.warning("periodic task not enqueued: %s", outcome, extra=told)
                ring.start_soon(self._hooks.after, None, outcome)
            case _:
                log.debug("periodic task enqueued elsewhere", extra=told)
        return not isinstance(outcome, BrokerError)

    async def _decide(self, entry: Entry, tick: datetime) -> TaskInfo | AsynqpyError | NotEnqueued:
        for failures in range(2**31):
            now = self._clock.now()
            try:
                outcome = await self._channel.run(
                    enqueue_tick(
                        self._prepared(entry, tick, now),
                        self._tick(entry, tick),
                        now=now,
                        registry=self._registry,
                    )
                )
            except BrokerError as error:
                if not await self._pause(entry, str(error), failures):
                    return error
            except AsynqpyError as error:  # the task cannot be made, now or ever
                return error
            else:
                self._works(entry)
                return outcome
        raise AssertionError("unreachable")

    def _prepared(self, entry: Entry, tick: datetime, now: datetime) -> NewTask:
        return prepare(
            entry.task,
            entry.options,
            now=now.timestamp(),
            new_id=lambda: entry.task_id(tick),
            max_payload_bytes=DEFAULT_MAX_PAYLOAD_BYTES,
        )

    def _tick(self, entry: Entry, tick: datetime) -> Tick:
        return Tick(
            entry_id=entry.id,
            unix=math.floor(tick.timestamp()),
            keep_seconds=self._keep_seconds(entry, tick),
            overlap=entry.overlap,
            has_own_id=bool(entry.options.task_id),
            scheduler_id=self._scheduler_id,
        )

    def _keep_seconds(self, entry: Entry, tick: datetime) -> int:
        """Until long after the next tick: by then somebody has decided it, or looks whether it was missed."""
        following = entry.schedule.next_after(tick)
        wait = (following - self._clock.now()).total_seconds() if following is not None else 0.0
        return KEEP_SECONDS + max(0, math.ceil(wait))

    async def _enqueued(self, entry: Entry, tick: datetime, info: TaskInfo) -> None:
        event = SchedulerEnqueueEvent(task_id=info.id, enqueue_time=self._clock.now())
        keep_seconds = self._keep_seconds(entry, tick)
        try:
            await self._channel.run(record_event(entry.id, event, keep_seconds=keep_seconds))
        except AsynqpyError as error:
            log.warning("a periodic task is missing in the history: %s", error, extra={"entry_id": entry.id})
        await self._hooks.after(info, None)

    async def _pause(self, entry: Entry, trouble: str, failures: int) -> bool:
        """Wait a little longer after each failure; returns whether to try again. The same trouble is logged once."""
        if trouble not in self._troubles.values():
            log.warning("periodic tasks wait, because they cannot be enqueued: %s", trouble)
        self._troubles[entry.id] = trouble
        if self._ending.is_set():
            return False
        pause = min(FIRST_PAUSE * 2 ** min(failures, 16), LONGEST_PAUSE)
        await sleep_until(self._clock.now() + pause, self._clock, self._ending)
        return True

    def _works(self, entry: Entry) -> None:
        if self._troubles.pop(entry.id, None) is not None and not self._troubles:
            log.info("periodic tasks are enqueued again")
