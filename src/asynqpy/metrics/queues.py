"""Metrics of queues, read from Redis at each scrape: asynq's own names, types, labels and help, and some of ours."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from asynqpy.errors import AsynqpyError
from asynqpy.inspection import QueueInfo, TypeWithoutConsumer

log = logging.getLogger("asynqpy")

MOST_TYPES = 50
"""Types of one queue that have a time series of their own; the rest is together under ``OTHER_TYPES``."""

OTHER_TYPES = "(other)"

ENQUEUED_STATES = ("active", "pending", "scheduled", "retry", "archived", "completed")
"""As asynq: groups are not in it."""


class QueueInspector(Protocol):
    """What is needed of an `Inspector`."""

    def queue_infos(self) -> Sequence[QueueInfo]:
        """The numbers of all queues."""
        ...

    def types_without_consumer(self) -> Sequence[TypeWithoutConsumer]:
        """The types that wait somewhere and that no server is known to handle."""
        ...


class QueueMetricsCollector(Collector):
    """A collector of prometheus_client that reads the numbers of all queues at each scrape.

    Its metrics named ``asynq_…`` are those of asynq's collector: dashboards made for the one work with the other. Those
    named ``asynqpy_…`` are ours. Where Redis cannot be read the scrape has no numbers of queues, and the reason is
    logged, as in asynq.

    Args:
        inspector: reads Redis; it stays open, and blocks the thread that scrapes.
        ours: whether to have those that asynq has not.
    """

    def __init__(self, inspector: QueueInspector, *, ours: bool = True) -> None:
        self._inspector = inspector
        self._ours = ours

    def describe(self) -> Iterable[Metric]:
        """The metrics without their numbers: registering asks nobody."""
        return [*_asynq(()), *(_ours((), ()) if self._ours else ())]

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        try:
            infos = sorted(self._inspector.queue_infos(), key=lambda info: info.queue)
            unknown = self._inspector.types_without_consumer() if self._ours else []
        except AsynqpyError as error:
            log.warning("cannot read the numbers of the queues: %s", error)
            return
        yield from _asynq(infos)
        if self._ours:
            yield from _ours(infos, unknown)


def _asynq(infos: Iterable[QueueInfo]) -> list[Metric]:
    by_queue = ("queue",)
    enqueued = GaugeMetricFamily(
        "asynq_tasks_enqueued_total",
        "Number of tasks enqueued; broken down by queue and state.",
        labels=("queue", "state"),
    )
    size = GaugeMetricFamily("asynq_queue_size", "Number of tasks in a queue", labels=by_queue)
    latency = GaugeMetricFamily(
        "asynq_queue_latency_seconds",
        "Number of seconds the oldest pending task is waiting in pending state to be processed.",
        labels=by_queue,
    )
    memory = GaugeMetricFamily(
        "asynq_queue_memory_usage_approx_bytes",
        "Number of memory used by a given queue (approximated number by sampling).",
        labels=by_queue,
    )
    processed = CounterMetricFamily(
        "asynq_tasks_processed_total",
        "Number of tasks processed (both succeeded and failed); broken down by queue",
        labels=by_queue,
    )
    failed = CounterMetricFamily(
        "asynq_tasks_failed_total", "Number of tasks failed; broken down by queue", labels=by_queue
    )
    paused = GaugeMetricFamily("asynq_queue_paused_total", "Number of queues paused", labels=by_queue)
    for info in infos:
        for state in ENQUEUED_STATES:
            enqueued.add_metric((info.queue, state), getattr(info, state))
        size.add_metric((info.queue,), info.size)
        latency.add_metric((info.queue,), info.latency.total_seconds())
        if info.memory_usage is not None:  # some who rent Redis out do not let it tell
            memory.add_metric((info.queue,), info.memory_usage)
        processed.add_metric((info.queue,), info.processed_total)
        failed.add_metric((info.queue,), info.failed_total)
        paused.add_metric((info.queue,), int(info.paused))
    return [enqueued, size, latency, memory, processed, failed, paused]


def _ours(infos: Iterable[QueueInfo], unknown: Iterable[TypeWithoutConsumer]) -> list[Metric]:
    aggregating = GaugeMetricFamily(
        "asynqpy_queue_aggregating", "Tasks that wait in the groups of a queue.", labels=("queue",)
    )
    groups = GaugeMetricFamily("asynqpy_queue_groups", "Groups of a queue that have waiting tasks.", labels=("queue",))
    without = GaugeMetricFamily(
        "asynqpy_waiting_without_consumer",
        "Waiting tasks, in a sample, of a type that no living server of the queue is known to handle.",
        labels=("queue", "type", "certain"),
    )
    oldest = GaugeMetricFamily(
        "asynqpy_queue_oldest_pending_timestamp_seconds",
        "When the pending task that has waited longest began to wait, in Unix seconds; none while nothing waits.",
        labels=("queue",),
    )
    for info in infos:
        if info.latency:
            oldest.add_metric((info.queue,), (info.timestamp - info.latency).timestamp())
        aggregating.add_metric((info.queue,), info.aggregating)
        groups.add_metric((info.queue,), info.groups)
    for labels, count in _bounded(unknown).items():
        without.add_metric(labels, count)
    return [aggregating, groups, oldest, without]


def _bounded(unknown: Iterable[TypeWithoutConsumer]) -> dict[tuple[str, str, str], int]:
    """Numbers by labels: the most frequent types of a queue, which come first, and the others together."""
    counts: dict[tuple[str, str, str], int] = {}
    named: dict[str, int] = {}
    for each in unknown:
        named[each.queue] = named.get(each.queue, 0) + 1
        task_type = each.type if named[each.queue] <= MOST_TYPES else OTHER_TYPES
        labels = (each.queue, task_type, "yes" if each.is_certain else "no")
        counts[labels] = counts.get(labels, 0) + each.count
    return counts
