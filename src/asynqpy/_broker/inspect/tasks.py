"""Reading tasks: one by its id, or a page of a state; and what the bytes in Redis say about a task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from asynqpy import attempts
from asynqpy._broker import scripts
from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._broker.inspect.places import Place, require_queue, window
from asynqpy._broker.inspect.queues import checked
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import QueueNotFoundError, TaskNotFoundError, WireError
from asynqpy.task import TaskInfo, TaskMarks, TaskState

FIELDS = (
    "msg",
    "pending_since",
    "result",
    "py:traceback",
    "py:crashes",
    "py:progress",
    "py:progress_text",
    "py:progress_at",
    "py:released",
    "py:failed_by",
)
"""What is read of the hash of each task of a list."""

BRIEF = ("msg", "pending_since", "py:traceback", "py:failed_by")
"""What tells of a task and of its last failure, for those who read very many."""

_WIDTH = 3 + len(FIELDS)
"""Of a row with `FIELDS`; what comes behind is more than lists have."""

ALL_FIELDS = (*FIELDS, "py:attempts")
"""What is read of the hash of one task: what may be large is left out of lists."""

Row: TypeAlias = "tuple[bytes, ...]"
"""A task as the reading scripts give it: id, score in its container, score beside it, then the fields asked for."""

_SCORED: tuple[TaskState, ...] = (TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED)


def task_page(
    place: Place, page: int, page_size: int, *, descending: bool = False, now: datetime
) -> Flow[list[TaskInfo]]:
    """The tasks on a page of a state; on the first one are those that come first.

    Raises:
        QueryError: there is no such page.
        QueueNotFoundError: the queue does not exist.
    """
    offset, count = window(page, page_size)
    arguments = (keys.of_queue(place.queue).task_prefix, offset, count, int(descending), *FIELDS)
    is_known, reply = checked(
        (
            yield Batch(
                [
                    command("SISMEMBER", keys.QUEUES, place.queue),
                    scripts.PAGE((place.container, place.beside), arguments),
                ]
            )
        )
    )
    if not is_known:
        raise QueueNotFoundError(place.queue)
    return [info_of(place, row, now=now) for row in rows_of(reply, len(FIELDS))]


def task_info(queue: str, task_id: str, *, now: datetime) -> Flow[TaskInfo]:
    """What is known of one task.

    Raises:
        QueueNotFoundError: the queue does not exist.
        TaskNotFoundError: it has no such task.
        WireError: its hash names no state; see `recover_orphans`.
    """
    yield from require_queue(queue)
    found = (yield from look_up([(queue, task_id)], now=now, fields=ALL_FIELDS))[0]
    if isinstance(found, TaskInfo):
        return found
    raise found or TaskNotFoundError(queue, task_id)


def look_up(
    tasks: Sequence[tuple[str, str]], *, now: datetime, fields: Sequence[str] = FIELDS
) -> Flow[list[TaskInfo | WireError | None]]:
    """What is known of each (queue, id) of *tasks*, in one round trip; None for those that do not exist.

    The error stands for a hash that names no state.
    """
    calls = [call for queue, task_id in tasks for call in _look_up_calls(queue, task_id, fields)]
    replies = checked((yield Batch(calls)))
    width = len(calls) // len(tasks) if tasks else 0
    return [
        _looked_up(queue, task_id, replies[at * width : (at + 1) * width], now)
        for at, (queue, task_id) in enumerate(tasks)
    ]


def _look_up_calls(queue: str, task_id: str, fields: Sequence[str]) -> list[Call]:
    q = keys.of_queue(queue)
    sets = [q.prefix + state for state in _SCORED]
    return [
        command("HMGET", q.task(task_id), "state", *fields),
        *(command("ZSCORE", key, task_id) for key in (*sets, q.lease, q.due)),
    ]


def _looked_up(queue: str, task_id: str, replies: Sequence[Any], now: datetime) -> TaskInfo | WireError | None:
    (state_name, *values), *scores, lease, due = replies
    if values[0] is None:
        return None
    try:
        state = TaskState((state_name or b"").decode())
    except ValueError:
        return WireError(
            f"task {task_id!r} in queue {queue!r} has the state {state_name!r}, which is none;"
            " recover_orphans(queue, repair=True) mends it"
        )
    score = dict(zip(_SCORED, scores, strict=True)).get(state)
    beside = lease if state is TaskState.ACTIVE else due
    row = (task_id.encode(), _score_text(score), _score_text(beside), *(value or b"" for value in values))
    return info_of(Place(queue, state), row, now=now)


def _score_text(score: bytes | float | None) -> bytes:
    return b"" if score is None else score if isinstance(score, bytes) else repr(score).encode()


def rows_of(flat: Sequence[bytes], fields: int, *, start: int = 0) -> list[Row]:
    """The rows in the *flat* reply of a script that was asked for so many *fields*."""
    values = iter(flat[start:] if start else flat)
    return list(zip(*[values] * (3 + fields), strict=True))


def whole_of(brief: Row) -> Row:
    """A row with `BRIEF` as one with `FIELDS`; what was not read is empty."""
    task_id, score, beside, data, since, traceback, failed_by = brief
    return (task_id, score, beside, data, since, b"", traceback, b"", b"", b"", b"", b"", failed_by)


def info_of(place: Place, row: Row, *, now: datetime, known: tuple[TaskMessage, bool] | None = None) -> TaskInfo:
    """What a *row* with `FIELDS` or `ALL_FIELDS` says about a task in *place*; its message may be *known* already."""
    task_id, score, beside, data, since, result, traceback, crashes, *progress, released, failed_by = row[:_WIDTH]
    message, is_readable = known or decoded(place.queue, task_id, data)
    state = place.state
    next_process_at = pending_since = archived_at = 0.0
    is_orphaned = False
    if state is TaskState.PENDING:
        next_process_at, pending_since = now.timestamp(), number(since) / 1e9
    elif state is TaskState.SCHEDULED or state is TaskState.RETRY:
        next_process_at = due_moment(number(score), number(beside))
    elif state is TaskState.ARCHIVED:
        archived_at = number(score)
    elif state is TaskState.ACTIVE:
        is_orphaned = number(beside) <= now.timestamp()
    share, said, said_at = progress
    marks = TaskMarks(
        crashes=int(number(crashes)) if crashes else 0,
        pending_since=pending_since,
        archived_at=archived_at,
        progress=number(share) if share else None,
        progress_text=text(said),
        progress_at=number(said_at) / 1000 if said_at else 0.0,
        released=int(number(released)) if released else 0,
        is_readable=is_readable,
        failed_by=failed_by,
        attempts=attempts.decode(row[_WIDTH]) if len(row) > _WIDTH and row[_WIDTH] else (),
    )
    return TaskInfo(
        message,
        state,
        next_process_at,
        result or None,
        is_orphaned=is_orphaned,
        traceback=text(traceback),
        marks=marks,
    )


def due_moment(score: float, exact_milliseconds: float) -> float:
    """When a task is due, in Unix seconds: exactly, where the index of exact moments agrees with its *score*."""
    if exact_milliseconds and math.ceil(exact_milliseconds / 1000) == score:
        return exact_milliseconds / 1000
    return score


def decoded(queue: str, task_id: bytes, data: bytes) -> tuple[TaskMessage, bool]:
    """The message in *data*, and whether it can be read; one that cannot becomes the payload of one without a type."""
    try:
        if data:
            return TaskMessage.decode(data), True
    except WireError:
        pass
    return TaskMessage(type="", id=text(task_id), queue=queue, payload=data), False


def text(data: bytes) -> str:
    """Text that somebody else wrote, whatever it is."""
    return data.decode("utf-8", "replace") if data else ""


def number(data: bytes) -> float:
    """A number that somebody else wrote; 0 when it is none."""
    if not data:
        return 0.0
    try:
        found = float(data)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0
