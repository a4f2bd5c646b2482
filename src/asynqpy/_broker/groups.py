"""Groups: sets of tasks that are taken out for one aggregation, and the task that takes their place.

A set has a deadline, written where asynq writes it. Until then it belongs to whoever formed it; afterwards any server,
in Go or Python, gives its tasks back to their group. So a process may die anywhere between the two ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.due import Swept
from asynqpy._broker.enqueue import NewTask, Registry, exact_due
from asynqpy._broker.finish import ARCHIVE_LIMIT, ARCHIVE_SECONDS
from asynqpy._broker.flow import Argument, Batch, Call, Flow, command
from asynqpy._wire import keys
from asynqpy._wire.moments import score_of_milliseconds, unix_nanoseconds
from asynqpy._wire.records import TaskMessage, storable_text
from asynqpy.errors import (
    AsynqpyError,
    BrokerError,
    ConnectionLostError,
    DuplicateTaskError,
    TaskIDConflictError,
    WireError,
)
from asynqpy.task import TaskState

T = TypeVar("T")

SET_SECONDS = 120
"""How long an aggregation may take before its tasks go back to their group, as in asynq."""

LARGEST_SET = 1000
"""Tasks in a set where no largest size is asked for: as many as one call moves."""

PAGE = 1000
"""Tasks moved or deleted by one call."""

READ_PAGE = 250
"""Tasks read by one call: payloads may be large."""

RECLAIM_LIMIT = 500
"""Tasks given back by one call: sets of Go peers have any size."""

RELIST_LIMIT = 200
"""Groups looked at by one call."""

OVER = -3
"""What the script answers when the time of a set is over."""


class Rules(msgspec.Struct, frozen=True):
    """When the tasks of a group have waited enough. A size or delay of 0 is no rule."""

    max_size: int
    max_delay_seconds: int
    grace_seconds: int


class Formed(msgspec.Struct, frozen=True):
    """What became of the attempt to form a set."""

    size: int
    """Tasks in the set; 0: there is none."""
    left: int
    """Tasks left in the group."""
    is_due: bool
    """Whether these have waited enough, too."""


class Parts(msgspec.Struct, frozen=True):
    """The tasks of a set, oldest first."""

    messages: list[TaskMessage]
    archived: list[str]
    """Ids of tasks that cannot be read: archived now, the others go on."""


def form_set(queue: str, group: str, set_id: str, rules: Rules) -> Flow[Formed]:
    """Take the oldest tasks out of a group, if they have waited enough: at most `Rules.max_size`.

    Args:
        queue: of the group.
        group: its name.
        set_id: a new UUID; with it the call may be repeated.
        rules: when a group is due.
    """
    q = keys.of_queue(queue)
    set_key = q.aggregation_set(group, set_id)
    wanted = rules.max_size or LARGEST_SET
    asked = 0
    while True:
        asked = min(asked + PAGE, wanted)
        call = scripts.FORM_SET(
            (q.groups, q.aggregation_sets, q.group(group), set_key),
            (group, rules.max_size, rules.max_delay_seconds, rules.grace_seconds, SET_SECONDS, asked),
        )
        size, left, is_due = yield from _sent_again_when_lost(call)
        if asked == wanted or size < asked:
            return Formed(size, left, bool(is_due))


def read_set(queue: str, set_key: str, *, now: datetime) -> Flow[Parts]:
    """The tasks of a set. What cannot be read leaves it: one task must not stop the others."""
    q = keys.of_queue(queue)
    messages: list[TaskMessage] = []
    rejected: list[tuple[bytes, str]] = []
    locks: list[tuple[bytes, str]] = []
    rows: Sequence[tuple[bytes, bytes, bytes]] = ()
    offset = 0
    while offset == 0 or len(rows) == READ_PAGE:
        reply = yield scripts.READ_SET((set_key,), (q.task_prefix, offset, READ_PAGE))
        rows = list(zip(*[iter(reply)] * 3, strict=True))
        for task_id, encoded, lock_key in rows:
            message = _decoded(encoded)
            if isinstance(message, TaskMessage):
                messages.append(message)
                if message.unique_key and not lock_key:
                    locks.append((task_id, message.unique_key))
            else:
                rejected.append((task_id, message))
        offset += READ_PAGE
    for piece in _pieces(locks):
        yield scripts.NOTE_LOCKS((set_key,), [q.task_prefix, *(value for row in piece for value in row)])
    archived: list[str] = []
    unix_now = math.floor(now.timestamp())
    for refused in _pieces(rejected):
        arguments: list[Argument] = [q.task_prefix, unix_now, unix_now - ARCHIVE_SECONDS, ARCHIVE_LIMIT]
        arguments += (value for row in refused for value in row)
        reply = yield scripts.REJECT_PARTS((set_key, q.aggregation_sets, q.archived), arguments)
        archived += (task_id.decode(errors="replace") for task_id in reply)
    return Parts(messages, archived)


def replace_set(
    queue: str, set_key: str, new: NewTask, *, now: datetime, registry: Registry, repeated: bool = False
) -> Flow[bool]:
    """Create the task that was made of a set and delete the tasks of the set, in one step.

    May be repeated. Nobody but this takes a set away before its deadline, so a *repeated* call that finds none knows
    that an earlier one has arrived, though the new task may be done and gone by now.

    Returns:
        False when the set's time is over: its tasks are in their group again, and nothing was created.

    Raises:
        DuplicateTaskError: the new task is unique, and one of its kind exists; the set stays until its deadline.
        TaskIDConflictError: its id is taken; the set stays until its deadline.
        BrokerError: Redis is down or refuses.
    """
    q = keys.of_queue(queue)
    if registry.needs(queue, now.timestamp()):
        [registered] = yield Batch([command("SADD", keys.QUEUES, queue)])
        if isinstance(registered, AsynqpyError):
            registry.forget(queue)
    message, due = new.message, new.due_milliseconds
    scheduled = new.state is TaskState.SCHEDULED
    call = scripts.REPLACE_SET(
        (q.aggregation_sets, set_key, q.spent, q.scheduled if scheduled else q.pending, q.due),
        (q.task_prefix, new.state.value, message.id, new.encoded, message.unique_key, new.lock_seconds)
        + ((score_of_milliseconds(due), exact_due(due)) if scheduled else ("", ""))
        + (unix_nanoseconds(now), PAGE),
    )
    try:
        code, left = yield call
    except ConnectionLostError:
        repeated = True
        code, left = yield call
    match code:
        case 0:
            raise TaskIDConflictError(queue, message.id)
        case -1:
            raise DuplicateTaskError(queue, message.type)
    if left:
        with suppress(BrokerError):  # the set is listed as spent: whichever server looks there next deletes the rest
            yield from drop_parts(queue)
    return repeated or bool(code != OVER)


def drop_parts(queue: str) -> Flow[None]:
    """Delete what is left of sets that were aggregated."""
    q = keys.of_queue(queue)
    while (yield scripts.DROP_PARTS((q.spent,), (q.task_prefix, PAGE))):
        pass


def reclaim(queue: str, set_key: str = "") -> Flow[Swept]:
    """Give a page of the tasks of *set_key* back to its group, or of the set whose deadline passed first."""
    q = keys.of_queue(queue)
    reply = yield scripts.RECLAIM((q.aggregation_sets, q.groups), (q.group(""), set_key, RECLAIM_LIMIT))
    return Swept(*reply)


def give_back(queue: str, set_key: str) -> Flow[None]:
    """Give all tasks of a set of one's own back to their group, before its deadline."""
    while (yield from reclaim(queue, set_key)).count == RECLAIM_LIMIT:
        pass


def relist(queue: str, groups: Sequence[str]) -> Flow[list[str]]:
    """List those *groups* again that have tasks; returns the names that were missing."""
    q = keys.of_queue(queue)
    found: list[str] = []
    for start in range(0, len(groups), RELIST_LIMIT):
        reply = yield scripts.RELIST((q.groups,), (q.group(""), *groups[start : start + RELIST_LIMIT]))
        found += (name.decode() for name in reply)
    return found


def group_of_set(queue: str, set_key: str) -> str | None:
    """The name of the group that a set was taken from; None for a key that names no set."""
    prefix = keys.of_queue(queue).group("")
    name, colon, _ = set_key.removeprefix(prefix).rpartition(":")
    return name if colon and set_key.startswith(prefix) else None


def _decoded(encoded: bytes) -> TaskMessage | str:
    """The message, or why there is none."""
    if not encoded:
        return "no task of the group"
    try:
        return TaskMessage.decode(encoded)
    except WireError as error:
        return storable_text(str(error))


def _sent_again_when_lost(call: Call) -> Flow[Sequence[int]]:
    """The reply to a *call* that may be repeated; sent once more when the connection breaks."""
    try:
        reply: Sequence[int] = yield call
    except ConnectionLostError:
        reply = yield call
    return reply


def _pieces(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), PAGE):
        yield rows[start : start + PAGE]
