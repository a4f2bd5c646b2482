"""Uniqueness locks, and the clock that decides when they end."""

from __future__ import annotations

from datetime import datetime, timedelta

from asynqpy._broker.flow import Batch, Flow, command
from asynqpy._broker.inspect.places import require_queue
from asynqpy._broker.inspect.queues import checked
from asynqpy._broker.inspect.tasks import task_info
from asynqpy._wire import keys
from asynqpy.inspection import UniqueLock


def unique_lock(queue: str, task_id: str, *, now: datetime) -> Flow[UniqueLock | None]:
    """The lock that a task was enqueued with, whoever holds it now; None when it is gone, or never was.

    Raises:
        QueueNotFoundError: the queue does not exist.
        TaskNotFoundError: it has no such task.
    """
    yield from require_queue(queue)
    info = yield from task_info(queue, task_id, now=now)
    key = info.unique_key
    if not key.startswith(keys.of_queue(queue).prefix):  # else it is of another slot, and nothing that asynq writes
        return None
    holder, left = checked((yield Batch([command("GET", key), command("PTTL", key)])))
    if holder is None:
        return None
    return UniqueLock(
        key=key,
        task_id=holder.decode("utf-8", "replace"),
        expires_in=timedelta(milliseconds=left) if left >= 0 else None,
    )
