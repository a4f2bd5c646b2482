"""The announcer: tells Redis which entries this scheduler has, for Go's inspector and for ours."""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import timedelta

from asynqpy._broker.ticks import announce_entries, withdraw_entries
from asynqpy._scheduling.naps import sleep_until
from asynqpy._scheduling.timetable import Job, Timetable
from asynqpy._transport.channel import Channel
from asynqpy._wire.option_text import format_options
from asynqpy._wire.records import SchedulerEntry
from asynqpy.clock import Clock
from asynqpy.errors import AsynqpyError

log = logging.getLogger("asynqpy")


class Announcer:
    """Writes the timetable at once, at every change, and at an interval.

    Args:
        identity: ``host:pid:uuid``.
        interval: between two announcements; twice as long the last one is believed.
    """

    def __init__(
        self, timetable: Timetable, channel: Channel, *, identity: str, interval: timedelta, clock: Clock
    ) -> None:
        self._timetable = timetable
        self._channel = channel
        self._identity = identity
        self._interval = interval
        self._clock = clock
        self._changed = asyncio.Event()
        self._fails = False

    def announce_soon(self) -> None:
        """Announce without waiting for the interval."""
        self._changed.set()

    async def run(self) -> None:
        """Announce until cancelled."""
        while True:
            self._changed.clear()
            await self.announce()
            await sleep_until(self._clock.now() + self._interval, self._clock, self._changed)

    async def announce(self) -> None:
        """Write the timetable once. Trouble is logged, once until it is over."""
        entries = [_shown(job) for job in self._timetable.jobs()]
        ttl = max(1, math.ceil(2 * self._interval.total_seconds()))
        flow = announce_entries(self._identity, entries, ttl_seconds=ttl, now=self._clock.now())
        try:
            await self._channel.run(flow)
        except AsynqpyError as error:
            if not self._fails:
                log.warning("could not announce the entries of this scheduler: %s", error)
            self._fails = True
        else:
            self._fails = False

    async def withdraw(self) -> None:
        """Take the entries off the list."""
        try:
            await self._channel.run(withdraw_entries(self._identity))
        except AsynqpyError as error:
            log.warning("could not withdraw the entries of this scheduler; they expire by themselves: %s", error)


def _shown(job: Job) -> SchedulerEntry:
    entry = job.entry
    return SchedulerEntry(
        id=entry.id,
        spec=entry.spec,
        task_type=entry.task.type,
        task_payload=entry.task.payload,
        enqueue_options=tuple(format_options(entry.given)),
        next_enqueue_time=job.next,
        prev_enqueue_time=job.previous,
    )
