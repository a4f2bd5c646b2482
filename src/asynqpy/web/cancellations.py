"""Running tasks that somebody has asked to cancel. Nothing in Redis tells, so the web server remembers what it sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from asynqpy.task import TaskInfo, TaskState

KEPT_FOR = timedelta(hours=1)
"""A handler that has not stopped after that will hardly do so for this reason."""

MOST = 10_000
"""Requests remembered at most; the oldest go first."""

SKEW = timedelta(seconds=5)
"""How far the clocks of servers may be ahead of ours."""

_Attempt: TypeAlias = "tuple[int, datetime | None, int]"
"""What differs from attempt to attempt: retries, the last failure, crashes."""


class _Asked(msgspec.Struct, frozen=True):
    at: datetime
    attempt: _Attempt


class Cancellations:
    """What was asked through this web server in the last hour, about one Redis."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], _Asked] = {}

    def add(self, info: TaskInfo) -> None:
        """Remember that the attempt which runs is to be cancelled."""
        now = datetime.now(UTC)
        key = (info.queue, info.id)
        self._asked.pop(key, None)  # to the end of the line
        self._asked[key] = _Asked(now, _attempt(info))
        for oldest in list(self._asked):
            if len(self._asked) <= MOST and now - self._asked[oldest].at <= KEPT_FOR:
                break
            del self._asked[oldest]

    def asked_at(self, info: TaskInfo, *, started: datetime | None = None) -> datetime | None:
        """When it was asked for last that the attempt be cancelled which runs; None where nobody did.

        Args:
            info: the task.
            started: when the attempt began, where that is known; one that began later was not meant.
        """
        asked = self._asked.get((info.queue, info.id))
        if asked is None:
            return None
        if info.state is not TaskState.ACTIVE or _attempt(info) != asked.attempt:
            del self._asked[info.queue, info.id]
            return None
        return self.asked_at_of(info.queue, info.id, started=started)

    def asked_at_of(self, queue: str, task_id: str, *, started: datetime | None) -> datetime | None:
        """The same of a task of which only that is known."""
        asked = self._asked.get((queue, task_id))
        if asked is None or datetime.now(UTC) - asked.at > KEPT_FOR:
            return None
        return None if started is not None and started > asked.at + SKEW else asked.at


def _attempt(info: TaskInfo) -> _Attempt:
    return (info.retried, info.last_failed_at, info.crashes)
