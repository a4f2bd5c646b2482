"""How much is done and how much fails, second by second: from totals that only grow, read now and then. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from asynqpy.inspection import QueueInfo

LENGTH = 120
"""Samples kept of each queue."""


@dataclass(slots=True)
class Trend:
    """What became known of one queue."""

    done: deque[float] = field(default_factory=lambda: deque(maxlen=LENGTH))
    """Attempts that ended, a second; the newest last."""
    failed: deque[float] = field(default_factory=lambda: deque(maxlen=LENGTH))
    """Those of them that failed."""
    _at: datetime | None = None
    _processed_total: int = 0
    _failed_total: int = 0

    def add(self, info: QueueInfo, interval: float) -> None:
        """Take in the totals of *info*; totals that shrink are those of a queue that was made anew."""
        before, self._at = self._at, info.timestamp
        done, failed = info.processed_total - self._processed_total, info.failed_total - self._failed_total
        self._processed_total, self._failed_total = info.processed_total, info.failed_total
        if before is None:
            return
        if done < 0 or failed < 0:
            self.done.clear()
            self.failed.clear()
        else:
            self.extend(done, failed, (info.timestamp - before).total_seconds(), interval)

    def extend(self, done: int, failed: int, seconds: float, interval: float) -> None:
        """So much was done in so many *seconds*.

        One sample stands for one *interval* in seconds. After a pause its average stands in all its places,
        so that the axis of time stays even.
        """
        if seconds <= 0:
            return
        places = min(LENGTH, max(1, round(seconds / interval)))
        self.done.extend([done / seconds] * places)
        self.failed.extend([failed / seconds] * places)

    @property
    def done_now(self) -> float | None:
        """The newest rate; None while there is none."""
        return self.done[-1] if self.done else None

    @property
    def failed_now(self) -> float | None:
        """The newest rate of failures."""
        return self.failed[-1] if self.failed else None


class Trends:
    """The trends of all queues; those that are gone are forgotten."""

    def __init__(self, interval: float) -> None:
        self.total = Trend()
        """All queues together."""
        self._interval = interval
        self._of: dict[str, Trend] = {}
        self._totals: dict[str, tuple[int, int]] = {}
        self._at: datetime | None = None

    def __getitem__(self, queue: str) -> Trend:
        return self._of.get(queue) or Trend()

    def add(self, info: QueueInfo) -> None:
        """Take in what was read of one queue."""
        self._of.setdefault(info.queue, Trend()).add(info, self._interval)

    def add_all(self, infos: Iterable[QueueInfo], now: datetime) -> None:
        """Take in what was read of all queues *now*."""
        found = list(infos)
        for info in found:
            self.add(info)
        totals = {info.queue: (info.processed_total, info.failed_total) for info in found}
        if self._at is not None:
            steps = [(queue, self._totals[queue], new) for queue, new in totals.items() if queue in self._totals]
            done = sum(max(0, new[0] - old[0]) for _, old, new in steps)
            failed = sum(max(0, new[1] - old[1]) for _, old, new in steps)
            self.total.extend(done, failed, (now - self._at).total_seconds(), self._interval)
        self._totals, self._at = totals, now
        self._of = {queue: trend for queue, trend in self._of.items() if queue in totals}
