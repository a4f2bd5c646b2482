"""Redis' clock, followed from afar: schedulers on machines whose clocks differ wake at the same moments.

Between two looks it goes on by the machine's steady clock, so setting the machine's clock changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from asynqpy._broker.ticks import server_time
from asynqpy._transport.channel import Channel
from asynqpy.errors import BrokerError

log = logging.getLogger("asynqpy")

INTERVAL_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
"""Between two attempts as long as Redis has never answered."""

REMARKABLE = timedelta(seconds=30)
"""A difference between the two clocks that people want to know of."""


class RedisClock:
    """A `Clock` that shows the time of Redis once it is known, and that of the machine before."""

    def __init__(self) -> None:
        self._shown = datetime.now(UTC)
        self._shown_at = time.monotonic()

    def now(self) -> datetime:
        """The present moment in UTC."""
        return self._shown + timedelta(seconds=time.monotonic() - self._shown_at)

    async def sleep(self, seconds: float) -> None:
        """Wait for *seconds* on the running event loop."""
        await asyncio.sleep(seconds)

    def adjust(self, by: timedelta) -> None:
        """Go on from another moment."""
        self._shown += by


class Timekeeper:
    """Keeps a clock in step with that of Redis.

    Args:
        on_change: called when the clock was adjusted.
    """

    def __init__(self, clock: RedisClock, channel: Channel, *, on_change: Callable[[], None]) -> None:
        self._clock = clock
        self._channel = channel
        self._on_change = on_change
        self._measured = asyncio.Event()

    async def wait_until_measured(self) -> None:
        """Return when Redis' clock is known."""
        await self._measured.wait()

    async def run(self) -> None:
        """Look again and again until cancelled; soon again as long as Redis has never answered."""
        pause = FIRST_PAUSE_SECONDS
        waits = False
        while True:
            try:
                await self.measure()
            except BrokerError as error:
                if not (waits or self._measured.is_set()):
                    log.warning("periodic tasks wait, because Redis does not tell the time: %s", error)
                waits = True
            pause = INTERVAL_SECONDS if self._measured.is_set() else min(2 * pause, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def measure(self) -> None:
        """Look at Redis' clock once.

        What it told is out of date by the time of the reply's travel, so the clock is a little behind rather than
        ahead: no tick is early. It is left alone while it agrees with what was told and the time of travel.

        Raises:
            BrokerError: Redis is down.
        """
        before = time.monotonic()
        told = await self._channel.run(server_time())
        travel = timedelta(seconds=time.monotonic() - before)
        behind = told - self._clock.now()
        if not timedelta(0) >= behind >= -travel or not self._measured.is_set():
            self._clock.adjust(behind)
            self._on_change()
        if abs(behind) > REMARKABLE:
            log.warning(
                "the clocks of this machine and of Redis differ by %.0f s; periodic tasks go by that of Redis",
                behind.total_seconds(),
            )
        self._measured.set()
