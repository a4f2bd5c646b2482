"""Queues: numbers, days, groups, rates."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from asynqpy.inspection import Trouble
from asynqpy.task import TaskState
from asynqpy.web.users import Permission
from asynqpy.web.v2.schema.base import Model, Page


class Queue(Model):
    """The numbers of a queue."""

    queue: str
    paused: bool
    size: int
    groups: int
    latency_seconds: float = Field(description="How long the task has waited that is next to run.")
    memory_usage_bytes: int | None = Field(description="An estimate; null unless asked for and allowed.")
    pending: int
    active: int
    scheduled: int
    retry: int
    archived: int
    completed: int
    aggregating: int
    processed_today: int
    failed_today: int
    processed_total: int
    failed_total: int
    timestamp: datetime
    permissions: list[Permission] = Field(description="What whoever asks may do in it.")


class QueuePage(Page[Queue]):
    """Queues, and the sums over all that fit the filter."""

    sums: dict[TaskState, int]


class Day(Model):
    """What a queue did on a day in UTC."""

    queue: str
    day: date
    processed: int
    succeeded: int
    failed: int


class Days(Model):
    """The newest day first."""

    items: list[Day]


class SummedDay(Model):
    """What queues did together on a day in UTC."""

    day: date
    processed: int
    succeeded: int
    failed: int


class SummedDays(Model):
    """The newest day first; empty without queues."""

    items: list[SummedDay]
    queues: int = Field(description="How many queues are in it.")
    total_queues: int = Field(description="How many there are.")


class Group(Model):
    """A group of tasks that wait to be aggregated."""

    group: str
    size: int


class GroupPage(Page[Group]):
    """Groups of a queue."""


class Percentiles(Model):
    """Seconds below which so many of a hundred are; null where there is nothing."""

    p50: float | None
    p90: float | None
    p99: float | None


class TypeRates(Model):
    """What one type of tasks did, or one pattern of handlers."""

    pattern: str
    started: int
    succeeded: int
    failed: int
    waited: Percentiles
    ran: Percentiles


class RatePoint(Model):
    """What a queue did in a minute."""

    minute: datetime
    started: int
    succeeded: int
    failed: int
    depth: int | None
    waited: Percentiles | None = Field(description="Of tasks that began; null where none did.")
    ran: Percentiles | None = Field(description="Of attempts that ended; null where none did.")


class Rates(Model):
    """How fast a queue works, and how long it will take."""

    queue: str
    minutes: int
    observed_seconds: float = Field(
        description="Since something was written first in these minutes, else 0: all rates are of this time."
    )
    depth: int = Field(description="Tasks that are pending now.")
    arrivals_per_second: float | None = Field(description="Became ready to run; null where that cannot be told.")
    starts_per_second: float
    services_per_second: float = Field(description="Attempts that ended.")
    seconds_to_empty: float | None = Field(description="Null where it does not get emptier.")
    waited: Percentiles
    ran: Percentiles
    patterns: list[TypeRates]
    points: list[RatePoint]


class AllRates(Model):
    """How fast queues work."""

    minutes: int
    queues: list[Rates] = Field(description="The busiest of today first.")
    together: Rates = Field(description="All of them, as if they were one; its name is empty.")
    left_out: int = Field(description="Queues beyond the limit, which are in neither.")


class Orphan(Model):
    """One piece of trouble."""

    trouble: Trouble
    name: str
    state: str
    is_repaired: bool


class Orphans(Model):
    """What no operation of a healthy peer leaves behind."""

    queue: str
    scanned: int
    counts: dict[Trouble, int]
    orphans: list[Orphan]
    repaired: int


class PrometheusChart(Model):
    """What Prometheus knows of queues in one respect."""

    error: str | None = Field(description="Why Prometheus refuses to tell; null where it does not.")
    lines: dict[str, list[float | None]] = Field(
        description="By queue, a value for each moment; null where there is none. Unknown queues are left out."
    )


class PrometheusHistory(Model):
    """What Prometheus knows of queues, moment by moment."""

    duration: int = Field(description="Seconds from the first moment to the last, at most.")
    end: int = Field(description="Seconds since 1970.")
    step: int = Field(description="Seconds from one moment to the next.")
    times: list[int] = Field(description="The moments, seconds since 1970.")
    queues: list[str] = Field(description="Those that it was asked about.")
    left_out: int = Field(description="Queues beyond the limit.")
    charts: dict[str, PrometheusChart] = Field(
        description="`queue_size`, `queue_latency_seconds`, `queue_memory_usage_approx_bytes`,"
        " `tasks_processed_per_second`, `tasks_failed_per_second`, `error_rate`, `pending_tasks_by_queue`,"
        " `retry_tasks_by_queue`, `archived_tasks_by_queue`."
    )
