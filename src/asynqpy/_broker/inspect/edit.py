"""Changing what a waiting task will do, and doing again what was done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from asynqpy import payload as payloads
from asynqpy._broker import scripts
from asynqpy._broker.enqueue import NewTask, Registry, enqueue, exact_due
from asynqpy._broker.flow import Flow, command
from asynqpy._broker.inspect.move import refuse
from asynqpy._broker.inspect.places import require_queue
from asynqpy._wire import keys
from asynqpy._wire.moments import score_of_milliseconds, unix_milliseconds_up, unix_seconds
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import (
    BrokerError,
    DuplicateTaskError,
    InvalidTaskError,
    PayloadChangedError,
    TaskNotFoundError,
    TaskStateError,
)
from asynqpy.options import DEFAULT_TIMEOUT_SECONDS, Duration, resolve, text
from asynqpy.task import TaskInfo, TaskState

ATTEMPTS = 100
"""How often a payload is written anew when the task changes meanwhile; each time somebody else has got further."""


def update_payload(queue: str, task_id: str, payload: object, expected: bytes | None = None) -> Flow[None]:
    """Exchange the payload of a task that waits, and leave everything else as it is.

    Raises:
        InvalidTaskError: the payload has no JSON form.
        QueueNotFoundError, TaskNotFoundError: there is none.
        TaskStateError: it is active or completed, or is being aggregated just now.
        DuplicateTaskError: it is unique, and another task with the new payload holds the lock.
        PayloadChangedError: its payload is not the *expected* one.
        WireError: its message cannot be read.
    """
    encoded = None if payload is None else payloads.encode(payload)
    yield from require_queue(queue)
    q = keys.of_queue(queue)
    containers = (q.scheduled, q.retry, q.archived)
    for _ in range(ATTEMPTS):
        stored = yield command("HGET", q.task(task_id), "msg")
        if stored is None:
            raise TaskNotFoundError(queue, task_id)
        message = TaskMessage.decode(stored)
        if expected is not None and message.payload != expected:
            raise PayloadChangedError(queue, task_id)
        lock = q.unique(message.type, encoded) if message.unique_key else ""
        new = msgspec.structs.replace(message, payload=encoded or b"", unique_key=lock)
        arguments = (task_id, q.group(""), stored, new.encode(), message.unique_key, lock)
        code, state = yield scripts.UPDATE_PAYLOAD((q.task(task_id), *containers), arguments)
        if code == _DUPLICATE:
            raise DuplicateTaskError(queue, message.type)
        if code != _CHANGED:
            refuse(code, state, queue, task_id, "update")
            return
    raise BrokerError(f"task {task_id!r} in queue {queue!r} was changed by others {ATTEMPTS} times in a row; try again")


_CHANGED, _DUPLICATE = -3, -4


def reschedule_task(
    queue: str, task_id: str, process_at: datetime | None, process_in: Duration | None, *, now: datetime
) -> Flow[None]:
    """Let a scheduled task, or one that is to be retried, wait for another moment; one that has passed is now.

    Raises:
        InvalidTaskError: not just one moment was given, or it is none.
        QueueNotFoundError, TaskNotFoundError: there is none.
        TaskStateError: it waits for no moment.
    """
    if (process_at is None) == (process_in is None):
        raise InvalidTaskError("give process_at or process_in, one of the two")
    options = resolve({"process_at": process_at} if process_at is not None else {"process_in": process_in or 0})
    due = options.process_at_unix
    milliseconds = unix_milliseconds_up(now.timestamp() + (options.process_in_seconds or 0.0) if due is None else due)
    yield from require_queue(queue)
    q = keys.of_queue(queue)
    arguments = (task_id, score_of_milliseconds(milliseconds), exact_due(milliseconds))
    code, state = yield scripts.RESCHEDULE((q.task(task_id), q.scheduled, q.retry, q.due), arguments)
    refuse(code, state, queue, task_id, "reschedule")


def enqueue_again(
    queue: str,
    task_id: str,
    payload: object,
    to_queue: str | None,
    *,
    now: datetime,
    new_id: Callable[[], str],
    registry: Registry,
) -> Flow[TaskInfo]:
    """Enqueue a copy of a completed or archived task; the task itself stays as it is.

    The copy has the type, headers, retry limit, timeout, retention and group of the task, its deadline if that is still
    to come, and its payload unless another is given (None: the same). It is not unique: for how long the task was to be
    so is written nowhere.

    Raises:
        InvalidTaskError: the payload has no JSON form, or the name of the queue is blank.
        QueueNotFoundError, TaskNotFoundError: there is none.
        TaskStateError: it is neither completed nor archived.
        WireError: its message cannot be read.
    """
    target = queue if to_queue is None else text("queue", to_queue)
    encoded = None if payload is None else payloads.encode(payload)
    yield from require_queue(queue)
    stored, state = yield command("HMGET", keys.of_queue(queue).task(task_id), "msg", "state")
    if stored is None:
        raise TaskNotFoundError(queue, task_id)
    name = (state or b"").decode("utf-8", "replace")
    if name not in (TaskState.COMPLETED, TaskState.ARCHIVED):
        remedy = "only completed and archived tasks are enqueued again"
        raise TaskStateError(queue, task_id, name, "enqueue again", remedy)
    old = TaskMessage.decode(stored)
    deadline = old.deadline if old.deadline > unix_seconds(now) else 0
    message = TaskMessage(
        type=old.type,
        id=new_id(),
        queue=target,
        payload=old.payload if encoded is None else encoded,
        retry=old.retry,
        timeout=old.timeout or (0 if deadline else DEFAULT_TIMEOUT_SECONDS),
        deadline=deadline,
        retention=old.retention,
        group_key=old.group_key,
        headers=old.headers,
    )
    start = TaskState.AGGREGATING if message.group_key else TaskState.PENDING
    return (yield from enqueue(NewTask(message, message.encode(), start), now=now, registry=registry))
