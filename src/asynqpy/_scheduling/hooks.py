"""Calling the user's hooks: async ones on the loop, plain ones in threads, so that nothing waits for a slow one."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from asynqpy._worker.thread_pool import ThreadPool
from asynqpy.options import EnqueueOptions
from asynqpy.task import Task, TaskInfo

log = logging.getLogger("asynqpy")

PreEnqueue: TypeAlias = "Callable[[Task, EnqueueOptions], Awaitable[None] | None]"
"""Called before each attempt to enqueue a tick, with the task and the options of the entry."""

PostEnqueue: TypeAlias = "Callable[[TaskInfo | None, BaseException | None], Awaitable[None] | None]"
"""Called with the enqueued task, or with the error that kept it from being enqueued."""

MOST_THREADS = 1000
"""Plain hooks that run at once."""


class Hooks:
    """Both hooks of a scheduler. What they raise is logged."""

    def __init__(self, before: PreEnqueue | None, after: PostEnqueue | None) -> None:
        self._before = before
        self._after = after
        self._threads = ThreadPool(MOST_THREADS)

    async def before(self, task: Task, options: EnqueueOptions) -> None:
        """Call the one before enqueueing."""
        if self._before is not None:
            await self._call("pre_enqueue", self._before, task, cast("EnqueueOptions", dict(options)))

    async def after(self, info: TaskInfo | None, error: BaseException | None) -> None:
        """Call the one after it."""
        if self._after is not None:
            await self._call("post_enqueue", self._after, info, error)

    async def _call(self, name: str, hook: Callable[..., object], *arguments: object) -> None:
        try:
            if inspect.iscoroutinefunction(hook):
                await hook(*arguments)
                return
            answer = await self._threads.submit(hook, *arguments)
            if inspect.isawaitable(answer):
                await answer
        except Exception:
            log.exception("%s failed", name)

    def close(self) -> None:
        """End the threads; those that still run end with the process."""
        self._threads.close()
