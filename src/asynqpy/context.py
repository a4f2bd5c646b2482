"""The task that is running here: set by the worker, readable anywhere below the handler."""

from __future__ import annotations

from contextvars import ContextVar

from asynqpy.errors import AsynqpyError
from asynqpy.task import Task

running_task: ContextVar[Task] = ContextVar("asynqpy_running_task")


def current_task() -> Task:
    """The task whose handler is running, also in functions that it calls and in its thread.

    Raises:
        AsynqpyError: no handler is running here.
    """
    task = running_task.get(None)
    if task is None:
        raise AsynqpyError("no task is running here: current_task() works inside a handler and in what it calls")
    return task
