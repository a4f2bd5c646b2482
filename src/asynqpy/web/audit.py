"""The record of every change: who, what, where, how it ended. For the log ``asynqpy.audit`` and a function of yours."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from asynqpy.web.problems import Problem

log = logging.getLogger("asynqpy.audit")


class Change(msgspec.Struct, kw_only=True):
    """Something that somebody did, or was refused, through the web."""

    at: datetime
    user: str
    address: str
    """From where; empty when nobody knows."""
    broker: str
    """The name of the Redis."""
    action: str
    """A word of `Permission`."""
    queue: str
    task_id: str = ""
    """Empty when it was done to more than one task, or to none."""
    details: dict[str, Any] = {}
    """What else was asked for, and what came of it: numbers, states, filters. Never a payload."""
    error: str = ""
    """Why it was not done; empty when it was."""


AuditFunction: TypeAlias = Callable[[Change], object]
"""Called with every change, on the event loop."""


class Audit:
    """Where changes are recorded."""

    def __init__(self, function: AuditFunction | None = None) -> None:
        self._function = function

    def record(self, change: Change) -> None:
        """Record *change*."""
        facts = msgspec.to_builtins(change)
        what = f"{change.action} in {change.queue}" + (f" {change.task_id}" if change.task_id else "")
        log.log(
            logging.WARNING if change.error else logging.INFO,
            "%s by %s%s",
            what,
            change.user or "nobody",
            f" failed: {change.error}" if change.error else "",
            extra={"change": facts},
        )
        if self._function is not None:
            try:
                self._function(change)
            except Exception:  # the change is made already, and is in the log
                log.exception("the audit function failed")

    @asynccontextmanager
    async def recording(
        self, *, user: str, address: str, broker: str, action: str, queue: str, task_id: str = "", **details: Any
    ) -> AsyncIterator[Change]:
        """Record what happens in the block, whether it succeeds or not; the block may add details."""
        change = Change(
            at=datetime.now(UTC),
            user=user,
            address=address,
            broker=broker,
            action=action,
            queue=queue,
            task_id=task_id,
            details=details,
        )
        try:
            yield change
        except BaseException as error:
            change.error = error.detail if isinstance(error, Problem) else str(error) or type(error).__name__
            raise
        finally:
            self.record(change)
