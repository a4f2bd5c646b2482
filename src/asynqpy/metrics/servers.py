"""Metrics of a running server, told by the server itself."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from asynqpy.observer import AttemptOutcome

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""From a millisecond, the least that a task costs, to the half hour that an attempt has unless told otherwise."""

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
        self._duration = Histogram(
            "asynqpy_task_duration_seconds",
            "How long attempts ran.",
            labels,
            registry=registry,
            buckets=buckets,
        )
        self._wait = Histogram(
            "asynqpy_task_wait_seconds",
            "How long tasks were ready before their handler began.",
            labels,
            registry=registry,
            buckets=buckets,
        )
        self._turn_size = Histogram(
            "asynqpy_turn_size",
            "Tasks claimed and outcomes written in one round trip to Redis.",
            registry=registry,
            buckets=TURN_SIZE_BUCKETS,
        )
        self._turn_duration = Histogram(
            "asynqpy_turn_duration_seconds",
            "How long a round trip that claims tasks and writes outcomes took.",
            registry=registry,
            buckets=TURN_SECONDS_BUCKETS,
        )
        self._reconnects = Counter(
            "asynqpy_reconnects_total",
            "Connections to Redis that broke and were made anew.",
            ("connection",),
            registry=registry,
        )
        self._of_pattern: dict[tuple[str, str], _OfPattern] = {}
        for connection in ("tasks", "changes"):
            self._reconnects.labels(connection)

    def attempt_started(self, queue: str, pattern: str, waited_seconds: float | None) -> None:
        """See `ServerObserver`."""
        metrics = self._of(queue, pattern)
        metrics.in_progress.inc()
        if waited_seconds is not None:
            metrics.wait.observe(waited_seconds)

    def attempt_ended(self, queue: str, pattern: str, outcome: AttemptOutcome, ran_seconds: float) -> None:
        """See `ServerObserver`."""
        metrics = self._of(queue, pattern)
        metrics.in_progress.dec()
        metrics.handled[outcome].inc()
        metrics.duration.observe(ran_seconds)

    def task_released(self, queue: str) -> None:
        """See `ServerObserver`."""
        self._released.labels(queue).inc()

    def turn_ended(self, size: int, seconds: float) -> None:
        """See `ServerObserver`."""
        self._turn_size.observe(size)
        self._turn_duration.observe(seconds)

    def reconnected(self, connection: str) -> None:
        """See `ServerObserver`."""
        self._reconnects.labels(connection).inc()

    def _of(self, queue: str, pattern: str) -> _OfPattern:
        metrics = self._of_pattern.get((queue, pattern))
        if metrics is None:
            metrics = self._of_pattern[queue, pattern] = _OfPattern(
                self._in_progress.labels(queue, pattern),
                self._wait.labels(queue, pattern),
                self._duration.labels(queue, pattern),
                {outcome: self._handled.labels(queue, pattern, outcome.value) for outcome in AttemptOutcome},
            )
        return metrics


class _OfPattern:
    """The metrics of one pair of labels, looked up once: labels are dear, and these are used for every task."""

    __slots__ = ("duration", "handled", "in_progress", "wait")

    def __init__(
        self, in_progress: Gauge, wait: Histogram, duration: Histogram, handled: dict[AttemptOutcome, Counter]
    ) -> None:
        self.in_progress = in_progress
        self.wait = wait
        self.duration = duration
        self.handled = handled
