"""Periodic tasks: deciding each tick once, remembering what came of it, and telling about entries.

Any number of schedulers may try a tick. One script looks at the marker of the entry, creates the task and moves the
marker, so exactly one of them enqueues it. Ticks are whole Unix seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.enqueue import NewTask, Registry, exact_due
from asynqpy._broker.flow import Argument, Batch, Call, Flow, command
from asynqpy._wire import keys
from asynqpy._wire.moments import score_of_milliseconds, unix_nanoseconds
from asynqpy._wire.records import SchedulerEnqueueEvent, SchedulerEntry
from asynqpy.errors import (
    AsynqpyError,
    ConnectionLostError,
    DuplicateTaskError,
    TaskIDConflictError,
)
from asynqpy.task import TaskInfo, TaskState

KEEP_SECONDS = 90 * 86_400
"""How long the marker and the history of an entry outlive its next tick."""

LARGEST_HISTORY = 1000
"""Firings that are remembered of an entry, as many as asynq does."""


class NotEnqueued(Enum):
    """Why nothing was enqueued for a tick."""

    TAKEN = "it was decided before, here or elsewhere"
    RUNNING = "the last run has not ended"


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One tick of an entry, and who tries it."""

    entry_id: str
    unix: int
    keep_seconds: int
    """How long its marker is kept."""
    overlap: bool
    """Whether it may be enqueued while the last run still waits or runs."""
    has_own_id: bool
    """Whether the id of the task was chosen by the user, rather than derived from the tick."""
    scheduler_id: str


class Begun(msgspec.Struct, frozen=True):
    """Where an entry stands."""

    tick: int
    """What was decided last, or where the entry began; Unix seconds."""
    has_fired: bool
    """Whether any tick was decided yet."""


def enqueue_tick(
    new: NewTask, tick: Tick, *, now: datetime, registry: Registry
) -> Flow[TaskInfo | AsynqpyError | NotEnqueued]:
    """Create the task of a tick unless that tick, or a later one, was decided before.

    When the connection breaks on the way it is asked once more: what was decided then still holds. A conflict of ids
    or of unique tasks is returned; it decides the tick, too.

    Raises:
        BrokerError: Redis is down or refuses; nothing is known of the tick.
    """
    queue, unix_now = new.message.queue, now.timestamp()
    call = _tick_call(new, tick, now)
    registration = [command("SADD", keys.QUEUES, queue)] if registry.needs(queue, unix_now) else []
    try:
        replies = yield Batch([*registration, call])
        if isinstance(replies[-1], ConnectionLostError):
            replies = yield Batch([*registration, call])
    except BaseException:
        registry.forget(queue)
        raise
    *registered, code = replies
    if any(isinstance(reply, AsynqpyError) for reply in registered):
        registry.forget(queue)
    if isinstance(code, AsynqpyError):
        raise code
    return _outcome(new, tick, code, unix_now)


def _tick_call(new: NewTask, tick: Tick, now: datetime) -> Call:
    message = new.message
    q = keys.of_queue(message.queue)
    due, score = new.due_milliseconds, math.floor(now.timestamp())
    if new.state is TaskState.SCHEDULED:
        score = score_of_milliseconds(due)
    arguments: list[Argument] = [q.task_prefix, q.group(""), tick.unix, tick.keep_seconds, tick.scheduler_id]
    arguments += (int(tick.overlap), unix_nanoseconds(now))
    arguments += (new.state.value, message.id, new.encoded, message.unique_key, new.lock_seconds)
    arguments += (score, exact_due(due), message.group_key)
    return scripts.TICK((q.tick(tick.entry_id), q.pending, q.scheduled, q.groups, q.due), arguments)


def _outcome(new: NewTask, tick: Tick, code: int, now: float) -> TaskInfo | AsynqpyError | NotEnqueued:
    message = new.message
    match code:
        case 1:
            due = new.due_milliseconds / 1000
            next_process_at = {TaskState.SCHEDULED: due, TaskState.PENDING: now}.get(new.state, 0.0)
            return TaskInfo(message, new.state, next_process_at)
        case -1 | -2:
            return DuplicateTaskError(message.queue, message.type)
        case 0 | 2 if tick.has_own_id:
            return TaskIDConflictError(message.queue, message.id)
        case -4:
            return NotEnqueued.RUNNING
        case _:  # decided before; or the marker is gone, but the task of this very tick is there
            return NotEnqueued.TAKEN


def begin_entry(queue: str, entry_id: str, *, tick: int, keep_seconds: int) -> Flow[Begun]:
    """Where an entry stands; if it is new, it begins after *tick*."""
    last, code = yield scripts.TICK_BEGIN((keys.of_queue(queue).tick(entry_id),), (tick, keep_seconds))
    return Begun(int(last), bool(code))


def server_time() -> Flow[datetime]:
    """The moment that Redis' clock shows.

    Raises:
        BrokerError: Redis is down.
    """
    seconds, microseconds = yield command("TIME")
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(microseconds))


def record_event(entry_id: str, event: SchedulerEnqueueEvent, *, keep_seconds: int) -> Flow[None]:
    """Add a firing to the history of an entry, of which the last thousand are kept.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    history, score = keys.scheduler_history(entry_id), math.floor(event.enqueue_time.timestamp())
    replies = yield Batch(
        [
            command("ZADD", history, score, event.encode()),
            command("ZREMRANGEBYRANK", history, 0, -LARGEST_HISTORY - 1),
            command("EXPIRE", history, keep_seconds),
        ]
    )
    _raise_first(replies)


def announce_entries(
    identity: str, entries: Sequence[SchedulerEntry], *, ttl_seconds: int, now: datetime
) -> Flow[None]:
    """Tell Redis about the entries of a scheduler; forgotten after *ttl_seconds*.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    key = keys.schedulers(identity)
    arguments: list[Argument] = [ttl_seconds, *(entry.encode() for entry in entries)]
    replies = yield Batch(
        [
            command("ZADD", keys.SCHEDULERS, math.floor(now.timestamp()) + ttl_seconds, key),
            scripts.ANNOUNCE_ENTRIES((key,), arguments),
        ]
    )
    _raise_first(replies)


def withdraw_entries(identity: str) -> Flow[None]:
    """Take a scheduler off the list.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    key = keys.schedulers(identity)
    _raise_first((yield Batch([command("ZREM", keys.SCHEDULERS, key), command("DEL", key)])))


def _raise_first(replies: Sequence[object]) -> None:
    for reply in replies:
        if isinstance(reply, AsynqpyError):
            raise reply
