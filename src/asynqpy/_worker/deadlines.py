"""One clock for all deadlines: a timer per second, not per task.

Most tasks end long before their deadline, so arming a timer for each would be wasted work at 50,000 tasks a second.
Tasks are kept in buckets by the whole second of their deadline; once a second the due bucket is opened, and only the
few tasks that are still running then get a timer of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from asynqpy._worker.in_flight import Running


class Deadlines:
    """Calls *expire* for each watched attempt at its deadline, unless it ended before."""

    def __init__(self, expire: Callable[[Running], None]) -> None:
        self._expire = expire
        self._buckets: dict[int, set[Running]] = {}
        self._timers: dict[Running, asyncio.TimerHandle] = {}
        self._opened = 0
        """Buckets up to this second have been opened."""

    def watch(self, running: Running) -> None:
        """Call *expire* when the deadline of *running* comes."""
        second = int(running.deadline)
        if second <= self._opened:
            self._arm(running)
            return
        bucket = self._buckets.get(second)
        if bucket is None:
            self._buckets[second] = {running}
        else:
            bucket.add(running)

    def forget(self, running: Running) -> None:
        """The attempt has ended."""
        second = int(running.deadline)
        bucket = self._buckets.get(second)
        if bucket is not None:
            bucket.discard(running)
            if not bucket:
                del self._buckets[second]
        if self._timers:
            timer = self._timers.pop(running, None)
            if timer is not None:
                timer.cancel()

    async def run(self) -> None:
        """Open the buckets as their time comes, until cancelled."""
        while True:
            self.open_due(time.time())
            await asyncio.sleep(0.5)

    def open_due(self, now: float) -> None:
        """Arm a timer for each attempt whose deadline is less than two seconds away."""
        due = int(now) + 1
        if due <= self._opened:
            return
        if due - self._opened > len(self._buckets):
            seconds = [second for second in self._buckets if second <= due]
        else:
            seconds = [second for second in range(self._opened + 1, due + 1) if second in self._buckets]
        self._opened = due
        for second in seconds:
            for running in self._buckets.pop(second):
                self._arm(running)

    def _arm(self, running: Running) -> None:
        loop = asyncio.get_running_loop()
        self._timers[running] = loop.call_later(max(0.0, running.deadline - time.time()), self._fire, running)

    def _fire(self, running: Running) -> None:
        self._timers.pop(running, None)
        self._expire(running)

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values())) + len(self._timers)
