"""Taking waiting tasks to another queue, which on a cluster is in another slot: never in one script.

A task on its way is parked in the archive of its own queue: it is taken out of its place, put into the other queue, and
then deleted where it was. So it is never ready to run in both, and if the way is broken off it is in the archive, where
people and tools find it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.enqueue import Registry
from asynqpy._broker.flow import Argument, Batch, Call, Flow, command
from asynqpy._broker.inspect.move import Progress, lock_prefix
from asynqpy._broker.inspect.places import STATES_MOVED, Place, require_queue
from asynqpy._broker.inspect.queues import checked
from asynqpy._broker.inspect.tasks import Row, number, text
from asynqpy._broker.inspect.walk import Walk
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds, unix_seconds
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import (
    AsynqpyError,
    DuplicateTaskError,
    QueryError,
    TaskIDConflictError,
    TaskNotFoundError,
    TaskStateError,
    WireError,
)
from asynqpy.inspection import MoveReport, Stayed
from asynqpy.options import text as checked_text
from asynqpy.task import TaskState

BATCH = 100
"""Tasks on their way at once: below a millisecond of Redis for each of the steps."""

REPORTED = 1000
"""Tasks that stayed and are told by their ids."""

_FIELDS = ("msg", "pending_since", "result", "py:traceback", "py:crashes", "py:attempts", "py:failed_by")
"""What comes along of the hash of a task."""

_FOR_EVER_SECONDS = 10 * 365 * 86_400
_SCORED = (TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED)
_GROUPED = (TaskState.AGGREGATING, TaskState.SCHEDULED)
"""States in which the hash names the group."""


class _Traveller(msgspec.Struct):
    """A task on its way."""

    task_id: bytes
    row: Row
    old: TaskMessage
    new: TaskMessage
    lock_seconds: int = 0

    @property
    def stored(self) -> bytes:
        """Its message as it was read, byte by byte."""
        return self.row[3]


def move_all(
    place: Place, to_queue: str, *, now: datetime, registry: Registry, on_progress: Progress | None = None
) -> Flow[MoveReport]:
    """Take all tasks of *place* to *to_queue*, which need not exist yet.

    Those that come in meanwhile are spared: no more are looked at than there were at the beginning.

    Raises:
        QueryError: it is the same queue.
        InvalidTaskError: the name of the other queue is blank.
        QueueNotFoundError: the queue does not exist.
    """
    target = _target(place.queue, to_queue)
    yield from require_queue(place.queue)
    total = yield command("LLEN" if place.is_list else "ZCARD", place.container)
    yield from _register(target, now, registry)
    walk, moved = Walk(place, fields=_FIELDS), 0
    stayed: dict[str, AsynqpyError] = {}
    while moved + len(stayed) < total:
        found = yield from walk.step(min(BATCH, total - moved - len(stayed)))
        if not found:
            break
        # Where all have gone that it remembers, the walk begins again, and meets those that stayed.
        rows = [row for row in found if text(row[0]) not in stayed]
        troubles = yield from _move(place, target, rows, now=now)
        moved += len(rows) - len(troubles)
        stayed.update(troubles)
        if on_progress is not None and rows:
            on_progress(moved + len(stayed), total)
    told = [Stayed(task_id=task_id, reason=str(error)) for task_id, error in islice(stayed.items(), REPORTED)]
    return MoveReport(moved=moved, stayed=len(stayed), tasks_stayed=tuple(told))


def move_task(queue: str, task_id: str, to_queue: str, *, now: datetime, registry: Registry) -> Flow[None]:
    """Take one task to *to_queue*.

    Raises:
        QueryError: it is the same queue.
        InvalidTaskError: the name of the other queue is blank.
        QueueNotFoundError, TaskNotFoundError: there is none.
        TaskStateError: it runs, is completed, or is being aggregated just now.
        TaskIDConflictError, DuplicateTaskError: the other queue has a task with this id, or a unique one like it.
        WireError: its message cannot be read.
    """
    target = _target(queue, to_queue)
    yield from require_queue(queue)
    q = keys.of_queue(queue)
    sets = (*(q.prefix + state for state in _SCORED), q.due)
    calls = [
        command("HMGET", q.task(task_id), "state", "group", *_FIELDS),
        *(command("ZSCORE", key, task_id) for key in sets),
    ]
    (state_name, group, *values), *scores, due = checked((yield Batch(calls)))
    if values[0] is None:
        raise TaskNotFoundError(queue, task_id)
    state = next((state for state in STATES_MOVED if state.value == text(state_name or b"")), None)
    if state is None:
        remedy = "only a task that waits or is archived can be taken to another queue"
        raise TaskStateError(queue, task_id, text(state_name or b""), "move", remedy)
    place = Place(queue, state, text(group or b"") if state is TaskState.AGGREGATING else "")
    score = yield from _score(place, task_id, dict(zip(_SCORED, scores, strict=True)))
    yield from _register(target, now, registry)
    row = (task_id.encode(), _bytes(score), _bytes(due), *(value or b"" for value in values))
    for _, error in (yield from _move(place, target, [row], now=now)):
        raise error


def _score(place: Place, task_id: str, scores: dict[TaskState, Any]) -> Flow[Any]:
    if place.state is not TaskState.AGGREGATING:
        return scores.get(place.state)
    return (yield command("ZSCORE", place.container, task_id, key=keys.of_queue(place.queue).groups))


def _bytes(score: bytes | float | None) -> bytes:
    return b"" if score is None else score if isinstance(score, bytes) else repr(score).encode()


def _target(queue: str, to_queue: str) -> str:
    target = checked_text("queue", to_queue)
    if target == queue:
        raise QueryError(f"the tasks are in queue {queue!r} already: name another one")
    return target


def _register(target: str, now: datetime, registry: Registry) -> Flow[None]:
    if registry.needs(target, now.timestamp()):
        try:
            yield command("SADD", keys.QUEUES, target)
        except AsynqpyError:
            registry.forget(target)
            raise


def _move(place: Place, target: str, rows: Sequence[Row], *, now: datetime) -> Flow[list[tuple[str, AsynqpyError]]]:
    """Take the tasks of *rows* to *target*; returns those that stayed, and why."""
    troubles: list[tuple[str, AsynqpyError]] = []
    travellers = []
    for row in rows:
        try:
            travellers.append(_traveller(place, target, row))
        except WireError as error:
            troubles.append((text(row[0]), error))
    travellers = yield from _with_room(place, target, travellers, troubles)
    if not travellers:
        return troubles
    leaving = yield from _take_out(place, travellers, now, troubles)
    arrived = yield from _put_in(place, target, leaving, now, troubles)
    yield from _delete_behind(place, target, arrived, troubles)
    return troubles


def _traveller(place: Place, target: str, row: Row) -> _Traveller:
    old = TaskMessage.decode(row[3])
    lock = ""
    if old.unique_key:
        # The digest of the payload stands behind the last colon; the lock of a task without payload has none.
        lock = keys.of_queue(target).prefix + old.unique_key.removeprefix(keys.of_queue(place.queue).prefix)
        if not old.unique_key.startswith(lock_prefix(place.queue)):
            lock = keys.of_queue(target).unique(old.type, old.payload)
    return _Traveller(row[0], row, old, msgspec.structs.replace(old, queue=target, unique_key=lock))


def _with_room(
    place: Place, target: str, travellers: Sequence[_Traveller], troubles: list[tuple[str, AsynqpyError]]
) -> Flow[list[_Traveller]]:
    """Those that *target* has room for, as far as can be seen beforehand: so that hardly any comes back."""
    q = keys.of_queue(target)
    if not travellers:
        return []
    calls = [command("EXISTS", q.task(text(each.task_id))) for each in travellers]
    calls += [command("EXISTS", each.new.unique_key or q.prefix + "unique:", key=q.pending) for each in travellers]
    replies = checked((yield Batch(calls)))
    found = []
    for each, is_taken, is_locked in zip(travellers, replies, replies[len(travellers) :], strict=False):
        if is_taken:
            troubles.append((text(each.task_id), TaskIDConflictError(target, text(each.task_id))))
        elif is_locked:
            troubles.append((text(each.task_id), DuplicateTaskError(target, each.old.type)))
        else:
            found.append(each)
    return found


def _take_out(
    place: Place, travellers: Sequence[_Traveller], now: datetime, troubles: list[tuple[str, AsynqpyError]]
) -> Flow[list[_Traveller]]:
    q = keys.of_queue(place.queue)
    arguments: list[Argument] = [q.task_prefix, place.group, unix_seconds(now)]
    for each in travellers:
        lock = each.old.unique_key if each.old.unique_key.startswith(lock_prefix(place.queue)) else ""
        arguments += (each.task_id, each.stored, lock)
    replies = yield scripts.MOVE_OUT((place.container, q.archived, q.groups, q.due), arguments)
    leaving = []
    for each, code, lock_milliseconds in zip(travellers, replies[::2], replies[1::2], strict=True):
        if code == 1:
            each.lock_seconds = _FOR_EVER_SECONDS if lock_milliseconds < 0 else -(-lock_milliseconds // 1000)
            leaving.append(each)
        else:
            troubles.append((text(each.task_id), _changed(place, each)))
    return leaving


def _changed(place: Place, each: _Traveller) -> TaskStateError:
    remedy = "it was run or changed by others just now, or is being aggregated"
    return TaskStateError(place.queue, text(each.task_id), place.state, "move", remedy)


def _put_in(
    place: Place,
    target: str,
    leaving: Sequence[_Traveller],
    now: datetime,
    troubles: list[tuple[str, AsynqpyError]],
) -> Flow[list[_Traveller]]:
    if not leaving:
        return []
    q = keys.of_queue(target)
    there = Place(target, place.state, place.group)
    arguments: list[Argument] = [q.task_prefix, place.state]
    for each in leaving:
        arguments += _arrival(place, each, now)
    codes = yield scripts.MOVE_IN((there.container, q.groups, q.due), arguments)
    arrived, back = [], []
    for each, code in zip(leaving, codes, strict=True):
        if code in (1, 2, -2):
            arrived.append(each)
            continue
        back.append(each)
        task_id = text(each.task_id)
        is_taken = code == 0
        error = TaskIDConflictError(target, task_id) if is_taken else DuplicateTaskError(target, each.old.type)
        troubles.append((task_id, error))
    if back and place.state is not TaskState.ARCHIVED:
        yield _back(place, back)
    return arrived


def _arrival(place: Place, each: _Traveller, now: datetime) -> Iterator[Argument]:
    _, score, beside, _, since, *along = each.row
    yield from (each.task_id, each.new.encode())
    yield each.new.unique_key if each.lock_seconds else ""
    yield each.lock_seconds
    yield each.old.group_key if place.state in _GROUPED else ""
    yield score or unix_seconds(now)
    yield int(number(beside)) if place.state in (TaskState.SCHEDULED, TaskState.RETRY) and beside else ""
    yield (since or unix_nanoseconds(now)) if place.state is TaskState.PENDING else ""
    yield from along


def _back(place: Place, travellers: Sequence[_Traveller]) -> Call:
    q = keys.of_queue(place.queue)
    arguments: list[Argument] = [q.task_prefix, place.state, place.group]
    for each in travellers:
        arguments += (each.task_id, each.stored, each.row[1], each.row[2])
    return scripts.MOVE_BACK((place.container, q.archived, q.groups, q.due), arguments)


def _delete_behind(
    place: Place, target: str, arrived: Sequence[_Traveller], troubles: list[tuple[str, AsynqpyError]]
) -> Flow[None]:
    """Delete where it came from what has arrived. Whoever ran it there meanwhile keeps it, and has it alone."""
    if not arrived:
        return
    q = keys.of_queue(place.queue)
    arguments: list[Argument] = [q.task_prefix, lock_prefix(place.queue)]
    for each in arrived:
        arguments += (each.task_id, each.stored)
    codes = yield scripts.MOVE_OFF((q.archived,), arguments)
    there = keys.of_queue(target)
    for each, code in zip(arrived, codes, strict=True):
        if code == 1:
            continue
        containers = (there.pending, there.scheduled, there.retry, there.archived, there.completed)
        options = (text(each.task_id), there.task_prefix, there.group(""), lock_prefix(target))
        yield scripts.DELETE_TASK((there.task(text(each.task_id)), *containers, there.groups, there.due), options)
        troubles.append((text(each.task_id), _changed(place, each)))
