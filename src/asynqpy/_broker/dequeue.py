"""Claiming pending tasks, and finding the tasks of a claim again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.flow import Batch, Call, Flow
from asynqpy._wire import keys
from asynqpy.errors import AsynqpyError


class Claimed(msgspec.Struct, frozen=True):
    """A task that now belongs to a claim; its message is still undecoded."""

    id: str
    message: bytes
    pending_since: int = 0
    """Unix nanoseconds; 0 when unknown."""
    crashes: int = 0
    """How often it was lost with its worker so far."""


class Held(msgspec.Struct, frozen=True):
    """An active task of some claim, as found in Redis."""

    id: str
    message: bytes
    lease_score: str
    crashes: int
    """How often it was lost with its worker before."""
    begun: bool = True
    """Whether it is known to have been running, not just claimed; noted only for tasks on their last chance."""
    token: str = ""


LARGEST_CLAIM = 1000
"""Tasks claimed by one call at most: keeps a call within a few milliseconds, and within Lua's limit of values."""

PAUSED = -1
"""What the claim script answers for a paused queue."""


def claim_call(queue: str, count: int, *, token: str, lease_milliseconds: int) -> Call:
    """Take up to *count* tasks, at most a thousand, from *queue* under *token*."""
    q = keys.of_queue(queue)
    return scripts.CLAIM(
        (q.pending, q.active, q.lease, q.paused), (q.task_prefix, token, lease_milliseconds, min(count, LARGEST_CLAIM))
    )


def read_claimed(reply: Sequence[bytes]) -> list[Claimed]:
    """The tasks in the reply of `claim_call`."""
    values = iter(reply)
    return [
        Claimed(task_id.decode(), message, int(since or 0), int(crashes or 0))
        for task_id, message, since, crashes in zip(values, values, values, values, strict=True)
    ]


def claim(queue: str, count: int, *, token: str, lease_milliseconds: int) -> Flow[list[Claimed]]:
    """Take up to *count* tasks; none from a paused queue."""
    reply: Any = yield claim_call(queue, count, token=token, lease_milliseconds=lease_milliseconds)
    return [] if reply == PAUSED else read_claimed(reply)


def claimed_by(queue: str, token_prefix: str) -> Flow[list[Held]]:
    """The active tasks whose claim token starts with *token_prefix*: of one claim, or of all claims of one server."""
    return _held((yield _claimed_call(queue, token_prefix)))


def claimed_by_each(claims: Sequence[tuple[str, str]]) -> Flow[list[list[Held] | AsynqpyError]]:
    """`claimed_by` for each (queue, token prefix) of *claims*, or its error, in one round trip."""
    replies = yield Batch([_claimed_call(queue, token_prefix) for queue, token_prefix in claims])
    return [reply if isinstance(reply, AsynqpyError) else _held(reply) for reply in replies]


def _claimed_call(queue: str, token_prefix: str) -> Call:
    q = keys.of_queue(queue)
    return scripts.CLAIMED((q.active, q.lease), (q.task_prefix, token_prefix))


def _held(reply: Sequence[Any]) -> list[Held]:
    values = iter(reply)
    return [
        Held(task_id.decode(), message, score.decode(), int(crashes), bool(begun), token.decode())
        for task_id, message, score, crashes, begun, token in zip(*[values] * 6, strict=True)
    ]
