"""How many tasks a queue holds in each state, and how many it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._wire import keys
from asynqpy._wire.moments import utc_day
from asynqpy.errors import AsynqpyError

SCAN_COUNT = 1000
"""How many members one step through a set or through the keys asks for: about a millisecond of Redis."""


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
    oldest_pending_since: int = 0
    """Unix nanoseconds since when the task waits that is next to run; 0 when none does, or when nobody noted it."""

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
    """The numbers of *queues*, in their order: one round trip, and more where there are groups.

    Those of one queue are of one moment, but for the tasks in groups: there may be very many groups, so these are
    counted afterwards, some hundred at a time.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    day = utc_day(now)
    rows = checked((yield Batch([_stats(queue, day) for queue in queues])))
    with_groups = [queue for queue, row in zip(queues, rows, strict=True) if row[6]]
    sizes = yield from many_group_sizes(with_groups)
    return [_counts(queue, row, sizes.get(queue, {})) for queue, row in zip(queues, rows, strict=True)]


@lru_cache(maxsize=2048)  # dashboards ask for the same queues again and again
def _stats(queue: str, day: str) -> Call:
    q = keys.of_queue(queue)
    sizes = (q.pending, q.active, q.scheduled, q.retry, q.archived, q.completed, q.groups)
    counters = (q.processed, q.processed_on(day), q.failed, q.failed_on(day))
    return scripts.STATS((*sizes, q.paused, *counters), (q.task_prefix,))


def _counts(queue: str, row: Sequence[Any], sizes: Mapping[str, int]) -> QueueCounts:
    pending, active, scheduled, retry, archived, completed, groups, paused, *counters = row
    processed, processed_today, failed, failed_today, oldest = map(_whole, counters)
    return QueueCounts(
        queue=queue,
        pending=pending,
        active=active,
        scheduled=scheduled,
        retry=retry,
        archived=archived,
        completed=completed,
        aggregating=sum(sizes.values()) if sizes else 0,
        groups=groups,
        processed=processed,
        failed=failed,
        processed_today=processed_today,
        failed_today=failed_today,
        paused=bool(paused),
        oldest_pending_since=oldest,
    )


def many_group_sizes(queues: Sequence[str]) -> Flow[dict[str, dict[str, int]]]:
    """How many tasks wait in each group of each of *queues*.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    names = yield from many_members([keys.of_queue(queue).groups for queue in queues])
    places = [(queue, name) for queue in queues for name in names[keys.of_queue(queue).groups]]
    sizes: dict[str, dict[str, int]] = {queue: {} for queue in queues}
    for start in range(0, len(places), SCAN_COUNT):
        piece = places[start : start + SCAN_COUNT]
        calls = [command("ZCARD", keys.of_queue(queue).group(name)) for queue, name in piece]
        for (queue, name), size in zip(piece, checked((yield Batch(calls))), strict=True):
            sizes[queue][name] = size
    return sizes


def members(key: str) -> Flow[list[str]]:
    """The members of a set, sorted, however many there are."""
    return (yield from many_members([key]))[key]


def many_members(sets: Sequence[str]) -> Flow[dict[str, list[str]]]:
    """The members of each of *sets*, sorted; the steps through all of them share their round trips."""
    found: dict[str, set[str]] = {key: set() for key in sets}
    cursors = dict.fromkeys(sets, 0)
    while cursors:
        calls = [command("SSCAN", key, cursor, "COUNT", SCAN_COUNT) for key, cursor in cursors.items()]
        for key, (cursor, piece) in zip(list(cursors), checked((yield Batch(calls))), strict=True):
            found[key].update(name.decode("utf-8", "replace") for name in piece)
            cursors[key] = int(cursor)
        cursors = {key: cursor for key, cursor in cursors.items() if cursor}
    return {key: sorted(names) for key, names in found.items()}


def checked(replies: list[Any]) -> list[Any]:
    """*replies*, if none of them is an error.

    Raises:
        BrokerError: the first one that is.
    """
    for reply in replies:
        if isinstance(reply, AsynqpyError):
            raise reply
    return replies


def _whole(text: bytes) -> int:
    """A counter; one that somebody has made unreadable counts as nothing."""
    try:
        return int(text or 0)
    except ValueError:
        return 0
