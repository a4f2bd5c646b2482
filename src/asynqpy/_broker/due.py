"""What becomes due by itself: scheduled and retried tasks, and completed ones whose retention ends."""

from __future__ import annotations

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.enqueue import LARGEST_BATCH
from asynqpy._broker.flow import Flow
from asynqpy._wire import keys

FORWARD_LIMIT = 200
"""Tasks moved by one call: about two milliseconds of Redis, so that other clients hardly notice."""


class Swept(msgspec.Struct, frozen=True):
    """What one call moved, and when there is more to do."""

    count: int
    next_milliseconds: int
    """Until the next task is due: -1 when none waits, 0 when more is due already."""


def forward(queue: str, *, limit: int = FORWARD_LIMIT) -> Flow[Swept]:
    """Move up to *limit* due tasks to pending, or into their group."""
    q = keys.of_queue(queue)
    reply = yield scripts.FORWARD(
        (q.scheduled, q.retry, q.pending, q.groups, q.due), (q.task_prefix, q.group(""), limit)
    )
    return Swept(*reply)


def delete_expired(queue: str, *, limit: int) -> Flow[Swept]:
    """Delete up to *limit* completed tasks whose retention has passed, at most a thousand in one call."""
    q = keys.of_queue(queue)
    reply = yield scripts.DELETE_EXPIRED((q.completed,), (q.task_prefix, min(limit, LARGEST_BATCH)))
    return Swept(*reply)
