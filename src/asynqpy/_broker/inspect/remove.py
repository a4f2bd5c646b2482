"""Deleting a queue, with everything that belongs to it.

Each step is one bounded call, so a deletion can be cut short between any two of them. The queue stays in the set of
queues to the end: what was cut short is finished by deleting it again. A task that somebody enqueues meanwhile is
deleted whole or stays whole; if one stays, its queue is in the set of queues again when the deletion returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from asynqpy._broker import scripts
from asynqpy._broker.flow import Batch, Flow, command
from asynqpy._broker.inspect.move import delete_some, delete_tasks
from asynqpy._broker.inspect.orphans import sweep
from asynqpy._broker.inspect.places import Place, require_queue
from asynqpy._broker.inspect.queues import checked, members, queue_counts
from asynqpy._wire import keys
from asynqpy._wire.moments import STATISTICS_TTL_SECONDS, unix_seconds
from asynqpy.errors import QueueNotEmptyError
from asynqpy.task import TaskState

_IN_ORDER = (
    TaskState.SCHEDULED,
    TaskState.RETRY,
    TaskState.PENDING,
    TaskState.ARCHIVED,
    TaskState.COMPLETED,
)
"""Upstream first: what a server moves on meanwhile is met again."""


def delete_queue(queue: str, *, force: bool, now: datetime) -> Flow[None]:
    """Delete *queue*; with *force* the tasks that wait in it as well. Completed tasks go in any case.

    Raises:
        QueueNotFoundError: it does not exist.
        QueueNotEmptyError: tasks wait in it and it is not forced, or tasks of it run.
    """
    yield from require_queue(queue)
    q = keys.of_queue(queue)
    yield from _refuse_if_in_use(queue, force=force, now=now)
    if force:
        running = yield scripts.CLOSE_QUEUE((q.active, q.paused), (unix_seconds(now),))
        if running:
            raise QueueNotEmptyError(queue, {"active": running})
        yield from _delete_groups(queue)
    yield from _delete_sets(queue, q.spent)
    for state in _IN_ORDER if force else (TaskState.COMPLETED,):
        yield from delete_tasks(Place(queue, state))
    yield from sweep(queue, now=now)
    if force:
        yield from _delete_groups(queue)  # those that nobody had listed before
    yield from _unlist_empty_groups(queue)
    yield command("DEL", q.paused, *_counters(q, now))
    yield from _strike_off(queue)


def _refuse_if_in_use(queue: str, *, force: bool, now: datetime) -> Flow[None]:
    counts = yield from queue_counts(queue, now=now)
    found = {"active": counts.active}
    if not force:
        taken_out = 0
        for key in (yield command("ZRANGE", keys.of_queue(queue).aggregation_sets, 0, -1)):
            taken_out += yield command("ZCARD", key, key=keys.of_queue(queue).aggregation_sets)
        waiting = (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED)
        found |= {state.value: getattr(counts, state) for state in waiting}
        # as asynq, but for tasks in groups: those it forgets, and leaves behind
        found["aggregating"] = counts.aggregating + taken_out
    if any(found.values()):
        raise QueueNotEmptyError(queue, found)


def _delete_groups(queue: str) -> Flow[None]:
    q = keys.of_queue(queue)
    for name in (yield from members(q.groups)):
        yield from delete_tasks(Place(queue, TaskState.AGGREGATING, name))
    yield from _delete_sets(queue, q.aggregation_sets)


def _delete_sets(queue: str, listing: str) -> Flow[None]:
    for key in (yield command("ZRANGE", listing, 0, -1)):
        name = key.decode("utf-8", "replace").removeprefix(keys.of_queue(queue).group(""))
        yield from delete_tasks(Place(queue, TaskState.AGGREGATING, name))
        yield command("ZREM", listing, key)


def _unlist_empty_groups(queue: str) -> Flow[None]:
    q = keys.of_queue(queue)
    places = [Place(queue, TaskState.AGGREGATING, name) for name in (yield from members(q.groups))]
    checked((yield Batch([delete_some(place, "-inf", "+inf", 0) for place in places])))


def _counters(q: keys.QueueKeys, now: datetime) -> Iterator[str]:
    yield from (q.processed, q.failed)
    for back in range(-1, STATISTICS_TTL_SECONDS // 86_400 + 2):
        day = (now - timedelta(days=back)).date().isoformat()
        yield from (q.processed_on(day), q.failed_on(day))


def _strike_off(queue: str) -> Flow[None]:
    """Take *queue* out of the set of queues, unless, or until, there are tasks in it again."""
    q = keys.of_queue(queue)
    sets = (q.scheduled, q.retry, q.archived, q.completed, q.groups, q.aggregation_sets, q.due)
    tidy = scripts.TIDY((q.pending, q.active, q.lease, *sets), ())
    if (yield tidy):
        return
    yield command("SREM", keys.QUEUES, queue)
    if (yield tidy):
        yield command("SADD", keys.QUEUES, queue)
