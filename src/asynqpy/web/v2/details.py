"""What the details of a task tell beside its fields: attempts that failed, what comes next, and what happened when."""

from __future__ import annotations

import hashlib
from datetime import datetime

from asynqpy.retry import expected_default_delay
from asynqpy.task import TaskInfo, TaskState
from asynqpy.web.v2 import schema

MOST_RETRIES = 10
"""Retries told ahead at most."""

MOVABLE_IN_TIME = frozenset({TaskState.SCHEDULED, TaskState.RETRY})
"""The states in which a task waits for a moment."""

_ENDED = frozenset({TaskState.ARCHIVED, TaskState.COMPLETED})


def etag_of(payload: bytes) -> str:
    """The entity tag of *payload*, with its quotes."""
    return f'"{hashlib.sha256(payload).hexdigest()[:32]}"'


def matches(if_match: str, payload: bytes) -> bool:
    """Whether the header ``If-Match`` names *payload*."""
    tags = [tag.strip() for tag in if_match.split(",")]
    return "*" in tags or etag_of(payload) in tags


def attempts_of(info: TaskInfo) -> list[schema.FailedAttempt]:
    """The attempts that failed, the oldest first."""
    return [
        schema.FailedAttempt(
            failed_at=each.failed_at,
            error=each.error,
            traceback=each.traceback,
            worker=each.worker,
            app_version=each.app_version,
            seconds=each.ran_for.total_seconds() if each.ran_for is not None else None,
            retried=each.retried,
            is_lost=each.is_lost,
        )
        for each in info.attempts
    ]


def retry_preview(info: TaskInfo, now: datetime) -> list[float]:
    """In how many seconds it would be retried, if every attempt failed as soon as it began."""
    if info.state in _ENDED:
        return []
    due = info.next_process_at
    at = max(0.0, (due - now).total_seconds()) if due is not None else 0.0
    found = [at] if info.state is TaskState.RETRY else []
    for retried in range(info.retried, info.max_retry):
        if len(found) == MOST_RETRIES:
            break
        at += expected_default_delay(retried).total_seconds()
        found.append(at)
    return found


def history_of(info: TaskInfo, worker: schema.Worker | None) -> list[schema.HistoryEvent]:
    """What is known to have happened to it, the oldest first, and for what moment it waits."""
    found: list[tuple[datetime | None, schema.Happening, str]] = []
    for each in info.attempts:
        if each.ran_for is not None:
            found.append((each.failed_at - each.ran_for, "started", each.worker))
        found.append((each.failed_at, "lost" if each.is_lost else "failed", each.error))
    failed_at = info.last_failed_at
    if failed_at is not None and not any(
        abs((each.failed_at - failed_at).total_seconds()) <= 1 for each in info.attempts
    ):
        found.append((failed_at, "failed", info.last_error))
    found.append((info.pending_since, "pending", ""))
    if worker is not None:
        found.append((worker.started, "started", f"{worker.host}:{worker.pid}"))
    found.append((info.completed_at, "completed", ""))
    found.append((info.archived_at, "archived", ""))
    if info.state in (TaskState.SCHEDULED, TaskState.RETRY):
        found.append((info.next_process_at, "due", ""))
    events = [schema.HistoryEvent(at=at, event=event, text=text) for at, event, text in found if at is not None]
    return sorted(events, key=lambda event: event.at)
