"""What the demo shows at one moment, read from Redis and from the journal."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from asynqpy._broker.inspect.queues import QueueCounts, many_queue_counts
from asynqpy._transport.channel import Channel
from asynqpy.cli.demo.journal import Event, Journal

STATES: tuple[str, ...] = ("pending", "active", "scheduled", "retry", "archived", "completed")
RATE_SECONDS = 5.0
"""The rate is that of the last five seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One moment of the demo."""

    elapsed: float
    counts: Sequence[QueueCounts]
    peaks: Mapping[str, int]
    """The largest number seen in each state, all queues together."""
    enqueued: int
    refused: int
    processed: int
    failed: int
    rate: float
    """Attempts a second."""
    waits: Mapping[str, float | None]
    """Median seconds from enqueue to start, by queue."""
    events: Sequence[Event]

    def total(self, state: str) -> int:
        """Tasks in *state* in all queues."""
        return total(self.counts, state)


def total(counts: Sequence[QueueCounts], state: str) -> int:
    """Tasks in *state* in all queues."""
    return sum(int(getattr(each, state)) for each in counts)


class Observer:
    """Makes figures again and again, and remembers what a single look cannot tell."""

    def __init__(self, channel: Channel, queues: Sequence[str], journal: Journal) -> None:
        self._channel = channel
        self._queues = list(queues)
        self._journal = journal
        self._began = time.monotonic()
        self._peaks = dict.fromkeys(STATES, 0)
        self._before: tuple[int, int] | None = None
        """Processed and failed before the demo, in queues that an earlier one has left."""
        self._processed: deque[tuple[float, int]] = deque()
        self.last: Figures | None = None
        """The figures of the last look."""

    async def look(self) -> Figures:
        """The figures of now.

        Raises:
            BrokerError: Redis is down or refuses.
        """
        counts = await self._channel.run(many_queue_counts(self._queues, now=datetime.now(UTC)))
        processed, failed = total(counts, "processed"), total(counts, "failed")
        if self._before is None:
            self._before = processed, failed
        for state in STATES:
            self._peaks[state] = max(self._peaks[state], total(counts, state))
        now = asyncio.get_running_loop().time()
        self.last = Figures(
            elapsed=time.monotonic() - self._began,
            counts=counts,
            peaks=dict(self._peaks),
            enqueued=self._journal.enqueued,
            refused=self._journal.refused,
            processed=processed - self._before[0],
            failed=failed - self._before[1],
            rate=self._rate(now, processed),
            waits={queue: self._journal.wait(queue) for queue in self._queues},
            events=list(self._journal.events),
        )
        return self.last

    def remember(self) -> Figures | None:
        """The last figures with the events of now, while Redis cannot be asked."""
        if self.last is not None:
            elapsed = time.monotonic() - self._began
            self.last = replace(self.last, elapsed=elapsed, rate=0.0, events=list(self._journal.events))
        return self.last

    def _rate(self, now: float, processed: int) -> float:
        self._processed.append((now, processed))
        while now - self._processed[0][0] > RATE_SECONDS and len(self._processed) > 2:
            self._processed.popleft()
        since, count = self._processed[0]
        return (processed - count) / (now - since) if now > since else 0.0
