"""What a server says about attempts that fail, with or without an error handler of the user.

It has a logger of its own, ``asynqpy.failures``, so that it can be silenced or sent elsewhere by itself.
"""

from __future__ import annotations

import logging
from types import TracebackType

from asynqpy._worker.outcome import one_line
from asynqpy.errors import AsynqpyError, RevokeTask, SkipRetry, Snooze
from asynqpy.task import Task

log = logging.getLogger("asynqpy.failures")


def log_failure(task: Task, error: BaseException) -> None:
    """Log that an attempt failed and what comes next; with the traceback if it was the handler's own error."""
    if isinstance(error, RevokeTask | Snooze):
        return  # as the handler wanted
    is_last = isinstance(error, SkipRetry) or task.retried >= task.max_retry
    is_of_handler = not isinstance(error, AsynqpyError | SkipRetry)
    log.warning(
        "task failed and is archived" if is_last else "task failed and will be tried again",
        extra={
            "task_id": task.id,
            "task_type": task.type,
            "queue": task.queue,
            "retried": task.retried,
            "max_retry": task.max_retry,
            "error": f"{type(error).__name__}: {one_line(error)}",
        },
        exc_info=(type(error), error, _below_us(error.__traceback__)) if is_of_handler else None,
    )


def _below_us(trace: TracebackType | None) -> TracebackType | None:
    """*trace* without the frames of this package at its beginning, which tell nothing about the handler."""
    below = trace
    while below is not None and below.tb_frame.f_globals.get("__name__", "").startswith("asynqpy."):
        below = below.tb_next
    return below or trace
