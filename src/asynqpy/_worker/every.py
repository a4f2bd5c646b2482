"""The loop that most parts of a server are."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskStatus

from asynqpy.clock import Clock
from asynqpy.errors import AsynqpyError

log = logging.getLogger("asynqpy")


async def every(
    interval: timedelta,
    tick: Callable[[], Awaitable[None]],
    *,
    clock: Clock,
    task_status: TaskStatus[None] = TASK_STATUS_IGNORED,
) -> None:
    """Call *tick* now and after each *interval*, until cancelled. Trouble with Redis is logged and does not end it."""
    task_status.started()
    while True:
        try:
            with CancelScope(shield=True):  # a script once sent is always answered
                await tick()
        except AsynqpyError as error:
            log.warning("%s failed, will try again: %s", getattr(tick, "__qualname__", tick), error)
        await clock.sleep(interval.total_seconds())
