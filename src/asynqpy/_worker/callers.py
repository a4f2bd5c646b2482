"""Makes a route callable on the event loop: as it is, in a thread, or in a child process."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import assert_never, cast

from asynqpy._worker.in_flight import Running
from asynqpy._worker.process_pool import ProcessPool
from asynqpy._worker.thread_pool import ThreadPool
from asynqpy.handlers import HandlerKind, Route
from asynqpy.task import Task

Call = Callable[[Task], Awaitable[object]]


def _leave_alone() -> None:
    """A thread cannot be stopped from outside: its function sees `task.cancelled`."""


class Callers:
    """The pools of one server, made when the first route needs them."""

    def __init__(self, threads: ThreadPool, processes: ProcessPool) -> None:
        self._threads = threads
        self._processes = processes

    def call_of(self, route: Route) -> Call:
        """What to await with a task: the handler in its place, inside its middlewares."""
        if route.run is not None:
            return route.run
        match route.kind:
            case HandlerKind.THREAD:
                return route.wrap(self._in_thread(route))
            case HandlerKind.PROCESS:
                return route.wrap(self._in_process(route))
            case HandlerKind.ASYNC:
                raise AssertionError("an async route has a chain of its own")
            case _:
                assert_never(route.kind)

    def _in_thread(self, route: Route) -> Call:
        submit, function = self._threads.submit, route.function

        async def call(task: Task) -> object:
            if task.cancelled:  # a middleware took longer than the attempt has
                raise asyncio.CancelledError
            running = cast("Running", task.attempt)
            running.interrupt = _leave_alone
            try:
                result = await submit(function, task)
            finally:
                running.interrupt = None
            if inspect.isawaitable(result):  # a plain decorator around an async handler
                if inspect.iscoroutine(result):
                    result.close()
                raise TypeError("the handler is a plain function that returned an awaitable: make its wrapper async")
            return result

        return call

    def _in_process(self, route: Route) -> Call:
        async def call(task: Task) -> object:
            return await self._processes.call(route.reference, task)

        return call

    def close(self) -> None:
        """End the threads and processes; kills handlers that are still running in processes."""
        self._threads.close()
        self._processes.close()
