"""asynqmon's objects, key by key. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from asynqpy.inspection import DailyStats, GroupInfo, QueueInfo, SchedulerEntry, SchedulerEvent, ServerInfo, WorkerInfo
from asynqpy.task import TaskInfo, TaskState

Object: TypeAlias = dict[str, Any]

Formatter: TypeAlias = Callable[[bytes, str, str], str]
"""Makes text of bytes, given the queue and the type of their task."""

NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time: what the front end wants of an archived task that never failed."""

UNKNOWN_TIME = "-"


def moment(at: datetime | None, unset: str = "") -> str:
    """RFC 3339 in whole seconds."""
    return unset if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def next_moment(at: datetime | None) -> str:
    """The whole second by which a task is due: Go's servers look at nothing finer."""
    return moment(at and at + timedelta(microseconds=-at.microsecond % 1_000_000))


def queue_snapshot(info: QueueInfo, memory: int | None) -> Object:
    """``QueueSnapshot``; without an estimate the memory is 0, because the front end cannot do without a number."""
    return {
        "queue": info.queue,
        "memory_usage_bytes": memory or 0,
        "size": info.size,
        "groups": info.groups,
        "latency_msec": info.latency // timedelta(milliseconds=1),
        "display_latency": latency_text(info.latency),
        **{state.value: getattr(info, state.value) for state in TaskState},
        "processed": info.processed,
        "succeeded": info.processed - info.failed,
        "failed": info.failed,
        "paused": info.paused,
        "timestamp": info.timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }


def daily_stat(day: DailyStats) -> Object:
    """``DailyStat``."""
    return {
        "queue": day.queue,
        "processed": day.processed,
        "succeeded": day.succeeded,
        "failed": day.failed,
        "date": day.day.isoformat(),
    }


def group(info: GroupInfo) -> Object:
    """``Group``."""
    return {"group": info.group, "size": info.size}


def task_row(info: TaskInfo, payload: Formatter, result: Formatter, worker: WorkerInfo | None) -> Object:
    """A task in the list of its state."""
    row: Object = {
        "id": info.id,
        "type": info.type,
        "payload": payload(info.payload, info.queue, info.type),
        "queue": info.queue,
        "max_retry": info.max_retry,
        "retried": info.retried,
        "error_message": info.last_error,
    }
    match info.state:
        case TaskState.ACTIVE:
            row["start_time"] = moment(worker.started if worker else None, UNKNOWN_TIME)
            row["deadline"] = moment(worker.deadline if worker else None, UNKNOWN_TIME)
            row["is_orphaned"] = info.is_orphaned
        case TaskState.SCHEDULED | TaskState.RETRY:
            row["next_process_at"] = next_moment(info.next_process_at)
        case TaskState.ARCHIVED:
            row["last_failed_at"] = moment(info.last_failed_at, NEVER)
        case TaskState.COMPLETED:
            row["completed_at"] = moment(info.completed_at)
            row["result"] = result(info.result or b"", info.queue, info.type)
            row["ttl_seconds"] = _ttl_seconds(info)
        case TaskState.AGGREGATING:
            row["group"] = info.group
        case TaskState.PENDING:
            pass
    return row


def task_detail(info: TaskInfo, payload: Formatter, result: Formatter) -> Object:
    """``TaskDetail``."""
    return {
        "id": info.id,
        "queue": info.queue,
        "type": info.type,
        "payload": payload(info.payload, info.queue, info.type),
        "state": info.state.value,
        "max_retry": info.max_retry,
        "retried": info.retried,
        "error_message": info.last_error,
        "last_failed_at": moment(info.last_failed_at),
        "timeout_seconds": int(info.timeout.total_seconds()),
        "deadline": moment(info.deadline),
        "next_process_at": next_moment(info.next_process_at),
        "completed_at": moment(info.completed_at),
        "result": result(info.result or b"", info.queue, info.type),
        "ttl_seconds": _ttl_seconds(info) if info.state is TaskState.COMPLETED else 0,
    }


def server(info: ServerInfo, workers: Iterable[WorkerInfo], payload: Formatter) -> Object:
    """``Server``."""
    return {
        "id": info.id,
        "host": info.host,
        "pid": info.pid,
        "concurrency": info.concurrency,
        "queue_priorities": dict(info.queues),
        "strict_priority_enabled": info.strict_priority,
        "start_time": moment(info.started),
        "status": info.status,
        "active_workers": [
            {
                "task_id": worker.task_id,
                "queue": worker.queue,
                "task_type": worker.task_type,
                "task_payload": payload(worker.task_payload, worker.queue, worker.task_type),
                "start_time": moment(worker.started),
            }
            for worker in workers
        ],
    }


def scheduler_entry(entry: SchedulerEntry, payload: Formatter) -> Object:
    """``SchedulerEntry``."""
    shape: Object = {
        "id": entry.id,
        "spec": entry.spec,
        "task_type": entry.task_type,
        "task_payload": payload(entry.task_payload, "", entry.task_type),
        "options": list(entry.option_texts),
        "next_enqueue_at": moment(entry.next_enqueue_at, NEVER),
    }
    if entry.previous_enqueue_at is not None:
        shape["prev_enqueue_at"] = moment(entry.previous_enqueue_at)
    return shape


def enqueue_event(event: SchedulerEvent) -> Object:
    """``EnqueueEvent``."""
    return {"task_id": event.task_id, "enqueued_at": moment(event.enqueued_at)}


def latency_text(latency: timedelta) -> str:
    """A duration as Go writes it, rounded to 10 ms: ``90ms``, ``1.25s``, ``26h0m5s``."""
    hundredths = round(latency / timedelta(milliseconds=10))
    if hundredths == 0:
        return "0s"
    if hundredths < 100:
        return f"{hundredths * 10}ms"
    minutes, rest = divmod(hundredths, 6000)
    seconds = f"{rest // 100}.{rest % 100:02d}".rstrip("0").rstrip(".") + "s"
    if not minutes:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"


def _ttl_seconds(info: TaskInfo) -> int:
    if info.completed_at is None:
        return 0
    return int((info.completed_at + info.retention - datetime.now(UTC)).total_seconds())
