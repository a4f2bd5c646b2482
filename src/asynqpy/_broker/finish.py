"""Ending attempts: one record per outcome, one script call per queue and kind of outcome."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.enqueue import LARGEST_BATCH, exact_due
from asynqpy._broker.flow import Argument, Batch, Call, Flow
from asynqpy._wire import keys
from asynqpy._wire.moments import STATISTICS_TTL_SECONDS, score_of_milliseconds, utc_day
from asynqpy.errors import AsynqpyError

ARCHIVE_LIMIT = 10_000
"""How many archived tasks a queue keeps; the oldest go first."""

ARCHIVE_SECONDS = 90 * 86_400
"""How long a queue keeps archived tasks."""

FIRST_HAND_ON_MILLISECONDS, LONGEST_HAND_ON_MILLISECONDS = 1_000, 60_000
"""How long a task waits when it is handed on for the first time, and at most."""


class Done(msgspec.Struct, frozen=True):
    """Succeeded and not retained, or revoked: the task is deleted."""

    queue: str
    id: str
    token: str


class DoneUnique(Done, frozen=True):
    """The same for a task that may hold a uniqueness lock, which is released."""

    lock_key: str


class Complete(msgspec.Struct, frozen=True):
    """Succeeded and retained."""

    queue: str
    id: str
    token: str
    message: bytes
    delete_at: int
    lock_key: str = ""
    result: bytes | None = None


class Retry(msgspec.Struct, frozen=True):
    """Failed or put off: waits for another attempt."""

    queue: str
    id: str
    token: str
    message: bytes
    due_milliseconds: int
    is_failure: bool = True
    traceback: bytes = b""
    attempt: bytes = b""
    """What to keep of the attempt; empty for nothing."""


class Delay(Retry, frozen=True):
    """Put off by the handler: waits among the scheduled tasks."""


class Archive(msgspec.Struct, frozen=True):
    """Failed for good."""

    queue: str
    id: str
    token: str
    message: bytes
    traceback: bytes = b""
    attempt: bytes = b""


class Requeue(msgspec.Struct, frozen=True):
    """Put back because the worker stops."""

    queue: str
    id: str
    token: str


class HandOn(msgspec.Struct, frozen=True):
    """Put back because this server has no handler for it: waits, each time longer, for one that has."""

    queue: str
    id: str
    token: str
    share: float = 1.0
    """The part of the delay that is waited, 0 to 1: tasks that came together shall not come back together."""
    longest_milliseconds: int = LONGEST_HAND_ON_MILLISECONDS
    """What the delay, which doubles with each time, never exceeds."""


Finish: TypeAlias = Done | Complete | Retry | Archive | Requeue | HandOn
"""What to write about an attempt that ended."""

F = TypeVar("F", bound=Finish)


def finish_calls(finishes: Sequence[Finish], *, now: datetime) -> list[tuple[Call, Sequence[Finish]]]:
    """The calls that write *finishes*, each with the records it carries. The reply of a call lists the ids refused."""
    groups: dict[tuple[type[Finish], str], list[Finish]] = {}
    for record in finishes:
        key = (type(record), record.queue)
        group = groups.get(key)
        if group is None:
            groups[key] = [record]
        else:
            group.append(record)
    return [
        (_CALLS[kind](queue, piece, now), piece) for (kind, queue), group in groups.items() for piece in _pieces(group)
    ]


def finish(finishes: Sequence[Finish], *, now: datetime) -> Flow[list[str]]:
    """Write *finishes* in one round trip and return the ids that were refused.

    Raises:
        BrokerError: the first call that failed; calls after it may have been done.
    """
    replies = yield Batch([call for call, _ in finish_calls(finishes, now=now)])
    refused: list[str] = []
    for reply in replies:
        if isinstance(reply, AsynqpyError):
            raise reply
        refused += (task_id.decode() for task_id in reply)
    return refused


def _pieces(group: list[F]) -> Iterator[list[F]]:
    if len(group) <= LARGEST_BATCH:
        yield group
        return
    for start in range(0, len(group), LARGEST_BATCH):
        yield group[start : start + LARGEST_BATCH]


def counter_keys(q: keys.QueueKeys, now: datetime) -> tuple[str, str, str, str]:
    """processed, processed today, failed, failed today."""
    day = utc_day(now)
    return q.processed, q.processed_on(day), q.failed, q.failed_on(day)


def statistics_expiry(now: datetime) -> int:
    """When the counters of today are deleted, in Unix seconds."""
    return math.floor(now.timestamp()) + STATISTICS_TTL_SECONDS


def _done(queue: str, records: Sequence[Done], now: datetime) -> Call:
    q = keys.of_queue(queue)
    arguments: list[Argument] = [q.task_prefix, statistics_expiry(now)]
    for record in records:
        arguments += (record.id, record.token)
    return scripts.DONE((q.active, q.lease, *counter_keys(q, now)[:2]), arguments)


def _done_unique(queue: str, records: Sequence[DoneUnique], now: datetime) -> Call:
    q = keys.of_queue(queue)
    arguments: list[Argument] = [q.task_prefix, statistics_expiry(now)]
    for record in records:
        arguments += (record.id, record.token, record.lock_key)
    return scripts.DONE_UNIQUE((q.active, q.lease, *counter_keys(q, now)[:2]), arguments)


def _complete(queue: str, records: Sequence[Complete], now: datetime) -> Call:
    q = keys.of_queue(queue)
    arguments: list[Argument] = [q.task_prefix, statistics_expiry(now)]
    for record in records:
        arguments += (record.id, record.token, record.message, record.delete_at, record.lock_key)
        arguments += (0, b"") if record.result is None else (1, record.result)
    return scripts.COMPLETE((q.active, q.lease, q.completed, *counter_keys(q, now)[:2]), arguments)


def _waiting(waiting: Callable[[keys.QueueKeys], str], state: str) -> Callable[[str, Sequence[Retry], datetime], Call]:
    def call(queue: str, records: Sequence[Retry], now: datetime) -> Call:
        q = keys.of_queue(queue)
        arguments: list[Argument] = [q.task_prefix, state, statistics_expiry(now)]
        for record in records:
            due = record.due_milliseconds
            arguments += (record.id, record.token, record.message, score_of_milliseconds(due), exact_due(due))
            arguments += (int(record.is_failure), record.traceback, record.attempt)
        return scripts.RETRY((q.active, q.lease, waiting(q), q.due, *counter_keys(q, now)), arguments)

    return call


def _archive(queue: str, records: Sequence[Archive], now: datetime) -> Call:
    q = keys.of_queue(queue)
    unix_now = math.floor(now.timestamp())
    arguments: list[Argument] = [q.task_prefix, statistics_expiry(now), unix_now, unix_now - ARCHIVE_SECONDS]
    arguments.append(ARCHIVE_LIMIT)
    for record in records:
        arguments += (record.id, record.token, record.message, record.traceback, record.attempt)
    return scripts.ARCHIVE((q.active, q.lease, q.archived, *counter_keys(q, now)), arguments)


def _requeue(queue: str, records: Sequence[Requeue], now: datetime) -> Call:
    q = keys.of_queue(queue)
    arguments: list[Argument] = [q.task_prefix]
    for record in records:
        arguments += (record.id, record.token)
    return scripts.REQUEUE((q.active, q.lease, q.pending), arguments)


def _hand_on(queue: str, records: Sequence[HandOn], now: datetime) -> Call:
    q = keys.of_queue(queue)
    arguments: list[Argument] = [q.task_prefix, FIRST_HAND_ON_MILLISECONDS]
    for record in records:
        arguments += (record.id, record.token, record.share, record.longest_milliseconds)
    return scripts.HAND_ON((q.active, q.lease, q.scheduled, q.due), arguments)


_CALLS: dict[type[Finish], Callable[[str, Any, datetime], Call]] = {
    Done: _done,
    DoneUnique: _done_unique,
    Complete: _complete,
    Retry: _waiting(lambda q: q.retry, "retry"),
    Delay: _waiting(lambda q: q.scheduled, "scheduled"),
    Archive: _archive,
    Requeue: _requeue,
    HandOn: _hand_on,
}
