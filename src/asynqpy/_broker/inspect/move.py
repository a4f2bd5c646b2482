"""Running, archiving and deleting tasks that are not running: one by its id, or all of a state.

All-of operations move some hundred tasks with each call, so that nobody else waits long. Each task moves in one atomic
step. What was there when the operation began and has not been moved by others is moved; from a list no more than were
there then, so that what is enqueued meanwhile is spared.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeAlias

from asynqpy._broker import scripts
from asynqpy._broker.finish import ARCHIVE_LIMIT, ARCHIVE_SECONDS
from asynqpy._broker.flow import Batch, Call, Flow, Script, command
from asynqpy._broker.inspect.places import Place, require_queue
from asynqpy._broker.inspect.queues import checked
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds, unix_seconds
from asynqpy.errors import TaskNotFoundError, TaskStateError
from asynqpy.task import TaskState

BATCH = 200
"""Tasks moved by one call: one or two milliseconds of Redis, so that other clients hardly notice."""

Progress: TypeAlias = "Callable[[int, int], object]"
"""Called after each batch with how many tasks were handled so far, and how many there are in all."""

Score: TypeAlias = "float | bytes | str"

_Some: TypeAlias = "Callable[[Score, Score, int], Call]"
"""The call that moves the next few tasks with scores between the first two values, at most so many."""

_REMEDIES: dict[tuple[str, str], str] = {
    (TaskState.ACTIVE, "run"): "it runs already",
    (TaskState.ACTIVE, "archive"): "cancel it with cancel_task(), or wait until it has ended",
    (TaskState.ACTIVE, "delete"): "cancel it with cancel_task(), or wait until it has ended",
    (TaskState.ACTIVE, "update"): "wait until it has ended",
    (TaskState.PENDING, "run"): "it is ready to run already",
    (TaskState.ARCHIVED, "archive"): "it is archived already",
    (TaskState.COMPLETED, "update"): "it has run already; enqueue_again() takes another payload",
    **dict.fromkeys(
        ((state, "reschedule") for state in TaskState),
        "only scheduled tasks, and those to be retried, wait for a moment",
    ),
}
_BROKEN = "its queue does not hold it there; recover_orphans(queue, repair=True) mends it"
_IN_A_SET = "it is being aggregated just now"


def run_task(queue: str, task_id: str, *, now: datetime) -> Flow[None]:
    """Make a waiting, archived or completed task pending; it is served after those that are pending already.

    Raises:
        QueueNotFoundError, TaskNotFoundError: there is none.
        TaskStateError: it is active or pending.
    """
    q = keys.of_queue(queue)
    yield from _act_on_one(queue, task_id, "run", scripts.RUN_TASK, (q.group(""), unix_nanoseconds(now)))


def archive_task(queue: str, task_id: str, *, now: datetime) -> Flow[None]:
    """Archive a task that waits or is completed; it keeps its message as it is.

    Raises:
        QueueNotFoundError, TaskNotFoundError: there is none.
        TaskStateError: it is active or archived.
    """
    q = keys.of_queue(queue)
    arguments = (q.task_prefix, q.group(""), *_archive_bounds(now))
    yield from _act_on_one(queue, task_id, "archive", scripts.ARCHIVE_TASK, arguments)


def delete_task(queue: str, task_id: str) -> Flow[None]:
    """Delete a task that is not running, and release the uniqueness lock that it holds.

    Raises:
        QueueNotFoundError, TaskNotFoundError: there is none.
        TaskStateError: it is active.
    """
    q = keys.of_queue(queue)
    arguments = (q.task_prefix, q.group(""), lock_prefix(queue))
    yield from _act_on_one(queue, task_id, "delete", scripts.DELETE_TASK, arguments)


def _act_on_one(queue: str, task_id: str, action: str, script: Script, arguments: tuple[str | int, ...]) -> Flow[None]:
    yield from require_queue(queue)
    q = keys.of_queue(queue)
    containers = (q.pending, q.scheduled, q.retry, q.archived, q.completed, q.groups, q.due)
    code, state = yield script((q.task(task_id), *containers), (task_id, *arguments))
    refuse(code, state, queue, task_id, action)


def refuse(code: int, state: bytes, queue: str, task_id: str, action: str) -> None:
    """Raise what the *code* of a script about one task stands for; 1 stands for success.

    Raises:
        TaskNotFoundError, TaskStateError: as it says.
    """
    if code == 1:
        return
    if code == 0:
        raise TaskNotFoundError(queue, task_id)
    name = state.decode("utf-8", "replace")
    remedy = _REMEDIES.get((name, action), _BROKEN)
    if code == -2:
        remedy = _IN_A_SET if name == TaskState.AGGREGATING else _BROKEN
    raise TaskStateError(queue, task_id, name, action, remedy)


def run_all(place: Place, *, now: datetime, on_progress: Progress | None = None) -> Flow[int]:
    """Make all tasks of a sorted set pending, those that were due first in front, and return how many.

    Raises:
        QueueNotFoundError: the queue does not exist.
    """
    q = keys.of_queue(place.queue)

    def some(lowest: Score, highest: Score, limit: int) -> Call:
        arguments = (q.task_prefix, place.group, unix_nanoseconds(now), lowest, highest, limit)
        return scripts.RUN_SOME((place.container, q.pending, q.groups, q.due), arguments)

    yield from require_queue(place.queue)
    return (yield from _act_on_all(place, some, on_progress))


def archive_all(place: Place, *, now: datetime, on_progress: Progress | None = None) -> Flow[int]:
    """Archive all tasks of a state and return how many; the archive keeps its bounds, so the oldest may go.

    Raises:
        QueueNotFoundError: the queue does not exist.
    """
    q = keys.of_queue(place.queue)

    def some(lowest: Score, highest: Score, limit: int) -> Call:
        arguments = (q.task_prefix, place.group, *_archive_bounds(now), lowest, highest, limit)
        return scripts.ARCHIVE_SOME((place.container, q.archived, q.groups, q.due), arguments)

    yield from require_queue(place.queue)
    return (yield from _act_on_all(place, some, on_progress))


def delete_all(place: Place, *, on_progress: Progress | None = None) -> Flow[int]:
    """Delete all tasks of a state and the locks that they hold, and return how many.

    Raises:
        QueueNotFoundError: the queue does not exist.
    """
    yield from require_queue(place.queue)
    return (yield from delete_tasks(place, on_progress))


def delete_tasks(place: Place, on_progress: Progress | None = None) -> Flow[int]:
    """The same without asking whether the queue exists."""
    return (yield from _act_on_all(place, partial(delete_some, place), on_progress))


def delete_some(place: Place, lowest: Score, highest: Score, limit: int) -> Call:
    """The call that deletes the next few tasks of *place*."""
    q = keys.of_queue(place.queue)
    arguments = (q.task_prefix, lock_prefix(place.queue), place.group, lowest, highest, limit)
    return scripts.DELETE_SOME((place.container, q.groups, q.due), arguments)


def _act_on_all(place: Place, some: _Some, on_progress: Progress | None) -> Flow[int]:
    """Call *some* until everything was handled that was there at the beginning; returns how many tasks were.

    A sorted set is gone through upwards from its lowest score to the score that was the highest at the beginning, so
    what comes in behind the last step is not handled twice.
    """
    total, highest = yield from _extent(place)
    done = seen = 0
    lowest: Score = "-inf"
    while total:
        limit = min(BATCH, total - seen) if place.is_list else BATCH
        moved, looked_at, lowest = yield some(lowest, highest, limit)
        done, seen = done + moved, seen + looked_at
        if on_progress is not None and looked_at:
            on_progress(seen, max(seen, total))
        if looked_at < limit or (place.is_list and seen == total):
            break
    return done


def _extent(place: Place) -> Flow[tuple[int, Score]]:
    """How many tasks there are, and the highest score among them."""
    key = place.container
    if place.is_list:
        return (yield command("LLEN", key)), "+inf"
    size, last = checked((yield Batch([command("ZCARD", key), command("ZREVRANGE", key, 0, 0)])))
    score = (yield command("ZSCORE", key, last[0], key=key)) if last else None
    return size, "+inf" if score is None else float(score)


def _archive_bounds(now: datetime) -> tuple[int, int, int]:
    seconds = unix_seconds(now)
    return seconds, seconds - ARCHIVE_SECONDS, ARCHIVE_LIMIT


def lock_prefix(queue: str) -> str:
    """How the keys of the uniqueness locks of *queue* begin."""
    return f"{keys.of_queue(queue).prefix}unique:"
