"""Why a task does not run: what its state, its queue and the living servers say about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from asynqpy.inspection import HandledPatterns, QueueInfo, ServerInfo, UniqueLock
from asynqpy.task import TaskInfo, TaskState

LONGEST_SKEW = timedelta(seconds=2)
"""How far two clocks may be apart before it is worth a word."""


class Weight(StrEnum):
    """How much a reason matters."""

    BLOCKS = "blocks"
    """It will not run until somebody does something."""
    DELAYS = "delays"
    """It will run by itself, later."""
    TELLS = "tells"
    """Good to know."""


class Cause(StrEnum):
    """What a reason is, for programs."""

    QUEUE_PAUSED = "queue_paused"
    NO_SERVER = "no_server"
    SERVERS_STOPPED = "servers_stopped"
    TYPE_UNKNOWN = "type_unknown"
    TYPE_PERHAPS_UNKNOWN = "type_perhaps_unknown"
    UNREADABLE = "unreadable"
    SLOTS_BUSY = "slots_busy"
    HEAVIER_QUEUES = "heavier_queues"
    QUEUED_BEHIND = "queued_behind"
    HANDED_ON = "handed_on"
    DUE_LATER = "due_later"
    RETRY_LATER = "retry_later"
    OVERDUE = "overdue"
    GROUP_WAITS = "group_waits"
    RUNNING = "running"
    LEASE_EXPIRED = "lease_expired"
    NO_WORKER = "no_worker"
    COMPLETED = "completed"
    RETRIES_SPENT = "retries_spent"
    ARCHIVED = "archived"
    CRASHES = "crashes"
    DEADLINE_PASSED = "deadline_passed"
    LOCK_HELD = "lock_held"
    ID_HELD = "id_held"
    CLOCK_SKEW = "clock_skew"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a task does not run, or what it is doing instead."""

    cause: Cause
    weight: Weight
    text: str
    remedy: str = ""
    """What to do about it; empty where there is nothing to do."""
    facts: dict[str, Any] = {}


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What was found around a task."""

    queue: QueueInfo
    servers: Sequence[ServerInfo]
    patterns: Sequence[HandledPatterns]
    now: datetime
    """By our clock."""
    redis_now: datetime
    """By that of Redis, which decides."""
    lock: UniqueLock | None = None
    """The lock that the task was enqueued with, if it is still there."""
    group_size: int | None = None


def why(task: TaskInfo, around: Circumstances) -> list[Reason]:
    """Why *task* does not run, the weightiest reasons first; for a task that runs, that it does."""
    found = list(_reasons(task, around))
    order = list(Weight)
    return sorted(found, key=lambda reason: order.index(reason.weight))


def _reasons(task: TaskInfo, around: Circumstances) -> Iterator[Reason]:
    match task.state:
        case TaskState.ACTIVE:
            yield from _active(task, around)
        case TaskState.ARCHIVED:
            yield from _archived(task, around)
        case TaskState.COMPLETED:
            yield _reason(Cause.COMPLETED, Weight.TELLS, "it has succeeded and is kept for its retention")
            yield from _held(task, around)
        case _:
            yield from _waiting(task, around)
    skew = around.now - around.redis_now
    if abs(skew) > LONGEST_SKEW:
        yield _reason(
            Cause.CLOCK_SKEW,
            Weight.TELLS,
            f"the clock here is {abs(skew).total_seconds():.0f} s {'ahead of' if skew > timedelta(0) else 'behind'}"
            " that of Redis; moments shown here are off by as much",
            "synchronise the clocks",
            seconds=skew.total_seconds(),
        )


def _waiting(task: TaskInfo, around: Circumstances) -> Iterator[Reason]:
    if task.deadline is not None and task.deadline <= around.redis_now:
        text = "its deadline has passed: it fails as soon as it is taken"
        yield _reason(Cause.DEADLINE_PASSED, Weight.BLOCKS, text, "enqueue it again", deadline=task.deadline)
    if task.state in (TaskState.SCHEDULED, TaskState.RETRY):
        yield from _due(task, around)
    elif task.state is TaskState.AGGREGATING:
        yield _reason(
            Cause.GROUP_WAITS,
            Weight.DELAYS,
            f"it waits in group {task.group!r} until a server aggregates it: when the group is large or old enough,"
            " or none came for the grace period",
            "run it to take it out of the group",
            group=task.group,
            size=around.group_size,
        )
    yield from _queue(task, around)


def _due(task: TaskInfo, around: Circumstances) -> Iterator[Reason]:
    due = task.next_process_at
    if due is None:
        return
    wait = due - around.redis_now
    if wait <= timedelta(0):
        if -wait > timedelta(seconds=10):
            text = f"it was due {_span(-wait)} ago and no server has put it among the pending ones"
            yield _reason(
                Cause.OVERDUE, Weight.BLOCKS, text, "start a server for its queue, or run it by hand", due=due
            )
        return
    if task.state is TaskState.RETRY:
        text = (
            f"attempt {task.retried + 1} of {task.max_retry + 1} is due in {_span(wait)}; it failed: {task.last_error}"
        )
        yield _reason(Cause.RETRY_LATER, Weight.DELAYS, text, "run it to try at once", due=due, retried=task.retried)
    else:
        text = f"it is scheduled for {_span(wait)} from now"
        yield _reason(Cause.DUE_LATER, Weight.DELAYS, text, "run it to have it now", due=due)


def _queue(task: TaskInfo, around: Circumstances) -> Iterator[Reason]:
    """What keeps tasks of its queue and type from being taken."""
    name = task.queue
    if not task.is_readable:
        yield _reason(Cause.UNREADABLE, Weight.BLOCKS, "its message cannot be decoded", "delete it")
    if around.queue.paused:
        yield _reason(Cause.QUEUE_PAUSED, Weight.BLOCKS, f"queue {name!r} is paused", "resume the queue")
    serving = [server for server in around.servers if name in server.queues]
    if not serving:
        text = f"no living server serves queue {name!r}"
        yield _reason(Cause.NO_SERVER, Weight.BLOCKS, text, f"start a worker with --queue {name}")
        return
    working = [server for server in serving if server.status == "active"]
    if not working:
        text = f"all {len(serving)} servers of queue {name!r} take no new tasks: they are stopping"
        yield _reason(Cause.SERVERS_STOPPED, Weight.BLOCKS, text, "start another worker", servers=len(serving))
        return
    yield from _type(task, [server.id for server in working], around)
    if task.state is TaskState.PENDING:
        yield from _slots(task, working, around)


def _type(task: TaskInfo, servers: Sequence[str], around: Circumstances) -> Iterator[Reason]:
    known = {each.server_id: each for each in around.patterns}
    answers = [known[each].handles(task.type) if each in known else None for each in servers]
    if not any(answers):
        is_certain = None not in answers
        cause = Cause.TYPE_UNKNOWN if is_certain else Cause.TYPE_PERHAPS_UNKNOWN
        text = (
            f"no living server of the queue {'has' if is_certain else 'is known to have'} a handler for {task.type!r}"
        )
        remedy = "deploy a worker that handles the type" if is_certain else "servers of Go do not say what they handle"
        yield _reason(cause, Weight.BLOCKS if is_certain else Weight.TELLS, text, remedy, type=task.type)
    if task.released:
        text = f"{task.released} times a server without a handler for it has handed it on"
        yield _reason(Cause.HANDED_ON, Weight.TELLS, text, released=task.released)


def _slots(task: TaskInfo, servers: Sequence[ServerInfo], around: Circumstances) -> Iterator[Reason]:
    slots = sum(server.concurrency for server in servers)
    busy = sum(min(len(server.active_workers), server.concurrency) for server in servers)
    if busy >= slots:
        text = f"all {slots} slots of the {len(servers)} servers of its queue are busy"
        yield _reason(Cause.SLOTS_BUSY, Weight.DELAYS, text, "start more workers, or raise concurrency", slots=slots)
        strict = [server for server in servers if server.strict_priority]
        heavier = {
            queue for server in strict for queue, weight in server.queues.items() if weight > server.queues[task.queue]
        }
        if heavier and len(strict) == len(servers):
            text = f"its servers take tasks of {', '.join(sorted(heavier))} first, as long as there are any"
            yield _reason(Cause.HEAVIER_QUEUES, Weight.DELAYS, text, queues=sorted(heavier))
    if around.queue.pending > 1:
        text = f"{around.queue.pending} tasks are pending in its queue, and are taken in their order"
        yield _reason(Cause.QUEUED_BEHIND, Weight.DELAYS, text, pending=around.queue.pending)


def _active(task: TaskInfo, around: Circumstances) -> Iterator[Reason]:
    for server in around.servers:
        for worker in server.active_workers:
            if worker.task_id == task.id and worker.queue == task.queue:
                text = f"it runs on {server.host}, process {server.pid}, since {_span(around.now - worker.started)}"
                yield _reason(Cause.RUNNING, Weight.TELLS, text, server=server.id, started=worker.started)
                if task.is_orphaned:
                    break
                return
    if task.is_orphaned:
        text = "the lease of its worker has ended: a server of its queue takes it back within seconds"
        serves = any(task.queue in server.queues for server in around.servers)
        weight = Weight.DELAYS if serves else Weight.BLOCKS
        remedy = "" if serves else "start a worker for its queue: there is none to take it back"
        yield _reason(Cause.LEASE_EXPIRED, weight, text, remedy)
    else:
        text = "it is claimed, but no server lists it: it has just begun, or its worker has died and its lease must end"
        yield _reason(Cause.NO_WORKER, Weight.DELAYS, text)


def _archived(task: TaskInfo, around: Circumstances) -> Iterator[Reason]:
    if task.last_error and task.retried >= task.max_retry:
        text = f"it has failed {task.retried + 1} times, which is all that it may: {task.last_error}"
        yield _reason(Cause.RETRIES_SPENT, Weight.BLOCKS, text, "mend the cause, then run it", retried=task.retried)
    else:
        text = "it was archived" + (f": {task.last_error}" if task.last_error else " by hand")
        yield _reason(Cause.ARCHIVED, Weight.BLOCKS, text, "run it, or delete it")
    if task.crashes:
        text = f"{task.crashes} times its worker died while it ran"
        yield _reason(Cause.CRASHES, Weight.TELLS, text, crashes=task.crashes)
    yield from _held(task, around)


def _held(task: TaskInfo, around: Circumstances) -> Iterator[Reason]:
    """What it keeps others from, though it will not run itself."""
    lock = around.lock
    if lock is not None and lock.task_id == task.id:
        lasts = f" for another {_span(lock.expires_in)}" if lock.expires_in is not None else ""
        text = f"it holds a uniqueness lock{lasts}: tasks with its type and payload are refused"
        yield _reason(Cause.LOCK_HELD, Weight.TELLS, text, "delete it to free the lock", key=lock.key)
    text = "its id is taken as long as it is kept: a task with the same id, such as the next periodic one, is refused"
    yield _reason(Cause.ID_HELD, Weight.TELLS, text, "delete it to free the id", task_id=task.id)


def _reason(cause: Cause, weight: Weight, text: str, remedy: str = "", **facts: Any) -> Reason:
    return Reason(cause=cause, weight=weight, text=text, remedy=remedy, facts=facts)


def _span(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
