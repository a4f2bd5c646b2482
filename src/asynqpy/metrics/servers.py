"""Metrics of a running server, told by the server itself.

What is told is tallied in plain numbers and handed to prometheus_client a few times a second: its locks, and its files
where there are several processes, would cost more than a small task does.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from asynqpy.observer import AttemptOutcome

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""From a millisecond, the least that a task costs, to the half hour that an attempt has unless told otherwise."""

POUR_SECONDS = 0.2
"""How old the numbers of a busy server may be; those of an idle one are up to date."""

TURN_SIZE_BUCKETS = (0, 1, 2, 5, 10, 25, 50, 100, 250, 500)
TURN_SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class ServerMetrics:
    """Counts and times what servers of this process do: ``Server(..., observer=ServerMetrics())``.

    One for all servers of a process: a registry takes each name once. Tasks are labelled with the pattern that matched
    them, not with their type, of which there may be any number.

    Args:
        registry: where the metrics are registered.
        buckets: upper bounds of the histograms of run and wait times, in seconds.

    Raises:
        ValueError: the registry has metrics of these names already.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY, *, buckets: Sequence[float] = SECONDS_BUCKETS) -> None:
        labels = ("queue", "pattern")
        self._in_progress = Gauge(
            "asynqpy_tasks_in_progress",
            "Attempts that run now.",
            labels,
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._handled = Counter(
            "asynqpy_tasks_handled_total",
            "Attempts that ended, by what became of them.",
            (*labels, "outcome"),
            registry=registry,
        )
        self._released = Counter(
            "asynqpy_tasks_released_total",
            "Tasks without a handler here that were handed on to other servers.",
            ("queue",),
            registry=registry,
        )
        self._reconnects = Counter(
            "asynqpy_reconnects_total",
            "Connections to Redis that broke and were made anew.",
            ("connection",),
            registry=registry,
        )
        for connection in ("tasks", "changes"):
            self._reconnects.labels(connection)
        self._duration, self._wait = _times(registry, labels, buckets)
        self._turn_size, self._turn_duration = _turns(registry)
        self._turn_sizes, self._turn_durations = Tally(self._turn_size), Tally(self._turn_duration)
        self._of_pattern: dict[tuple[str, str], _OfPattern] = {}
        self._running = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """That of the timer; a server's end may have been the loop's too, with the timer still set."""

    def attempt_started(self, queue: str, pattern: str, waited_seconds: float | None) -> None:
        """See `ServerObserver`."""
        found = self._of(queue, pattern)
        found.started += 1
        self._running += 1
        if waited_seconds is not None:
            found.waits.add(waited_seconds)
        if self._timer is None:
            self._pour_soon()

    def attempt_ended(self, queue: str, pattern: str, outcome: AttemptOutcome, ran_seconds: float) -> None:
        """See `ServerObserver`."""
        found = self._of(queue, pattern)
        found.ended[outcome] += 1
        self._running -= 1
        if outcome is not AttemptOutcome.LIMITED:  # its handler did not run
            found.durations.add(ran_seconds)
        if self._timer is None:
            self._pour_soon()

    def task_released(self, queue: str) -> None:
        """See `ServerObserver`."""
        self._released.labels(queue).inc()

    def turn_ended(self, size: int, seconds: float) -> None:
        """See `ServerObserver`."""
        self._turn_sizes.add(size)
        self._turn_durations.add(seconds)
        if not self._running:  # nothing may come for a while, or for ever: the numbers shall be complete
            self._pour()
        elif self._timer is None or self._loop is None or self._loop.is_closed():
            self._pour_soon()

    def reconnected(self, connection: str) -> None:
        """See `ServerObserver`."""
        self._reconnects.labels(connection).inc()

    def _of(self, queue: str, pattern: str) -> _OfPattern:
        found = self._of_pattern.get((queue, pattern))
        if found is None:
            found = self._of_pattern[queue, pattern] = _OfPattern(
                self._in_progress.labels(queue, pattern),
                Tally(self._wait.labels(queue, pattern)),
                Tally(self._duration.labels(queue, pattern)),
                {outcome: self._handled.labels(queue, pattern, outcome.value) for outcome in AttemptOutcome},
            )
        return found

    def _pour_soon(self) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # no server calls from here
            self._pour()
        else:
            self._timer = self._loop.call_later(POUR_SECONDS, self._pour)

    def _pour(self) -> None:
        """Hand what was tallied to prometheus_client."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for found in self._of_pattern.values():
            found.pour()
        self._turn_sizes.pour()
        self._turn_durations.pour()


def _times(registry: CollectorRegistry, labels: Sequence[str], buckets: Sequence[float]) -> tuple[Histogram, Histogram]:
    duration = Histogram(
        "asynqpy_task_duration_seconds",
        "How long attempts ran.",
        labels,
        registry=registry,
        buckets=buckets,
    )
    wait = Histogram(
        "asynqpy_task_wait_seconds",
        "How long tasks were ready before their handler began.",
        labels,
        registry=registry,
        buckets=buckets,
    )
    return duration, wait


def _turns(registry: CollectorRegistry) -> tuple[Histogram, Histogram]:
    size = Histogram(
        "asynqpy_turn_size",
        "Tasks claimed and outcomes written in one round trip to Redis.",
        registry=registry,
        buckets=TURN_SIZE_BUCKETS,
    )
    duration = Histogram(
        "asynqpy_turn_duration_seconds",
        "How long a round trip that claims tasks and writes outcomes took.",
        registry=registry,
        buckets=TURN_SECONDS_BUCKETS,
    )
    return size, duration


class Tally:
    """Observations that a histogram will get all at once."""

    __slots__ = ("_bounds", "_counts", "_histogram", "_sum")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._bounds = histogram._upper_bounds
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def pour(self) -> None:
        """Give them to the histogram. It has no public way to take many, and asks a lock for each."""
        for place, count in enumerate(self._counts):
            if count:
                self._histogram._buckets[place].inc(count)
                self._counts[place] = 0
        if self._sum:
            self._histogram._sum.inc(self._sum)
            self._sum = 0.0


class _OfPattern:
    """The metrics of one pair of labels, looked up once, and what is not yet in them."""

    __slots__ = ("durations", "ended", "handled", "in_progress", "started", "waits")

    def __init__(
        self, in_progress: Gauge, waits: Tally, durations: Tally, handled: dict[AttemptOutcome, Counter]
    ) -> None:
        self.in_progress = in_progress
        self.waits = waits
        self.durations = durations
        self.handled = handled
        self.started = 0
        self.ended = dict.fromkeys(handled, 0)

    def pour(self) -> None:
        """Bring the metrics up to date."""
        ended = sum(self.ended.values())
        if self.started != ended:
            self.in_progress.inc(self.started - ended)
        if self.started:
            self.waits.pour()
            self.started = 0
        if ended:
            self.durations.pour()
            for outcome, count in self.ended.items():
                if count:
                    self.handled[outcome].inc(count)
                    self.ended[outcome] = 0
