"""The ticker: sleeps until an entry is due, and has its ticks dealt with. No polling.

Each entry is attended by a task of its own, one tick after the other, so that a slow hook delays only its own entry.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from anyio.abc import TaskGroup

from asynqpy._scheduling.firing import Firing
from asynqpy._scheduling.naps import sleep_until
from asynqpy._scheduling.plan import plan
from asynqpy._scheduling.timetable import Job, Timetable
from asynqpy.clock import Clock

log = logging.getLogger("asynqpy")

LONGEST_NAP = timedelta(minutes=1)
"""The clock of the machine may be set while the ticker sleeps."""


class Ticker:
    """Watches a timetable.

    Args:
        ring: where entries are attended; it outlives the ticker.
        on_begin: called when Redis has told where an entry stands.
    """

    def __init__(
        self, timetable: Timetable, firing: Firing, *, clock: Clock, ring: TaskGroup, on_begin: Callable[[], None]
    ) -> None:
        self._timetable = timetable
        self._firing = firing
        self._clock = clock
        self._ring = ring
        self._on_begin = on_begin
        self._changed = asyncio.Event()

    def look(self) -> None:
        """Look at the timetable at once: it has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._changed.clear()
            now = self._clock.now()
            for job in self._timetable.jobs():
                if job.is_due(now):
                    job.busy = True
                    self._ring.start_soon(self._attend, job)
            await sleep_until(self._next_look(now), self._clock, self._changed)

    def _next_look(self, now: datetime) -> datetime:
        ticks = [job.next for job in self._timetable.jobs() if job.next is not None and not job.busy]
        return min([*ticks, now + LONGEST_NAP])

    async def _attend(self, job: Job) -> None:
        try:
            if job.handled is None:
                begun = await self._firing.begin(job.entry, job.since)
                if begun is None:
                    return
                job.begin(datetime.fromtimestamp(begun.tick, UTC), has_fired=begun.has_fired)
                self._warn_of_the_future(job)
                self._on_begin()
            await self._deal_with_ticks(job)
        finally:
            job.busy = False
            self._changed.set()

    def _warn_of_the_future(self, job: Job) -> None:
        """Tell of an entry that stands where no clock should be yet: it waits, perhaps for years."""
        if job.handled is not None and job.handled > self._clock.now() + LONGEST_NAP:
            log.warning(
                "a periodic task was already enqueued for a moment to come, and waits until then",
                extra={"entry_id": job.entry.id, "tick": job.handled.isoformat(), "queue": job.entry.options.queue},
            )

    async def _deal_with_ticks(self, job: Job) -> None:
        entry, handled = job.entry, job.handled
        if handled is None:
            return
        found = plan(entry.schedule, handled, self._clock.now(), entry.catch_up, awaited=job.awaited)
        if found.skips:
            log.warning(
                "ticks of a periodic task were missed and are not caught up",
                extra={"entry_id": entry.id, "task_type": entry.task.type, "since": handled.isoformat()}
                | {"catch_up": entry.catch_up, "caught_up": len(found.ticks)},
            )
        for tick in found.ticks:
            if job.removed or not await self._firing.fire(entry, tick, self._ring):
                return
            job.dealt_with(tick)
        job.proceed(found.until, self._clock.now())
