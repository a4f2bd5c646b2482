"""What an inspector tells of queues, servers and schedules, and what it reports of its own work. Values without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from asynqpy.options import EnqueueOptions
from asynqpy.patterns import PatternTree, deciding, fits


class QueueInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one queue at one moment."""

    queue: str
    """Its name."""
    memory_usage: int | None
    """Bytes that its tasks take in Redis, estimated from a few of each state; None when not asked for, or refused."""
    latency: timedelta
    """How long the task has waited that is next to run; zero when none waits, or when nobody noted since when."""
    size: int
    """Tasks in all states together."""
    groups: int
    """Groups with waiting tasks."""
    pending: int
    """Tasks that are ready to run."""
    active: int
    """Tasks that run."""
    scheduled: int
    """Tasks that wait for their moment."""
    retry: int
    """Tasks that have failed and wait for another attempt."""
    archived: int
    """Tasks that have failed for good."""
    completed: int
    """Tasks that are kept after their success."""
    aggregating: int
    """Tasks in groups; those that are just being aggregated are counted nowhere, as in asynq."""
    processed: int
    """Attempts that ended since midnight UTC, failed ones included."""
    failed: int
    """Those of them that failed."""
    processed_total: int
    """Attempts that ended since the queue was made."""
    failed_total: int
    """Those of them that failed."""
    paused: bool
    """Whether its tasks are held back."""
    timestamp: datetime
    """When this was read."""


class DailyStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a queue did on one day."""

    queue: str
    """Its name."""
    day: date
    """The day, in UTC."""
    processed: int
    """Attempts that ended, failed ones included."""
    failed: int
    """Those of them that failed."""

    @property
    def succeeded(self) -> int:
        """Those of them that did not fail."""
        return self.processed - self.failed


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took for so many of a hundred; None where nothing is known. Good to a factor of two at worst."""

    p50: timedelta | None
    p90: timedelta | None
    p99: timedelta | None


class PatternRates(msgspec.Struct, frozen=True, kw_only=True):
    """What the handler of one pattern did with the tasks of a queue."""

    pattern: str
    """As it was registered; empty where a single function handles everything."""
    started: int
    """Attempts that began."""
    succeeded: int
    """Attempts that succeeded."""
    failed: int
    """Attempts that failed."""
    waited: Percentiles
    """How long tasks were ready to run before they did."""
    ran: Percentiles
    """How long attempts took."""


class RateMinute(msgspec.Struct, frozen=True, kw_only=True):
    """What the handlers of a queue did in one minute."""

    minute: datetime
    """When it began."""
    started: int
    """Attempts that began."""
    succeeded: int
    """Attempts that succeeded."""
    failed: int
    """Attempts that failed."""
    depth: int | None
    """Tasks that were pending when something was last written down; None when nothing was."""
    waited: Percentiles
    """How long tasks that began were ready to run before they did."""
    ran: Percentiles
    """How long attempts took that ended."""


class QueueRates(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a queue works, and how long it will take, as its servers of Python have written it down."""

    queue: str
    """Its name."""
    minutes: int
    """So many minutes were looked at."""
    observed: timedelta
    """Since something was written down first in these minutes: all rates are of this time. Zero when nothing was."""
    depth: int
    """Tasks that are pending now."""
    arrivals_per_second: float | None
    """Tasks that became ready to run, retries included; None where it cannot be told."""
    starts_per_second: float
    """Attempts that began."""
    services_per_second: float
    """Attempts that ended."""
    time_to_empty: timedelta | None
    """When nothing will be pending if it goes on like this; None when that is never, or cannot be told."""
    waited: Percentiles
    """How long tasks were ready to run before they did."""
    ran: Percentiles
    """How long attempts took."""
    patterns: tuple[PatternRates, ...]
    """The same by the pattern of the handler."""
    points: tuple[RateMinute, ...]
    """Minute by minute, the oldest first."""


class AllRates(msgspec.Struct, frozen=True, kw_only=True):
    """How fast several queues work, one by one and together."""

    queues: tuple[QueueRates, ...]
    """Each of them, in the order that was asked for."""
    together: QueueRates
    """All of them, as if they were one; its name is empty, and arrivals are those of the queues that know them."""


class GroupInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A group of tasks that wait to be aggregated."""

    group: str
    """Its name."""
    size: int
    """How many tasks wait in it."""


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One running attempt of a server."""

    task_id: str
    """The task that runs."""
    task_type: str
    """Its type name."""
    task_payload: bytes
    """Its payload."""
    queue: str
    """The queue that it came from."""
    started: datetime
    """When the attempt began."""
    deadline: datetime | None
    """When it must have ended."""


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A worker server that has shown a sign of life in the last seconds."""

    id: str
    """A random id that it has for its life."""
    host: str
    """Name of its machine."""
    pid: int
    """Its process id there."""
    concurrency: int
    """How many tasks it runs at once."""
    queues: Mapping[str, int]
    """The queues that it serves, with their weights."""
    strict_priority: bool
    """Whether it serves a queue only when all heavier ones are empty."""
    status: str
    """``active``, or ``stopped`` when it takes no new tasks."""
    started: datetime
    """When it started."""
    active_workers: tuple[WorkerInfo, ...]
    """What it runs, the oldest attempt first."""
    app_version: str | None = None
    """The version of its application; None where it was told none, and for servers of Go."""
    asynqpy_version: str | None = None
    """The version of asynqpy that it runs; None for servers of Go, and older ones of Python."""


class UniqueLock(msgspec.Struct, frozen=True, kw_only=True):
    """A uniqueness lock that refuses tasks of one type and payload in a queue."""

    key: str
    """Its key in Redis."""
    task_id: str
    """The task that holds it."""
    expires_in: timedelta | None
    """How long it lasts unless its task ends before; None for ever."""


class UnknownField(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a stored message that this version does not know: a peer is newer."""

    number: int
    """In the schema of protobuf."""
    value: int | bytes
    """As it is stored: a number, or the bytes of a text, of bytes or of a message."""


class StoredTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it lies in Redis, byte for byte: for what nothing else can show."""

    queue: str
    """Its queue."""
    task_id: str
    """Its id."""
    message: bytes
    """Its ``TaskMessage``, in protobuf; empty when there is none."""
    fields: Mapping[str, bytes]
    """All other fields of its hash, those of later versions too."""
    unknown_fields: tuple[UnknownField, ...]
    """What the message has that this version does not know; none when it cannot be read at all."""
    error: str
    """Why the message cannot be read; empty when it can."""


class SchedulerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A periodic task of a scheduler that has shown a sign of life in the last seconds."""

    id: str
    """The id that its scheduler gave it."""
    scheduler: str
    """Which scheduler: ``host:pid:uuid``."""
    spec: str
    """When it is enqueued, as it was registered: cron, or ``@every 30s``."""
    task_type: str
    """The type of its tasks."""
    task_payload: bytes
    """Their payload."""
    options: EnqueueOptions
    """Enqueue options that it was registered with, as far as they can be understood."""
    option_texts: tuple[str, ...]
    """The same as they are written in Redis, such as ``Queue("low")``."""
    next_enqueue_at: datetime | None
    """When it is due next; None when never."""
    previous_enqueue_at: datetime | None
    """When it was last enqueued; None when it never was."""


class SchedulerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One firing of a periodic task."""

    task_id: str
    """The task that was enqueued."""
    enqueued_at: datetime
    """When."""


class ClusterNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a Redis Cluster that holds the keys of a queue; the first one that is told is the primary."""

    id: str
    """Its id in the cluster."""
    host: str
    """Where clients reach it."""
    port: int
    """On which port."""


class Stayed(msgspec.Struct, frozen=True, kw_only=True):
    """A task that could not be taken to another queue, and stayed in its own."""

    task_id: str
    """Its id."""
    reason: str
    """Why: the other queue has a task with this id, or a unique one like it, or it was changed by others meanwhile."""


class MoveReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `move_all` did."""

    moved: int
    """Tasks that are in the other queue now."""
    stayed: int
    """Tasks that could not be taken there."""
    tasks_stayed: tuple[Stayed, ...]
    """The first thousand of these."""


class SearchCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much a search has looked at so far."""

    scanned: int
    """Tasks looked at."""
    matched: int
    """Those of them that were found to match."""
    total: int
    """Tasks that were in the places to look at when the search began; 0 when it looks up ids."""
    is_complete: bool
    """Whether everything was looked at: neither the limit nor the budget ended it, and it was read to its end."""


class Trouble(StrEnum):
    """Something that no operation of a healthy peer leaves behind."""

    HOMELESS_TASK = "homeless_task"
    """A task that no list or set of its queue holds: nobody would ever run, keep or delete it."""
    EMPTY_HASH = "empty_hash"
    """A hash without a task in it that no list or set holds; it blocks its id for ever."""
    MISSING_TASK = "missing_task"
    """An id in a list or set without a task behind it."""
    WRONG_STATE = "wrong_state"
    """A task in a list or set whose hash says that it is elsewhere: most operations refuse to touch it."""
    ACTIVE_WITHOUT_LEASE = "active_without_lease"
    """An active task that no lease ends: nobody would ever recover it."""
    LEASE_WITHOUT_TASK = "lease_without_task"
    """A lease of a task that is not active."""
    UNLISTED_GROUP = "unlisted_group"
    """A group that is not in the set of groups: no server would ever aggregate it."""
    UNLISTED_AGGREGATION = "unlisted_aggregation"
    """Tasks taken out for an aggregation that nobody knows of: no server would ever put them back."""
    STALE_LOCK = "stale_lock"
    """A uniqueness lock whose task is gone, or is another one."""
    UNLISTED_QUEUE = "unlisted_queue"
    """The queue is not in the set of queues: inspectors do not see it."""


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of trouble that was found."""

    trouble: Trouble
    """What is wrong."""
    name: str
    """The id of the task, or the name of the group, the lock or the queue."""
    state: str = ""
    """For tasks: what the hash says; for ids without a task: the state whose list or set holds it."""
    is_repaired: bool = False
    """Whether it was mended. False also for what has righted itself in the meantime."""


class OrphanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `recover_orphans` found in a queue."""

    queue: str
    """Its name."""
    scanned: int
    """Keys looked at."""
    counts: Mapping[Trouble, int]
    """How often each kind of trouble was found; kinds that were not are left out."""
    orphans: tuple[Orphan, ...]
    """The first thousand of them."""
    repaired: int
    """How many were mended."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.counts


class HandledPatterns(msgspec.Struct, frozen=True, kw_only=True):
    """What a live server handles."""

    server_id: str
    """Of the server; `ServerInfo.id` is the same."""
    host: str
    """Where it runs."""
    pid: int
    """Its process."""
    queues: tuple[str, ...]
    """The queues that it serves, by name."""
    patterns: tuple[str, ...] | None
    """The patterns that it publishes, sorted; ``""`` is everything. None when it publishes none, as servers of Go."""
    tree: PatternTree | None = None
    """The same as it was published: under each pattern those of the mux that is registered there."""

    def pattern_of(self, task_type: str) -> str | None:
        """The one of `patterns` that decides about *task_type*; None when none does, or when it does not say."""
        return None if self.tree is None else deciding(self.tree, task_type)

    def handles(self, task_type: str) -> bool | None:
        """Whether it has a handler for *task_type*; None when it does not say."""
        return None if self.tree is None else fits(self.tree, task_type)


class PayloadSchema(msgspec.Struct, frozen=True, kw_only=True):
    """What payloads of a typed handler look like; one for each version that living servers run."""

    pattern: str
    """The pattern of the handler; ``""`` is everything."""
    schema: Mapping[str, Any]
    """A JSON Schema, draft 2020-12."""
    server_ids: tuple[str, ...]
    """The live servers that publish it."""


class TypeWithoutConsumer(msgspec.Struct, frozen=True, kw_only=True):
    """A type of waiting tasks that no server of their queue is known to handle."""

    queue: str
    """Where they wait."""
    type: str
    """The type; the rest of one that is longer than 512 bytes is cut off."""
    count: int
    """How many tasks of it are in the sample."""
    is_certain: bool
    """Whether every live server of the queue says what it handles, or there is none at all. Otherwise one of them,
    a server of Go for instance, may know the type."""
