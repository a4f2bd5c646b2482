"""Creating tasks: from a `Task` and its options to a message in the right place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._wire import keys
from asynqpy._wire.moments import (
    score_of_milliseconds,
    unix_milliseconds_up,
    unix_nanoseconds,
)
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import (
    AsynqpyError,
    ConnectionLostError,
    DuplicateTaskError,
    PayloadTooLargeError,
    TaskIDConflictError,
)
from asynqpy.options import DEFAULT_TIMEOUT_SECONDS, Options
from asynqpy.task import Task, TaskInfo, TaskState

_NO_HEADERS: Mapping[str, str] = {}

LARGEST_BATCH = 1000
"""Tasks per script call: keeps one call within a few milliseconds and within Lua's limit of unpacked values."""

REGISTRATION_SECONDS = 10.0
"""How long a queue counts as registered. asynq never forgets, and so loses a queue that another process removed."""


class NewTask(msgspec.Struct, frozen=True):
    """A task that is ready to be created."""

    message: TaskMessage
    encoded: bytes
    state: TaskState
    due_milliseconds: int = 0
    """When a scheduled task may run, in Unix milliseconds."""
    lock_seconds: int = 0


class Registry:
    """Which queues this process has put into the set of queues lately."""

    def __init__(self) -> None:
        self._registered_at: dict[str, float] = {}

    def knows(self, queue: str, now: float) -> bool:
        """Whether *queue* counts as registered at *now* (Unix seconds)."""
        return now - self._registered_at.get(queue, -math.inf) < REGISTRATION_SECONDS

    def needs(self, queue: str, now: float) -> bool:
        """Whether *queue* must be registered at *now*; notes it as registered."""
        if self.knows(queue, now):
            return False
        self._registered_at[queue] = now
        return True

    def forget(self, queue: str) -> None:
        """Register *queue* again with the next task: its registration failed."""
        self._registered_at.pop(queue, None)


def prepare(task: Task, options: Options, *, now: float, new_id: Callable[[], str], max_payload_bytes: int) -> NewTask:
    """The message for *task* and the place where it starts. Steps of asynq's ``Client.Enqueue``.

    Args:
        task: its own options are already part of *options*.
        options: what this call asks for.
        now: Unix seconds.
        new_id: makes an id when none is asked for.
        max_payload_bytes: larger payloads are refused.

    Raises:
        PayloadTooLargeError: the payload is over the limit.
        WireError: the wire cannot carry a value.
    """
    payload = task.payload
    if len(payload) > max_payload_bytes:
        raise PayloadTooLargeError(len(payload), max_payload_bytes)
    due, state = 0, TaskState.PENDING
    process_at = options.process_at_unix
    if options.process_in_seconds is not None:
        process_at = now + options.process_in_seconds
    if process_at is not None and process_at > now:
        due, state = unix_milliseconds_up(process_at), TaskState.SCHEDULED
    elif options.group:
        state = TaskState.AGGREGATING
    timeout = options.timeout_seconds
    if not timeout and not options.deadline_unix:
        timeout = DEFAULT_TIMEOUT_SECONDS
    lock_key, lock_seconds = "", 0
    if options.unique_seconds:
        lock_key = keys.of_queue(options.queue).unique(task.type, task.raw_payload)
        lock_seconds = options.unique_seconds + (math.ceil(due / 1000 - now) if due else 0)
    message = TaskMessage(
        type=task.type,
        id=options.task_id or new_id(),
        queue=options.queue,
        payload=payload,
        retry=options.max_retry,
        timeout=timeout,
        deadline=options.deadline_unix,
        unique_key=lock_key,
        retention=options.retention_seconds,
        group_key=options.group,
        headers=options.headers or _NO_HEADERS,
    )
    return NewTask(message, message.encode(), state, due, lock_seconds)


def enqueue(new: NewTask, *, now: datetime, registry: Registry) -> Flow[TaskInfo]:
    """Create one task: what `enqueue_many` does, without its book-keeping once the queue is registered.

    Raises:
        DuplicateTaskError: a unique task of this kind exists.
        TaskIDConflictError: the id is taken.
        BrokerError: Redis is down or refuses.
    """
    unix_now = now.timestamp()
    if not registry.knows(new.message.queue, unix_now):
        result = (yield from enqueue_many([new], now=now, registry=registry))[0]
    else:
        codes, repeated = yield from _sent_twice_at_most(_script_call(new.state, new.message.queue, (new,), now))
        result = _result(new, codes[0], unix_now, repeated=repeated)
    if isinstance(result, TaskInfo):
        return result
    raise result


def _sent_twice_at_most(call: Call) -> Flow[tuple[Any, bool]]:
    """The reply to *call*, and whether it was sent again because the connection broke on the way."""
    try:
        return (yield call), False
    except ConnectionLostError as lost:
        try:
            return (yield call), True
        except AsynqpyError:
            raise lost from None  # the truth is still that the first try may have arrived


def enqueue_many(tasks: Sequence[NewTask], *, now: datetime, registry: Registry) -> Flow[list[TaskInfo | AsynqpyError]]:
    """Create many tasks in one round trip; the results stand in the order of the tasks.

    Each task is created or refused by itself. When the connection breaks after the tasks were sent, they are sent once
    more: a task that finds itself already stored counts as created.
    """
    unix_now = now.timestamp()
    pieces = list(_pieces(tasks))
    calls = [_script_call(kind, queue, [tasks[i] for i in places], now) for kind, queue, places in pieces]
    queues = [queue for queue in dict.fromkeys(queue for _, queue, _ in pieces) if registry.needs(queue, unix_now)]
    # On a cluster the set of queues is on a node of its own, whose absence must not keep tasks out of the others.
    registrations = [command("SADD", keys.QUEUES, queue, optional=True) for queue in queues]
    try:
        replies = yield Batch([*registrations, *calls])
        failed = [at for at, reply in enumerate(replies) if isinstance(reply, ConnectionLostError)]
        if failed:
            again = yield Batch([[*registrations, *calls][at] for at in failed])
            for at, reply in zip(failed, again, strict=True):
                if not isinstance(reply, AsynqpyError):  # else the truth is still that the first try may have arrived
                    replies[at] = reply
    except BaseException:
        for queue in queues:
            registry.forget(queue)
        raise
    for queue, reply in zip(queues, replies, strict=False):
        if isinstance(reply, AsynqpyError):
            registry.forget(queue)
    results: list[Any] = [None] * len(tasks)
    repeated = set(failed)
    for at, ((_, _, places), reply) in enumerate(zip(pieces, replies[len(queues) :], strict=True), len(queues)):
        for nth, place in enumerate(places):
            code = reply if isinstance(reply, AsynqpyError) else reply[nth]
            results[place] = _result(tasks[place], code, unix_now, repeated=at in repeated)
    return results


def _pieces(tasks: Sequence[NewTask]) -> Iterator[tuple[TaskState, str, list[int]]]:
    places: dict[tuple[TaskState, str], list[int]] = {}
    for place, task in enumerate(tasks):
        places.setdefault((task.state, task.message.queue), []).append(place)
    for (state, queue), members in places.items():
        for start in range(0, len(members), LARGEST_BATCH):
            yield state, queue, members[start : start + LARGEST_BATCH]


def _script_call(state: TaskState, queue: str, tasks: Sequence[NewTask], now: datetime) -> Call:
    q = keys.of_queue(queue)
    arguments: list[Any]
    if state is TaskState.PENDING and not any(new.lock_seconds for new in tasks):
        arguments = [q.task_prefix, unix_nanoseconds(now)]
        for new in tasks:
            arguments += (new.message.id, new.encoded)
        return scripts.ENQUEUE((q.pending,), arguments)
    if state is TaskState.PENDING:
        arguments = [q.task_prefix, unix_nanoseconds(now)]
        for new in tasks:
            message = new.message
            arguments += (message.id, new.encoded, message.unique_key, new.lock_seconds)
        return scripts.ENQUEUE_UNIQUE((q.pending,), arguments)
    if state is TaskState.AGGREGATING:
        arguments = [q.task_prefix, q.group(""), math.floor(now.timestamp())]
        for new in tasks:
            message = new.message
            arguments += (message.id, new.encoded, message.unique_key, new.lock_seconds, message.group_key)
        return scripts.ADD_TO_GROUP((q.groups,), arguments)
    arguments = [q.task_prefix]
    for new in tasks:
        message, due = new.message, new.due_milliseconds
        arguments += (message.id, new.encoded, message.unique_key, new.lock_seconds, score_of_milliseconds(due))
        arguments += (exact_due(due), message.group_key)
    return scripts.SCHEDULE((q.scheduled, q.due), arguments)


def exact_due(due_milliseconds: int) -> int | str:
    """What the index of exact moments gets: nothing when the score in whole seconds already says it all."""
    return due_milliseconds if due_milliseconds % 1000 else ""


def _result(new: NewTask, code: int | AsynqpyError, now: float, *, repeated: bool) -> TaskInfo | AsynqpyError:
    message = new.message
    match code:
        case 1:
            pass
        case 2 | -2 if repeated:
            pass
        case 0 | 2:
            return TaskIDConflictError(message.queue, message.id)
        case -1 | -2:
            return DuplicateTaskError(message.queue, message.type)
        case AsynqpyError():
            return code
    next_process_at = {TaskState.SCHEDULED: new.due_milliseconds / 1000, TaskState.PENDING: now}.get(new.state, 0.0)
    return TaskInfo(message, new.state, next_process_at)
