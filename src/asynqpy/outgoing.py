"""What the middlewares of a client see: tasks on their way into their queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TypeAlias

import msgspec

from asynqpy.errors import AsynqpyError
from asynqpy.options import EnqueueOptions, Options, resolve
from asynqpy.task import Task, TaskInfo


class Outgoing:
    """One task that is being enqueued.

    `headers` may be changed until the middleware yields: they travel with the task. `info` and `error` are there
    afterwards: one of them is set, both are None when the call as a whole has failed.
    """

    __slots__ = ("error", "headers", "info", "options", "task")

    task: Task
    options: Options
    headers: dict[str, str]
    info: TaskInfo | None
    error: AsynqpyError | None

    def __init__(self, task: Task, options: EnqueueOptions) -> None:
        self.task = task
        self.options = resolve(options, task.options)
        self.headers = dict(self.options.headers or {})
        self.info = None
        self.error = None

    @property
    def queue(self) -> str:
        """Where it goes."""
        return self.options.queue

    def resolved(self) -> Options:
        """Its options with the headers that it has now."""
        return msgspec.structs.replace(self.options, headers=dict(self.headers) if self.headers else None)

    def __repr__(self) -> str:
        return f"<Outgoing {self.task!r} queue={self.queue!r}>"


ClientMiddleware: TypeAlias = Callable[[Sequence[Outgoing]], AbstractContextManager[object]]
"""Makes a context manager for the tasks of one round trip, entered before they are sent, left when Redis has answered.

``enqueue`` sends one task, ``enqueue_many`` batches of up to a thousand. It runs in the thread or on the event loop of
the caller, must not block there, and batches may overlap: what it sets must not depend on leaving in reverse order.
What it raises is raised by the call."""


def around(middlewares: Sequence[ClientMiddleware], tasks: Sequence[Outgoing]) -> ExitStack:
    """The context of all *middlewares*, the first one outermost; it is entered already."""
    with ExitStack() as stack:
        for middleware in middlewares:
            stack.enter_context(middleware(tasks))
        return stack.pop_all()
