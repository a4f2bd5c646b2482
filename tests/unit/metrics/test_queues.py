"""What the collector of queues makes of what an inspector says."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from asynqpy import BrokerError, QueueInfo, TypeWithoutConsumer
from asynqpy.metrics import QueueMetricsCollector
from asynqpy.metrics.queues import MOST_TYPES

NOW = datetime(2026, 1, 31, 18, 30, tzinfo=UTC)


NUMBERS = QueueInfo(
    queue="low",
    memory_usage=1234,
    latency=timedelta(seconds=2.5),
    size=28,
    groups=2,
    pending=1,
    active=2,
    scheduled=3,
    retry=4,
    archived=5,
    completed=6,
    aggregating=7,
    processed=8,
    failed=9,
    processed_total=10,
    failed_total=11,
    paused=True,
    timestamp=NOW,
)


def numbers(**fields: Any) -> QueueInfo:
    """Those of a queue."""
    return msgspec.structs.replace(NUMBERS, **fields)


@dataclass
class Inspector:
    """Says what a test wants it to say."""

    infos: Sequence[QueueInfo] = (NUMBERS,)
    unknown: Sequence[TypeWithoutConsumer] = ()
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def queue_infos(self) -> Sequence[QueueInfo]:
        self.asked.append("queue_infos")
        if self.error is not None:
            raise self.error
        return self.infos

    def types_without_consumer(self) -> Sequence[TypeWithoutConsumer]:
        self.asked.append("types_without_consumer")
        return self.unknown


def page(inspector: Inspector, **options: Any) -> str:
    """What Prometheus would read."""
    registry = CollectorRegistry()
    registry.register(QueueMetricsCollector(inspector, **options))
    inspector.asked.clear()
    return generate_latest(registry).decode()


ASYNQ = """\
# HELP asynq_tasks_enqueued_total Number of tasks enqueued; broken down by queue and state.
# TYPE asynq_tasks_enqueued_total gauge
asynq_tasks_enqueued_total{queue="low",state="active"} 2.0
asynq_tasks_enqueued_total{queue="low",state="pending"} 1.0
asynq_tasks_enqueued_total{queue="low",state="scheduled"} 3.0
asynq_tasks_enqueued_total{queue="low",state="retry"} 4.0
asynq_tasks_enqueued_total{queue="low",state="archived"} 5.0
asynq_tasks_enqueued_total{queue="low",state="completed"} 6.0
# HELP asynq_queue_size Number of tasks in a queue
# TYPE asynq_queue_size gauge
asynq_queue_size{queue="low"} 28.0
# HELP asynq_queue_latency_seconds Number of seconds the oldest pending task is waiting in pending state to \
be processed.
# TYPE asynq_queue_latency_seconds gauge
asynq_queue_latency_seconds{queue="low"} 2.5
# HELP asynq_queue_memory_usage_approx_bytes Number of memory used by a given queue (approximated number by sampling).
# TYPE asynq_queue_memory_usage_approx_bytes gauge
asynq_queue_memory_usage_approx_bytes{queue="low"} 1234.0
# HELP asynq_tasks_processed_total Number of tasks processed (both succeeded and failed); broken down by queue
# TYPE asynq_tasks_processed_total counter
asynq_tasks_processed_total{queue="low"} 10.0
# HELP asynq_tasks_failed_total Number of tasks failed; broken down by queue
# TYPE asynq_tasks_failed_total counter
asynq_tasks_failed_total{queue="low"} 11.0
# HELP asynq_queue_paused_total Number of queues paused
# TYPE asynq_queue_paused_total gauge
asynq_queue_paused_total{queue="low"} 1.0
"""


def test_the_metrics_of_asynq_are_asynqs_to_the_letter() -> None:
    """Names, types, labels, help; gauges that end with _total keep their names."""
    assert page(Inspector(), ours=False) == ASYNQ


def test_ours_have_names_of_their_own() -> None:
    """Groups, when the oldest began to wait, and what waits for nobody, in a family each."""
    unknown = [TypeWithoutConsumer(queue="low", type="new", count=4, is_certain=True)]
    text = page(Inspector(unknown=unknown))
    assert text.startswith(ASYNQ)
    samples = [line for line in text.removeprefix(ASYNQ).splitlines() if not line.startswith("#")]
    assert samples == [
        'asynqpy_queue_aggregating{queue="low"} 7.0',
        'asynqpy_queue_groups{queue="low"} 2.0',
        f'asynqpy_queue_oldest_pending_timestamp_seconds{{queue="low"}} {NOW.timestamp() - 2.5!r}'.replace(
            "1769884197.5", "1.7698841975e+09"
        ),
        'asynqpy_waiting_without_consumer{certain="yes",queue="low",type="new"} 4.0',
    ]


def test_nothing_waits_nothing_is_oldest() -> None:
    """A queue where nothing waits has no such moment."""
    idle = numbers(latency=timedelta(0), pending=0, scheduled=0, retry=0)
    inspector = Inspector([idle, numbers(queue="busy")])
    text = page(inspector)
    assert 'oldest_pending_timestamp_seconds{queue="busy"}' in text
    assert 'oldest_pending_timestamp_seconds{queue="low"}' not in text


def test_memory_that_nobody_tells_is_left_out() -> None:
    """Rather than shown as nothing."""
    assert "memory_usage_approx_bytes{" not in page(Inspector([numbers(memory_usage=None)]))


def test_queues_are_in_order_and_may_be_none() -> None:
    """Whatever order the inspector has; without queues only the families are there."""
    text = page(Inspector([numbers(queue=name) for name in "cab"]))
    sizes = [line for line in text.splitlines() if line.startswith("asynq_queue_size{")]
    assert [line.split('"')[1] for line in sizes] == ["a", "b", "c"]
    assert [line for line in page(Inspector([])).splitlines() if not line.startswith("#")] == []


def test_types_without_end_do_not_make_series_without_end() -> None:
    """The most frequent have their own; the others are counted together."""
    unknown = [
        TypeWithoutConsumer(queue="low", type=f"user-{n}", count=2, is_certain=False) for n in range(MOST_TYPES + 30)
    ]
    text = page(Inspector(unknown=unknown))
    samples = [line for line in text.splitlines() if line.startswith("asynqpy_waiting_without_consumer{")]
    assert len(samples) == MOST_TYPES + 1
    assert samples[-1] == 'asynqpy_waiting_without_consumer{certain="no",queue="low",type="(other)"} 60.0'


def test_where_redis_cannot_be_read_there_are_no_numbers(caplog: pytest.LogCaptureFixture) -> None:
    """The scrape goes on, and the reason is logged; registering asks nobody."""
    inspector = Inspector(error=BrokerError("cannot reach Redis"))
    registry = CollectorRegistry()
    registry.register(QueueMetricsCollector(inspector))
    assert inspector.asked == []
    with caplog.at_level(logging.WARNING, "asynqpy"):
        assert generate_latest(registry) == b""
    assert [record.message for record in caplog.records] == [
        "cannot read the numbers of the queues: cannot reach Redis"
    ]
