"""The turn: one round trip that writes what ended and claims what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from asynqpy._broker.dequeue import PAUSED, Claimed, claim_call, read_claimed
from asynqpy._broker.finish import Finish, finish_calls
from asynqpy._broker.flow import Batch, Flow
from asynqpy.errors import AsynqpyError, ConnectionLostError


class TurnReport(msgspec.Struct):
    """What a turn did. Errors belong to single calls: one refusal spoils nothing else."""

    claimed: dict[str, list[Claimed]]
    """Tasks by queue, also for queues that gave none."""
    paused: list[str]
    """Queues that gave nothing because they are paused."""
    refused: list[Finish]
    """Outcomes that came too late: the task is no longer held by its claim."""
    unwritten: list[Finish]
    """Outcomes to write again with the next turn."""
    lost_claims: list[str]
    """Queues whose claim may have happened although its reply is missing."""
    error: AsynqpyError | None = None
    """The last error, if any call failed."""


def turn(
    finishes: Sequence[Finish],
    wanted: Mapping[str, int],
    *,
    token: str,
    lease_milliseconds: int,
    now: datetime,
) -> Flow[TurnReport]:
    """Write *finishes* and claim up to the *wanted* number of tasks from each queue, in one round trip.

    Args:
        finishes: outcomes of attempts.
        wanted: how many tasks to claim, by queue.
        token: of the claims of this turn; unique to it.
        lease_milliseconds: how long the claims last without being extended.
        now: for the daily counters and archive times; leases go by Redis' own clock.
    """
    writes = finish_calls(finishes, now=now)
    claims = [
        claim_call(queue, count, token=token, lease_milliseconds=lease_milliseconds) for queue, count in wanted.items()
    ]
    replies = yield Batch([*(call for call, _ in writes), *claims])
    report = TurnReport({}, [], [], [], [])
    for (_, records), reply in zip(writes, replies, strict=False):
        if isinstance(reply, AsynqpyError):
            report.error = reply
            report.unwritten += records
        elif reply:
            refused = {task_id.decode() for task_id in reply}
            report.refused += (record for record in records if record.id in refused)
    for queue, reply in zip(wanted, replies[len(writes) :], strict=True):
        if isinstance(reply, AsynqpyError):
            report.error = reply
            if isinstance(reply, ConnectionLostError):  # else nothing was sent, or it was refused
                report.lost_claims.append(queue)
        elif reply == PAUSED:
            report.paused.append(queue)
        else:
            report.claimed[queue] = read_claimed(reply)
    return report
