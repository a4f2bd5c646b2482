"""What commands print as JSON: one shape for each thing, whichever command tells of it.

Durations are numbers of seconds and end in ``_seconds``; moments are ISO 8601 in UTC; null stands for what is not
there. Bytes come twice: as text, or null where they are no UTF-8, and then as base64. Fields may be added; none is
renamed or taken away.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from asynqpy.attempts import FailedAttempt
from asynqpy.inspection import (
    DailyStats,
    QueueInfo,
    SchedulerEntry,
    SchedulerEvent,
    ServerInfo,
    WorkerInfo,
)
from asynqpy.task import TaskInfo, TaskState


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Anything that is printed as JSON."""


class Queue(Document, frozen=True, kw_only=True):
    """The numbers of a queue."""

    name: str
    paused: bool
    size: int
    active: int
    pending: int
    aggregating: int
    scheduled: int
    retry: int
    archived: int
    completed: int
    groups: int
    processed: int
    """Attempts that ended today, in UTC."""
    failed: int
    processed_total: int
    failed_total: int
    latency_seconds: float
    """How long the task has waited that is next to run."""
    memory_bytes: int | None
    """An estimate; null where it was not asked for, or Redis refuses to tell."""
    cluster_slot: int | None
    """On a Redis Cluster."""
    cluster_nodes: list[str]
    """On a Redis Cluster: the nodes that hold it, as host:port, the primary first."""
    timestamp: datetime


class Queues(Document, frozen=True, kw_only=True):
    """``queue ls``, ``queue inspect``."""

    queues: list[Queue]


class Day(Document, frozen=True, kw_only=True):
    """What a queue did on one day."""

    date: str
    processed: int
    failed: int
    error_rate: float | None
    """From 0 to 1; null when nothing was processed."""


class QueueHistory(Document, frozen=True, kw_only=True):
    """The days of a queue, the newest first."""

    queue: str
    days: list[Day]


class Histories(Document, frozen=True, kw_only=True):
    """``queue history``."""

    histories: list[QueueHistory]


class Attempt(Document, frozen=True, kw_only=True):
    """An attempt that failed, or was lost with its worker."""

    failed_at: datetime
    error: str
    traceback: str | None
    """Its last 2 KiB."""
    worker: str | None
    """``host:pid``."""
    app_version: str | None
    seconds: float | None
    """How long it ran."""
    retried: int | None
    """How often the task had been retried before."""
    is_lost: bool


class Task(Document, frozen=True, kw_only=True):
    """A task."""

    id: str
    type: str
    queue: str
    state: TaskState
    payload: str | None
    payload_base64: str | None
    headers: dict[str, str]
    max_retry: int
    retried: int
    timeout_seconds: float
    deadline: datetime | None
    retention_seconds: float
    group: str | None
    is_unique: bool
    next_process_at: datetime | None
    pending_since: datetime | None
    archived_at: datetime | None
    completed_at: datetime | None
    last_error: str | None
    last_failed_at: datetime | None
    traceback: str | None
    crashes: int
    """How often it was lost with its worker."""
    attempts: list[Attempt]
    """The last ten that failed, the oldest first; empty in lists, which do not read them."""
    result: str | None
    result_base64: str | None
    progress: float | None
    """From 0 to 1."""
    progress_text: str | None
    progress_at: datetime | None
    is_orphaned: bool
    """It is active, and its worker's lease has ended."""
    is_readable: bool
    """Whether its message can be decoded; if not, its payload is the undecoded message."""


class TaskPage(Document, frozen=True, kw_only=True):
    """``task ls``."""

    queue: str
    state: TaskState
    group: str | None
    page: int
    page_size: int
    total: int
    """Tasks on all pages."""
    tasks: list[Task]


class Tasks(Document, frozen=True, kw_only=True):
    """``task inspect`` with several ids."""

    tasks: list[Task]


class Coverage(Document, frozen=True, kw_only=True):
    """The last line of ``task find``."""

    scanned: int
    matched: int
    total: int
    is_complete: bool


class Group(Document, frozen=True, kw_only=True):
    """A group of tasks that wait to be aggregated."""

    name: str
    size: int


class Groups(Document, frozen=True, kw_only=True):
    """``group ls``."""

    queue: str
    groups: list[Group]


class Worker(Document, frozen=True, kw_only=True):
    """A task that a server runs."""

    task_id: str
    task_type: str
    queue: str
    payload: str | None
    payload_base64: str | None
    started: datetime
    deadline: datetime | None


class Server(Document, frozen=True, kw_only=True):
    """A server."""

    id: str
    host: str
    pid: int
    status: str
    concurrency: int
    queues: dict[str, int]
    strict_priority: bool
    started: datetime
    app_version: str | None
    """Of its application, where it was told one."""
    asynqpy_version: str | None
    """Null for servers of Go."""
    workers: list[Worker]


class Servers(Document, frozen=True, kw_only=True):
    """``server ls``."""

    servers: list[Server]


class Entry(Document, frozen=True, kw_only=True):
    """A periodic task."""

    id: str
    scheduler: str
    spec: str
    task_type: str
    payload: str | None
    payload_base64: str | None
    options: list[str]
    next_enqueue_at: datetime | None
    previous_enqueue_at: datetime | None


class Entries(Document, frozen=True, kw_only=True):
    """``cron ls``."""

    entries: list[Entry]


class Event(Document, frozen=True, kw_only=True):
    """A firing of a periodic task."""

    task_id: str
    enqueued_at: datetime


class EntryHistory(Document, frozen=True, kw_only=True):
    """What a periodic task has enqueued, the newest first."""

    entry_id: str
    page: int
    page_size: int
    events: list[Event]


class EntryHistories(Document, frozen=True, kw_only=True):
    """``cron history``."""

    histories: list[EntryHistory]


class Outcome(Document, frozen=True, kw_only=True):
    """What became of one thing that a command was told to do."""

    action: str
    queue: str | None
    name: str
    """The id of the task, or the name of the queue."""
    is_done: bool
    error: str | None


class Outcomes(Document, frozen=True, kw_only=True):
    """Commands that act on named tasks or queues."""

    outcomes: list[Outcome]


class Bulk(Document, frozen=True, kw_only=True):
    """Commands that act on all tasks of a state."""

    action: str
    queue: str
    state: TaskState
    group: str | None
    count: int
    """How many were handled, or would be."""
    is_dry_run: bool


class Stayed(Document, frozen=True, kw_only=True):
    """A task that could not be moved."""

    task_id: str
    reason: str


class Move(Document, frozen=True, kw_only=True):
    """What became of the tasks of one state, or of one group."""

    state: TaskState
    group: str | None
    count: int
    """How many were moved, or would be."""
    stayed: int
    tasks_stayed: list[Stayed]
    """The first thousand of those that stayed."""


class Moves(Document, frozen=True, kw_only=True):
    """``queue move``."""

    queue: str
    to_queue: str
    is_dry_run: bool
    moves: list[Move]


class Finding(Document, frozen=True, kw_only=True):
    """One thing that ``doctor`` looked at."""

    check: str
    level: str
    """``ok``, ``note``, ``warning`` or ``problem``."""
    message: str
    advice: str | None
    """What to do about it."""


class Diagnosis(Document, frozen=True, kw_only=True):
    """``doctor``."""

    redis: str
    is_healthy: bool
    findings: list[Finding]


def encode(document: Document | dict[str, Any]) -> str:
    """A document in one line."""
    return msgspec.json.encode(document).decode()


def text_and_base64(data: bytes | None) -> tuple[str | None, str | None]:
    """*data* as text, or else as base64."""
    if data is None:
        return None, None
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(data).decode()


def queue(info: QueueInfo, *, slot: int | None = None, nodes: Iterable[str] = ()) -> Queue:
    """The document of a queue."""
    return Queue(
        name=info.queue,
        paused=info.paused,
        size=info.size,
        active=info.active,
        pending=info.pending,
        aggregating=info.aggregating,
        scheduled=info.scheduled,
        retry=info.retry,
        archived=info.archived,
        completed=info.completed,
        groups=info.groups,
        processed=info.processed,
        failed=info.failed,
        processed_total=info.processed_total,
        failed_total=info.failed_total,
        latency_seconds=info.latency.total_seconds(),
        memory_bytes=info.memory_usage,
        cluster_slot=slot,
        cluster_nodes=list(nodes),
        timestamp=info.timestamp.astimezone(UTC),
    )


def day(stats: DailyStats) -> Day:
    """The document of a day."""
    rate = stats.failed / stats.processed if stats.processed else None
    return Day(date=stats.day.isoformat(), processed=stats.processed, failed=stats.failed, error_rate=rate)


def task(info: TaskInfo) -> Task:
    """The document of a task."""
    payload, payload_base64 = text_and_base64(info.payload)
    result, result_base64 = text_and_base64(info.result)
    return Task(
        id=info.id,
        type=info.type,
        queue=info.queue,
        state=info.state,
        payload=payload,
        payload_base64=payload_base64,
        headers=dict(info.headers),
        max_retry=info.max_retry,
        retried=info.retried,
        timeout_seconds=info.timeout.total_seconds(),
        deadline=info.deadline,
        retention_seconds=info.retention.total_seconds(),
        group=info.group or None,
        is_unique=bool(info.unique_key),
        next_process_at=info.next_process_at,
        pending_since=info.pending_since,
        archived_at=info.archived_at,
        completed_at=info.completed_at,
        last_error=info.last_error or None,
        last_failed_at=info.last_failed_at,
        traceback=info.traceback or None,
        crashes=info.crashes,
        attempts=[attempt(each) for each in info.attempts],
        result=result,
        result_base64=result_base64,
        progress=info.progress,
        progress_text=info.progress_text or None,
        progress_at=info.progress_at,
        is_orphaned=info.is_orphaned,
        is_readable=info.is_readable,
    )


def attempt(info: FailedAttempt) -> Attempt:
    """The document of an attempt."""
    return Attempt(
        failed_at=info.failed_at,
        error=info.error,
        traceback=info.traceback or None,
        worker=info.worker or None,
        app_version=info.app_version or None,
        seconds=info.ran_for.total_seconds() if info.ran_for is not None else None,
        retried=info.retried,
        is_lost=info.is_lost,
    )


def server(info: ServerInfo) -> Server:
    """The document of a server."""
    return Server(
        id=info.id,
        host=info.host,
        pid=info.pid,
        status=info.status,
        concurrency=info.concurrency,
        queues=dict(info.queues),
        strict_priority=info.strict_priority,
        started=info.started,
        app_version=info.app_version,
        asynqpy_version=info.asynqpy_version,
        workers=[_worker(worker) for worker in info.active_workers],
    )


def _worker(info: WorkerInfo) -> Worker:
    payload, payload_base64 = text_and_base64(info.task_payload)
    return Worker(
        task_id=info.task_id,
        task_type=info.task_type,
        queue=info.queue,
        payload=payload,
        payload_base64=payload_base64,
        started=info.started,
        deadline=info.deadline,
    )


def entry(info: SchedulerEntry) -> Entry:
    """The document of a periodic task."""
    payload, payload_base64 = text_and_base64(info.task_payload)
    return Entry(
        id=info.id,
        scheduler=info.scheduler,
        spec=info.spec,
        task_type=info.task_type,
        payload=payload,
        payload_base64=payload_base64,
        options=list(info.option_texts),
        next_enqueue_at=info.next_enqueue_at,
        previous_enqueue_at=info.previous_enqueue_at,
    )


def event(info: SchedulerEvent) -> Event:
    """The document of a firing."""
    return Event(task_id=info.task_id, enqueued_at=info.enqueued_at)
