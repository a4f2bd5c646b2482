"""Limits that hold across servers: whether a task may start now, who is next, and asynq's semaphore.

A limit's keys are of one slot, those of a queue of another, so no script touches both: a task that is given a permit is
called by a second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.enqueue import LARGEST_BATCH
from asynqpy._broker.flow import Argument, Batch, Call, Flow, command
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds
from asynqpy.errors import AsynqpyError

_SEPARATOR = "\n"


class Gate(msgspec.Struct, frozen=True):
    """One limit with its numbers: what tasks of one scope have to pass."""

    scope: str
    interval_microseconds: int = 0
    """Between two starts; 0: no rate."""
    tolerance_microseconds: int = 0
    """How far ahead of an even pace starts may be: what makes a burst."""
    max_active: int = 0
    """Permits; 0: no end of them."""


class Admission(msgspec.Struct, frozen=True):
    """Whether a task may start."""

    wait_seconds: float | None
    """It may, after so long in its place; None: it may not."""
    back_at_milliseconds: int = 0
    """When it shall ask again, in Unix milliseconds by Redis' clock."""
    called: Sequence[str] = ()
    """Members that were given a permit; see `call_up`."""


class Permit(msgspec.Struct, frozen=True):
    """The right of a task to run, one of a limited number."""

    gate: Gate
    member: str
    token: str


def member_of(queue: str, task_id: str) -> str:
    """The name of a task in a limit, which may span queues."""
    return f"{queue}{_SEPARATOR}{task_id}"


def admit(gate: Gate, member: str, token: str, *, lease_milliseconds: int, noise: float) -> Flow[Admission]:
    """Ask whether a task may start now. With a permit, if the gate has these, it holds one then.

    Args:
        gate: the limit.
        member: the task.
        token: of its claim.
        lease_milliseconds: how long a permit lasts without being extended.
        noise: a random number from 0 to 1, so that those who wait do not come back together.

    Raises:
        BrokerError: Redis is down or refuses: nobody knows, so the task must not start.
    """
    k = keys.of_limit(gate.scope)
    reply = yield scripts.ADMIT(
        (k.next, k.line, k.due, k.holders, k.owners, k.waiting),
        (
            member,
            token,
            gate.interval_microseconds,
            gate.tolerance_microseconds,
            gate.max_active,
            lease_milliseconds,
            f"{noise:.3f}",
        ),
    )
    called = [name.decode() for name in reply[2:]]
    if reply[0]:
        return Admission(int(reply[1]) / 1e6, called=called)
    return Admission(None, int(reply[1]), called)


def give_back(gate: Gate, permits: Sequence[tuple[str, str]]) -> Flow[list[str]]:
    """Give back permits, each a member and its token, and return the members to be called next."""
    reply = yield _give_back(gate, permits)
    return [name.decode() for name in reply]


def keep(permits: Sequence[Permit], *, lease_milliseconds: int) -> Flow[list[tuple[Gate, list[str]]]]:
    """Extend *permits*, and return the members to be called by gate.

    Raises:
        BrokerError: the first call that failed.
    """
    by_gate: dict[Gate, list[Permit]] = {}
    for permit in permits:
        by_gate.setdefault(permit.gate, []).append(permit)
    calls: list[Call] = []
    gates: list[Gate] = []
    for gate, held in by_gate.items():
        k = keys.of_limit(gate.scope)
        for start in range(0, len(held), LARGEST_BATCH):
            arguments: list[Argument] = [gate.max_active, lease_milliseconds]
            for permit in held[start : start + LARGEST_BATCH]:
                arguments += (permit.member, permit.token)
            calls.append(scripts.KEEP_PERMITS((k.holders, k.owners, k.waiting), arguments))
            gates.append(gate)
    replies = yield Batch(calls)
    called: list[tuple[Gate, list[str]]] = []
    for gate, reply in zip(gates, replies, strict=True):
        if isinstance(reply, AsynqpyError):
            raise reply
        if reply:
            called.append((gate, [name.decode() for name in reply]))
    return called


def call_up(gate: Gate, members: Sequence[str], *, now: datetime) -> Flow[None]:
    """Let the *members* that were given a permit run now. The permits of those that will not come go to the next.

    What fails here is made up for by time: a permit that nobody comes for ends, and who waits comes back by itself.
    """
    called = list(members)
    while called:
        by_queue: dict[str, list[str]] = {}
        for member in called:
            queue, _, task_id = member.partition(_SEPARATOR)
            by_queue.setdefault(queue, []).append(task_id)
        replies = yield Batch([_call_up(queue, ids, unix_nanoseconds(now)) for queue, ids in by_queue.items()])
        absent = [
            member_of(queue, task_id.decode())
            for queue, reply in zip(by_queue, replies, strict=True)
            if not isinstance(reply, AsynqpyError)
            for task_id in reply
        ]
        if not absent:
            return
        called = yield from give_back(gate, [(member, "") for member in absent])


def _give_back(gate: Gate, permits: Sequence[tuple[str, str]]) -> Call:
    k = keys.of_limit(gate.scope)
    arguments: list[Argument] = [gate.max_active]
    for permit in permits:
        arguments += permit
    return scripts.GIVE_BACK((k.holders, k.owners, k.waiting), arguments)


def _call_up(queue: str, ids: Sequence[str], now_nanoseconds: int) -> Call:
    q = keys.of_queue(queue)
    return scripts.CALL_UP((q.scheduled, q.due, q.pending, q.paused), (q.task_prefix, now_nanoseconds, *ids))


def take_token(scope: str, task_id: str, *, max_tokens: int, deadline_seconds: int) -> Flow[bool]:
    """Take a token of asynq's semaphore until *deadline_seconds*, Unix time; False when all are taken."""
    taken = yield scripts.TAKE_TOKEN((keys.semaphore(scope),), (max_tokens, deadline_seconds, task_id))
    return bool(taken)


def return_token(scope: str, task_id: str) -> Flow[bool]:
    """Return a token of asynq's semaphore; False when the task has none."""
    returned = yield command("ZREM", keys.semaphore(scope), task_id)
    return bool(returned)
