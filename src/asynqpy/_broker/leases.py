"""Keeping claims alive, and taking tasks back from claims that ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from asynqpy import attempts
from asynqpy._broker import scripts
from asynqpy._broker.dequeue import Held
from asynqpy._broker.enqueue import LARGEST_BATCH
from asynqpy._broker.finish import ARCHIVE_LIMIT, ARCHIVE_SECONDS, counter_keys, statistics_expiry
from asynqpy._broker.flow import Argument, Batch, Call, Flow
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds
from asynqpy._wire.records import TaskMessage, storable_text
from asynqpy.errors import AsynqpyError, LeaseExpiredError, WireError

_LOST = "the worker died while it ran this task"

GO_ALLOWANCE_MILLISECONDS = 30_000
"""Leases of Go servers count as ended 30 s late: they were made by those servers' own clocks."""


class Recovered(msgspec.Struct, frozen=True):
    """A task that was taken back from a claim that ended."""

    id: str
    crashes: int
    archived: bool


def extend(queue: str, claims: Sequence[tuple[str, str]], *, lease_milliseconds: int) -> Flow[list[str]]:
    """Give each (id, token) of *claims* a fresh lease and return the ids whose claim is lost.

    Raises:
        BrokerError: some leases may not have been extended.
    """
    lost = (yield from extend_each({queue: claims}, lease_milliseconds=lease_milliseconds))[queue]
    if isinstance(lost, AsynqpyError):
        raise lost
    return lost


def extend_each(
    claims: Mapping[str, Sequence[tuple[str, str]]], *, lease_milliseconds: int
) -> Flow[dict[str, list[str] | AsynqpyError]]:
    """`extend` for the claims of many queues in one round trip: the ids whose claim is lost, or the error, by queue.

    All is sent before any reply is waited for, so on a cluster a node that hangs costs no other queue its leases.
    """
    calls: list[tuple[str, Call]] = []
    for queue, of_queue in claims.items():
        q = keys.of_queue(queue)
        for start in range(0, len(of_queue), LARGEST_BATCH):
            arguments: list[Argument] = [q.task_prefix, lease_milliseconds]
            for claim in of_queue[start : start + LARGEST_BATCH]:
                arguments += claim
            calls.append((queue, scripts.EXTEND((q.lease,), arguments)))
    replies = (yield Batch([call for _, call in calls])) if calls else []
    lost: dict[str, list[str] | AsynqpyError] = {queue: [] for queue in claims}
    for (queue, _), reply in zip(calls, replies, strict=True):
        so_far = lost[queue]
        if isinstance(reply, AsynqpyError):
            lost[queue] = reply
        elif not isinstance(so_far, AsynqpyError):
            so_far += (task_id.decode() for task_id in reply)
    return lost


def expired(queue: str, *, limit: int = LARGEST_BATCH) -> Flow[list[Held]]:
    """Tasks whose lease has ended, at most *limit*, longest ended first."""
    q = keys.of_queue(queue)
    reply = yield scripts.EXPIRED((q.lease,), (q.task_prefix, GO_ALLOWANCE_MILLISECONDS, limit))
    values = iter(reply)
    return [
        Held(task_id.decode(), message, score.decode(), int(crashes), bool(begun))
        for task_id, message, score, crashes, begun in zip(*[values] * 5, strict=True)
    ]


def recover(queue: str, lost: Sequence[Held], *, max_crashes: int, now: datetime) -> Flow[list[Recovered]]:
    """Put *lost* tasks in front of the pending list; archive those that took *max_crashes* workers with them.

    No retry is spent. A task whose lease changed since it was judged stays where it is. A loss counts unless the task
    was on its last chance and had not begun: such tasks run one at a time, so that those who merely ran beside a
    killer are told apart from it.
    """
    if not lost:
        return []
    q = keys.of_queue(queue)
    unix_now = math.floor(now.timestamp())
    arguments: list[Argument] = [q.task_prefix, statistics_expiry(now), unix_nanoseconds(now), unix_now]
    arguments += (unix_now - ARCHIVE_SECONDS, ARCHIVE_LIMIT)
    verdicts: dict[str, Recovered] = {}
    for task in lost:
        counts = task.begun or not is_last_chance(task.crashes, max_crashes)
        crashes = task.crashes + counts
        archived = counts and crashes >= max_crashes
        verdicts[task.id] = Recovered(task.id, crashes, archived)
        message = _with_crash(task.message, crashes, unix_now) if archived else b""
        attempt = attempts.encode(_LOST, now=now.timestamp(), is_lost=True) if counts else b""
        arguments += (task.id, task.lease_score, int(archived), message, crashes, attempt)
    reply = yield scripts.RECOVER(
        (q.active, q.lease, q.pending, q.archived, *counter_keys(q, now)),
        arguments,
    )
    return [verdicts[task_id.decode()] for task_id in reply]


def is_last_chance(crashes: int, max_crashes: int) -> bool:
    """Whether a task that was lost *crashes* times would be archived if it were lost once more."""
    return 0 < crashes >= max_crashes - 1


def begin(queue: str, task_id: str, token: str) -> Flow[None]:
    """Note that the attempt of this claim begins.

    Raises:
        LeaseExpiredError: the claim is lost.
    """
    if not (yield scripts.BEGIN((keys.of_queue(queue).task(task_id),), (token,))):
        raise LeaseExpiredError


def mend(queue: str, *, now: datetime) -> Flow[tuple[list[str], int]]:
    """Mend active ids without a lease and leases without an active id; returns the ids restored, and a count."""
    q = keys.of_queue(queue)
    restored, cleared = yield scripts.MEND((q.active, q.lease, q.pending), (q.task_prefix, unix_nanoseconds(now)))
    return [task_id.decode() for task_id in restored], cleared


def _with_crash(message: bytes, crashes: int, now: int) -> bytes:
    try:
        stored = TaskMessage.decode(message)
    except WireError:
        return b""  # unreadable, so archived as it is: a Go recoverer would stop at it for ever
    text = f"the worker died {crashes} times while it ran this task"
    return msgspec.structs.replace(stored, error_msg=storable_text(text), last_failed_at=now).encode()
