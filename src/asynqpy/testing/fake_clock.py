"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

from asynqpy.errors import ConfigError

START = datetime(2030, 1, 1, tzinfo=UTC)


class FakeClock:
    """A `Clock` that is set and advanced by hand; who sleeps by it wakes when its time has come.

    For one event loop. What Redis decides by its own clock (due moments, leases) is not changed by it.

    Args:
        now: the moment it starts at, with a time zone; the beginning of 2030 unless given.

    Raises:
        ConfigError: the moment has no time zone.
    """

    def __init__(self, now: datetime = START) -> None:
        self._now = _aware(now)
        self._order = count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._arrivals = asyncio.Condition()

    def now(self) -> datetime:
        """The moment that the clock shows, in UTC."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved *seconds* ahead; gives others a turn when there is nothing to wait for."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._order), future))
        async with self._arrivals:
            self._arrivals.notify_all()
        await future

    def advance(self, by: timedelta | float) -> None:
        """Move the clock ahead; a plain number means seconds. Sleepers whose time has come wake in its order.

        Raises:
            ConfigError: *by* is negative; to go back use `set`.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta(0):
            raise ConfigError(f"a clock advances forwards, got {by}; use set() to go back")
        self.set(self._now + step)

    def set(self, moment: datetime) -> None:
        """Show *moment*, before or after the present one. Sleepers whose time has come wake in its order.

        Raises:
            ConfigError: *moment* has no time zone.
        """
        self._now = _aware(moment)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():  # it may have been cancelled
                future.set_result(None)

    @property
    def sleepers(self) -> int:
        """How many are asleep."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def wait_for_sleepers(self, count: int = 1) -> None:
        """Return when at least *count* are asleep: then it is time to `advance`."""
        async with self._arrivals:
            await self._arrivals.wait_for(lambda: self.sleepers >= count)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ConfigError(f"a clock needs a moment with a time zone, got {moment!r}; use datetime(..., tzinfo=UTC)")
    return moment.astimezone(UTC)
