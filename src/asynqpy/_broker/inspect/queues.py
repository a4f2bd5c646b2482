"""How many tasks a queue holds in each state, and how many it has seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._wire import keys
from asynqpy._wire.moments import utc_day
from asynqpy.errors import AsynqpyError


class QueueCounts(msgspec.Struct, frozen=True):
    """The numbers of one queue at one moment."""

    queue: str
    pending: int
    active: int
    scheduled: int
    retry: int
    archived: int
    completed: int
    aggregating: int
    """In all groups together; tasks that are just being aggregated are counted nowhere, as in asynq."""
    groups: int
    processed: int
    """Attempts that ended since the queue was made, failed ones included."""
    failed: int
    processed_today: int
    """The same since midnight UTC."""
    failed_today: int
    paused: bool

    @property
    def size(self) -> int:
        """Tasks in all states."""
        waiting = self.pending + self.scheduled + self.retry + self.aggregating
        return waiting + self.active + self.archived + self.completed


def queue_counts(queue: str, *, now: datetime) -> Flow[QueueCounts]:
    """The numbers of *queue*; a queue that nobody has used is empty.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    return (yield from many_queue_counts([queue], now=now))[0]


def many_queue_counts(queues: Sequence[str], *, now: datetime) -> Flow[list[QueueCounts]]:
    """The numbers of *queues*, in their order: one round trip, and a second one where there are groups.

    They are read one after the other, so a task that moves meanwhile may be counted twice or not at all.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    replies = _checked((yield Batch([call for queue in queues for call in _calls(queue, now)])))
    width = len(replies) // len(queues) if queues else 0
    rows = [replies[at * width : (at + 1) * width] for at in range(len(queues))]
    waiting = yield from _aggregating({queue: row[-1] for queue, row in zip(queues, rows, strict=True)})
    return [_counts(queue, row, waiting[queue]) for queue, row in zip(queues, rows, strict=True)]


def _calls(queue: str, now: datetime) -> list[Call]:
    q, day = keys.of_queue(queue), utc_day(now)
    return [
        # In the order in which tasks move on: one that moves while this is read is rather counted twice than missed.
        command("ZCARD", q.scheduled),
        command("ZCARD", q.retry),
        command("LLEN", q.pending),
        command("LLEN", q.active),
        command("ZCARD", q.completed),
        command("ZCARD", q.archived),
        command("GET", q.processed),
        command("GET", q.failed),
        command("GET", q.processed_on(day)),
        command("GET", q.failed_on(day)),
        command("EXISTS", q.paused),
        command("SMEMBERS", q.groups),
    ]


def _aggregating(groups: dict[str, Any]) -> Flow[dict[str, int]]:
    """How many tasks wait in the *groups* of each queue."""
    places = [(queue, name.decode()) for queue, names in groups.items() for name in names]
    sums = dict.fromkeys(groups, 0)
    if places:
        sizes = _checked((yield Batch([command("ZCARD", keys.of_queue(queue).group(name)) for queue, name in places])))
        for (queue, _), size in zip(places, sizes, strict=True):
            sums[queue] += size
    return sums


def _counts(queue: str, row: Sequence[Any], aggregating: int) -> QueueCounts:
    scheduled, retry, pending, active, completed, archived, processed, failed, processed_today, failed_today, *rest = (
        row
    )
    paused, groups = rest
    return QueueCounts(
        queue=queue,
        pending=pending,
        active=active,
        scheduled=scheduled,
        retry=retry,
        archived=archived,
        completed=completed,
        aggregating=aggregating,
        groups=len(groups),
        processed=int(processed or 0),
        failed=int(failed or 0),
        processed_today=int(processed_today or 0),
        failed_today=int(failed_today or 0),
        paused=bool(paused),
    )


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, AsynqpyError):
            raise reply
    return replies
