"""Running a task through a mux as a worker would, without a worker and without Redis."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable
from typing import cast

import msgspec

from asynqpy import payload
from asynqpy._broker.finish import Archive, Complete, Delay, Done, Finish, HandOn, Requeue, Retry
from asynqpy._wire.records import TaskMessage
from asynqpy._worker.outcome import Outcome, Succeeded, attempt_deadline, outcome_of_error, record_of
from asynqpy.context import running_task
from asynqpy.handlers import Handler, Next, Route, route_to
from asynqpy.identity import new_id
from asynqpy.mux import ServeMux
from asynqpy.options import DEFAULT_TIMEOUT_SECONDS
from asynqpy.task import Task, TaskState

_STATES: dict[type[Finish], TaskState | None] = {
    Done: None,
    Complete: TaskState.COMPLETED,
    Retry: TaskState.RETRY,
    Delay: TaskState.SCHEDULED,
    Archive: TaskState.ARCHIVED,
    Requeue: TaskState.PENDING,
    HandOn: TaskState.SCHEDULED,
}


class TaskRun(msgspec.Struct, frozen=True):
    """What became of an attempt."""

    state: TaskState | None
    """Where the task would be now: completed, retry, scheduled (snoozed) or archived; None when it would be gone,
    because it succeeded without retention or was revoked."""
    result: bytes | None = None
    """What the handler returned, or else wrote, as bytes; None when nothing."""
    error: BaseException | None = None
    """What the handler raised, instructions such as `SkipRetry` included."""

    def unwrap(self) -> bytes | None:
        """The result; raises the error if there is one."""
        if self.error is not None:
            raise self.error
        return self.result


async def run_task(handler: ServeMux | Handler, task: Task, *, retried: int = 0) -> TaskRun:
    """Run *task* once, as a worker would: route, middlewares, decoding, handler, and what its outcome means.

    Plain functions run in a thread, and so do those with ``isolate="process"``. `current_task` and ``write_result``
    work. Options count as they do in ``enqueue``; timeouts are for the test to set.

    Args:
        handler: a mux, or a single handler.
        task: as it would be enqueued.
        retried: how often it has failed before.
    """
    message = _message_of(task, retried)
    attempt = _Attempt()
    deadline = attempt_deadline(message, time.time())
    running = Task.running(
        message.type,
        message.payload,
        message.headers,
        message.id,
        message.queue,
        retried,
        message.retry,
        deadline,
        attempt,
    )
    route = handler.route(task.type) if isinstance(handler, ServeMux) else route_to("", handler)
    token = running_task.set(running)
    outcome: Outcome
    error: BaseException | None = None
    try:
        returned = await _call_of(route)(running)
        outcome = Succeeded(None if returned is None else payload.encode(returned))
    except Exception as raised:  # noqa: BLE001 - whatever a handler raises is what was asked for
        error = raised
        outcome = outcome_of_error(raised, message)
    finally:
        running_task.reset(token)
    record = record_of(outcome, message, "", time.time())
    result = outcome.result if isinstance(outcome, Succeeded) and outcome.result is not None else attempt.written
    return TaskRun(state=_STATES[type(cast("Finish", record))], result=result, error=error)


class _Attempt:
    """Keeps what the handler writes."""

    cancelled = False

    def __init__(self) -> None:
        self.written: bytes | None = None

    async def write_result(self, data: bytes) -> int:
        return self.write_result_sync(data)

    def write_result_sync(self, data: bytes) -> int:
        self.written = data
        return len(data)

    async def report_progress(self, fraction: float, text: str) -> None:
        """Nobody looks."""

    def report_progress_sync(self, fraction: float, text: str) -> None:
        """Nobody looks."""


def _message_of(task: Task, retried: int) -> TaskMessage:
    options = task.options
    timeout = options.timeout_seconds or (0 if options.deadline_unix else DEFAULT_TIMEOUT_SECONDS)
    return TaskMessage(
        type=task.type,
        id=options.task_id or new_id(),
        queue=options.queue,
        payload=task.payload,
        retry=options.max_retry,
        retried=retried,
        timeout=timeout,
        deadline=options.deadline_unix,
        retention=options.retention_seconds,
        group_key=options.group,
        headers=task.headers,
    )


def _call_of(route: Route) -> Next:
    return route.run or route.wrap(lambda task: asyncio.to_thread(_call, route.function, task))


def _call(function: Handler, task: Task) -> object:
    returned = function(task)
    return asyncio.run(_finish(returned)) if inspect.isawaitable(returned) else returned


async def _finish(awaitable: Awaitable[object]) -> object:
    return await awaitable
